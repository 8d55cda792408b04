//! The floor: what a connection costs when everything but the work is left away.
//!
//! The native wire's frames by hand. There is no route, no guard, no session, no limit, and nothing is checked but what
//! is needed to find the next frame.

use packetboat_framing::native::Preface;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{SESSION, ours::Native};
use crate::{app::Ask, error::BoxError};

const HEADER: usize = 16;

/// A task for each connection.
pub(super) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> Result<(), BoxError> {
    let mut preface = [0; Preface::BYTES];
    stream.read_exact(&mut preface).await?;
    stream
        .write_all(&Preface::answer(Preface::client(), 128).to_bytes())
        .await?;
    let (mut bytes, mut out) = (Vec::with_capacity(64 * 1024), Vec::new());
    while stream.read_buf(&mut bytes).await? > 0 {
        let mut at = 0;
        while let Some(header) = bytes[at..].first_chunk::<HEADER>() {
            let [_, _, _, _, a, b, c, d, id @ .., _, _, _, _] = header;
            let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let Some(message) = bytes.get(at + HEADER..at + HEADER + len) else {
                break;
            };
            let ask: Ask = serde_json::from_slice(message)?;
            let start = out.len();
            out.extend_from_slice(&[2, 0, 0, 1, 0, 0, 0, 0]);
            out.extend_from_slice(id);
            out.extend_from_slice(&[0; 4]);
            serde_json::to_writer(&mut out, &ask.answer())?;
            let written = (out.len() - start - HEADER) as u32;
            out[start + 4..start + 8].copy_from_slice(&written.to_be_bytes());
            at += HEADER + len;
        }
        bytes.drain(..at);
        stream.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}

/// Asked as ours is, with a session that nobody looks at.
pub(super) async fn client(mut stream: TcpStream) -> Result<(TcpStream, Native), BoxError> {
    stream.write_all(&Preface::client().to_bytes()).await?;
    let mut preface = [0; Preface::BYTES];
    stream.read_exact(&mut preface).await?;
    Ok((stream, Native::new(SESSION, 0)))
}
