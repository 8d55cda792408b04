//! tokio-util's `LengthDelimitedCodec`, with replies written when no request is left to read.

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::{SESSION, load::Wire, request};
use crate::{app::Ask, error::BoxError};

/// A task for each connection.
pub(super) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(stream: TcpStream) -> Result<(), BoxError> {
    let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
    while let Some(message) = framed.next().await {
        framed.feed(reply(&message?)?).await?;
        while let Some(Some(message)) = framed.next().now_or_never() {
            framed.feed(reply(&message?)?).await?;
        }
        SinkExt::<Bytes>::flush(&mut framed).await?;
    }
    Ok(())
}

fn reply(message: &BytesMut) -> Result<Bytes, BoxError> {
    let ask: Ask = serde_json::from_slice(message)?;
    Ok(serde_json::to_vec(&ask.answer())?.into())
}

/// Four bytes of length in network order.
pub(super) struct Prefixed(Vec<u8>);

impl Wire for Prefixed {
    fn ask(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<Option<usize>, BoxError> {
        let Some(len) = bytes.first_chunk() else {
            return Ok(None);
        };
        let whole = 4 + u32::from_be_bytes(*len) as usize;
        Ok((bytes.len() >= whole).then_some(whole))
    }
}

/// Nothing comes before the first request.
pub(super) async fn client(stream: TcpStream) -> Result<(TcpStream, Prefixed), BoxError> {
    let message = request(SESSION);
    let len = (message.len() as u32).to_be_bytes();
    Ok((stream, Prefixed([&len[..], message.as_bytes()].concat())))
}
