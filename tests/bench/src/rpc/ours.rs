//! Ours, on both wires, and asked by our own client.

use std::net::SocketAddr;

use packetboat_dispatch::NativeClient;
use packetboat_framing::native::{Codec, FrameHeader, Kind, Preface, type_hash};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Asker, ID, NAME, Work, load::Library, load::Wire, request};
use crate::{
    app::{Ask, Login, Welcome},
    error::BoxError,
};

const LOGIN: &[u8] = br#"{"type":"login","name":"Ann"}"#;

/// The native wire.
pub(super) struct Native {
    header: FrameHeader,
    message: String,
}

impl Native {
    /// Asks in a session.
    pub(super) fn new(session: &str, last: u32) -> Self {
        let message = request(session);
        let header = FrameHeader {
            codec: Codec::JSON,
            length: message.len() as u32,
            ..FrameHeader::control(Kind::Message, last, type_hash("ask"))
        };
        Self { header, message }
    }
}

impl Wire for Native {
    fn ask(&mut self, out: &mut Vec<u8>) {
        self.header.request += 1;
        out.extend_from_slice(&self.header.to_bytes());
        out.extend_from_slice(self.message.as_bytes());
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<Option<usize>, BoxError> {
        Ok(native_reply(bytes)?.map(|message| FrameHeader::BYTES + message.len()))
    }
}

/// The first message, if it is all there.
fn native_reply(bytes: &[u8]) -> Result<Option<&[u8]>, BoxError> {
    let Some(header) = bytes.first_chunk() else {
        return Ok(None);
    };
    let header = FrameHeader::read(header)?;
    let behind = &bytes[FrameHeader::BYTES..];
    let Some(message) = behind.get(..header.length as usize) else {
        return Ok(None);
    };
    match header.kind {
        Kind::Reply => Ok(Some(message)),
        _ => Err(format!("{header:?}: {}", String::from_utf8_lossy(message)).into()),
    }
}

/// Logs in.
pub(super) async fn native(mut stream: TcpStream) -> Result<(TcpStream, Native), BoxError> {
    let header = FrameHeader {
        codec: Codec::JSON,
        length: LOGIN.len() as u32,
        ..FrameHeader::control(Kind::Message, 1, type_hash("login"))
    };
    let hello = [&Preface::client().to_bytes()[..], &header.to_bytes(), LOGIN].concat();
    stream.write_all(&hello).await?;
    let mut back = Vec::new();
    loop {
        if stream.read_buf(&mut back).await? == 0 {
            return Err("the server left".into());
        }
        if let Some(behind) = back.get(Preface::BYTES..)
            && let Some(message) = native_reply(behind)?
        {
            let welcome: Welcome = serde_json::from_slice(message)?;
            return Ok((stream, Native::new(&welcome.session, 1)));
        }
    }
}

/// The classic wire.
pub(super) struct Classic(Vec<u8>);

impl Wire for Classic {
    fn ask(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<Option<usize>, BoxError> {
        let Some(message) = classic_reply(bytes) else {
            return Ok(None);
        };
        if message.starts_with(br#"{"flag":true"#) {
            Ok(Some(4 + message.len()))
        } else {
            Err(String::from_utf8_lossy(message).into())
        }
    }
}

fn classic_reply(bytes: &[u8]) -> Option<&[u8]> {
    let (len, behind) = bytes.split_first_chunk()?;
    behind.get(..u32::from_le_bytes(*len) as usize)
}

fn classic_frame(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_le_bytes(), message].concat()
}

/// Logs in.
pub(super) async fn classic(mut stream: TcpStream) -> Result<(TcpStream, Classic), BoxError> {
    stream.write_all(&classic_frame(LOGIN)).await?;
    let mut back = Vec::new();
    loop {
        if stream.read_buf(&mut back).await? == 0 {
            return Err("the server left".into());
        }
        if let Some(message) = classic_reply(&back) {
            let welcome: Welcome = serde_json::from_slice(message)?;
            let ask = classic_frame(request(&welcome.session).as_bytes());
            return Ok((stream, Classic(ask)));
        }
    }
}

/// Our own client.
pub(super) async fn own_client(address: SocketAddr, work: Work) -> Result<impl Asker, BoxError> {
    let mut clients = Vec::new();
    for _ in 0..work.connections() {
        let client = NativeClient::connect(address).await?;
        let name = "Ann".to_owned();
        client.call(Login { name }).await?;
        clients.push(client);
    }
    Ok(Library::new(
        clients,
        work,
        |client: NativeClient| async move {
            let ask = Ask {
                id: ID,
                name: NAME.to_owned(),
            };
            match client.call(ask).await?.id {
                ID => Ok(()),
                other => Err(format!("an answer to {other}").into()),
            }
        },
    ))
}
