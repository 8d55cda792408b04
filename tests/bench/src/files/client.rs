//! Who fetches and brings the file: blocking calls for all. What comes is read and thrown away.

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use packetboat_framing::native::{Codec, Flags, FrameHeader, Kind, Preface, type_hash};
use rustix::net::{SendFlags, send};

use super::{
    Request,
    wire::{frame, message, reply, send_file, send_part},
};
use crate::{
    app::{Size, Welcome},
    error::BoxError,
};

/// Room for what comes.
const ROOM: usize = 1 << 20;
/// Credit for a file that comes, the most that the wire has.
const CREDIT: u32 = 16 << 20;
/// The most bytes in a frame of a file that leaves.
const FRAME: u64 = 1 << 20;

/// Hears the bytes of a file that comes.
pub(super) type Look<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), BoxError>;

/// A hand-written server.
pub(super) struct Plain {
    stream: TcpStream,
    way: &'static str,
}

impl Plain {
    pub(super) fn connect(address: SocketAddr, way: &'static str) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, way })
    }

    pub(super) fn down(&mut self, look: Look<'_>) -> Result<(), BoxError> {
        self.ask(None)?;
        let len = message(&mut self.stream)?.ok_or("the server left")?;
        read_file(&mut self.stream, serde_json::from_slice(&len)?, look)
    }

    pub(super) fn up(&mut self, file: &File) -> Result<(), BoxError> {
        let len = file.metadata()?.len();
        self.ask(Some(len))?;
        send_file(&self.stream, file, len)?;
        match message(&mut self.stream)?.as_deref() {
            Some(b"saved") => Ok(()),
            other => Err(format!("unexpected reply {other:?}").into()),
        }
    }

    fn ask(&mut self, size: Option<u64>) -> Result<(), BoxError> {
        let way = self.way.to_owned();
        let request = serde_json::to_vec(&Request { way, size })?;
        Ok(reply(&mut self.stream, &request)?)
    }
}

/// Ours on the classic wire.
pub(super) struct Classic {
    stream: TcpStream,
    session: String,
}

impl Classic {
    pub(super) fn connect(address: SocketAddr) -> Result<Self, BoxError> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        reply(&mut stream, br#"{"type":"login","name":"Ann"}"#)?;
        let welcome = message(&mut stream)?.ok_or("the server left")?;
        let Welcome { session } = serde_json::from_slice(&welcome)?;
        Ok(Self { stream, session })
    }

    pub(super) fn down(&mut self, look: Look<'_>) -> Result<(), BoxError> {
        let session = &self.session;
        let request = format!(r#"{{"type":"down","session":"{session}","digest":false}}"#);
        reply(&mut self.stream, request.as_bytes())?;
        let size = message(&mut self.stream)?.ok_or("the server left")?;
        let Size { file_size } = serde_json::from_slice(&size)?;
        read_file(&mut self.stream, file_size, look)
    }

    pub(super) fn up(&mut self, file: &File) -> Result<(), BoxError> {
        let (session, len) = (&self.session, file.metadata()?.len());
        let request = format!(r#"{{"type":"up","session":"{session}","file_size":{len}}}"#);
        self.stream.write_all(&frame(request.as_bytes())?)?;
        send_file(&self.stream, file, len)?;
        let answer = message(&mut self.stream)?.ok_or("the server left")?;
        saved(&answer)
    }
}

/// Ours on the native wire.
pub(super) struct Native {
    stream: TcpStream,
    session: String,
    last: u32,
    buffer: Vec<u8>,
}

impl Native {
    pub(super) fn connect(address: SocketAddr) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut native = Self {
            stream,
            session: String::new(),
            last: 0,
            buffer: vec![0; ROOM],
        };
        native.stream.write_all(&Preface::client().to_bytes())?;
        native.request("login", br#"{"type":"login","name":"Ann"}"#, None)?;
        native.stream.read_exact(&mut [0; Preface::BYTES])?;
        let (_, welcome) = native.frame()?;
        let Welcome { session } = serde_json::from_slice(&welcome)?;
        native.session = session;
        Ok(native)
    }

    /// With `digest` the server sends along the one that it has kept.
    pub(super) fn down(&mut self, digest: bool, look: Look<'_>) -> Result<(), BoxError> {
        let session = &self.session;
        let request = format!(r#"{{"type":"down","session":"{session}","digest":{digest}}}"#);
        self.request("down", request.as_bytes(), None)?;
        self.credit(CREDIT)?;
        let (header, reply) = self.frame()?;
        match header.flags.contains(Flags::ATTACHMENT) {
            true => self.data(look),
            false => Err(String::from_utf8_lossy(&reply).into()),
        }
    }

    /// Reads frames of a file to their end, and gives credit for half of it at a time.
    fn data(&mut self, look: Look<'_>) -> Result<(), BoxError> {
        let (mut head, mut have, mut left, mut read) = ([0; FrameHeader::BYTES], 0, 0, 0);
        loop {
            let n = self.stream.read(&mut self.buffer)?;
            if n == 0 {
                return Err("the server left in mid-file".into());
            }
            let mut at = 0;
            while at < n {
                if left == 0 {
                    let part = (head.len() - have).min(n - at);
                    head[have..have + part].copy_from_slice(&self.buffer[at..at + part]);
                    (have, at) = (have + part, at + part);
                    if have < head.len() {
                        break;
                    }
                    have = 0;
                    let header = FrameHeader::read(&head)?;
                    match header.kind {
                        Kind::Data => left = header.length as usize,
                        // Whether anybody is here, which the next frame says.
                        Kind::Ping => {}
                        // The digest that was announced may stand in it once more.
                        Kind::End => {
                            let behind = (header.length as usize).saturating_sub(n - at);
                            self.stream.read_exact(&mut self.buffer[..behind])?;
                            return Ok(());
                        }
                        _ => return Err(format!("unexpected {header:?}").into()),
                    }
                } else {
                    let part = left.min(n - at);
                    look(&self.buffer[at..at + part])?;
                    (left, at) = (left - part, at + part);
                    read += part as u32;
                }
            }
            if read >= CREDIT / 2 {
                self.credit(std::mem::take(&mut read))?;
            }
        }
    }

    /// With a digest the server verifies it.
    pub(super) fn up(&mut self, file: &File, digest: Option<&[u8; 32]>) -> Result<(), BoxError> {
        let (session, len) = (&self.session, file.metadata()?.len());
        let request = format!(r#"{{"type":"up","session":"{session}","file_size":{len}}}"#);
        let mut block = [&[2, 8][..], &len.to_be_bytes()].concat();
        if let Some(digest) = digest {
            block.extend_from_slice(&[4, 32]);
            block.extend_from_slice(digest);
        }
        self.request("up", request.as_bytes(), Some(&block))?;
        let (mut at, mut credit) = (0, 0);
        while at < len {
            if credit == 0 {
                let (header, message) = self.frame()?;
                match header.kind {
                    Kind::Credit => credit += u64::from(header.argument),
                    _ => return Err(String::from_utf8_lossy(&message).into()),
                }
                continue;
            }
            let n = credit.min(len - at).min(FRAME);
            let header = FrameHeader {
                length: n as u32,
                ..FrameHeader::control(Kind::Data, self.last, 0)
            };
            // Held back by the system until the file's bytes come.
            send(&self.stream, &header.to_bytes(), SendFlags::MORE)?;
            send_part(&self.stream, file, at, n)?;
            (at, credit) = (at + n, credit - n);
        }
        let end = FrameHeader::control(Kind::End, self.last, 0);
        self.stream.write_all(&end.to_bytes())?;
        loop {
            let (header, message) = self.frame()?;
            if header.kind != Kind::Credit {
                return saved(&message);
            }
        }
    }

    fn request(
        &mut self,
        name: &str,
        message: &[u8],
        block: Option<&[u8]>,
    ) -> Result<(), BoxError> {
        self.last += 1;
        let mut flags = Flags::NONE;
        let mut body = Vec::new();
        if let Some(block) = block {
            flags = Flags(Flags::EXTENDED.0 | Flags::ATTACHMENT.0);
            body.extend_from_slice(&u16::try_from(block.len())?.to_be_bytes());
            body.extend_from_slice(block);
        }
        body.extend_from_slice(message);
        let header = FrameHeader {
            flags,
            codec: Codec::JSON,
            length: u32::try_from(body.len())?,
            ..FrameHeader::control(Kind::Message, self.last, type_hash(name))
        };
        Ok(self
            .stream
            .write_all(&[&header.to_bytes(), &body[..]].concat())?)
    }

    fn credit(&mut self, bytes: u32) -> Result<(), BoxError> {
        let credit = FrameHeader::control(Kind::Credit, self.last, bytes);
        Ok(self.stream.write_all(&credit.to_bytes())?)
    }

    /// The next frame, which is no data, and its message without extension fields. A ping is
    /// answered by the next frame that is sent.
    fn frame(&mut self) -> Result<(FrameHeader, Vec<u8>), BoxError> {
        let header = loop {
            let mut header = [0; FrameHeader::BYTES];
            self.stream.read_exact(&mut header)?;
            let header = FrameHeader::read(&header)?;
            if header.kind != Kind::Ping {
                break header;
            }
        };
        let mut body = vec![0; header.length as usize];
        self.stream.read_exact(&mut body)?;
        if header.flags.contains(Flags::EXTENDED)
            && let Some((len, rest)) = body.split_first_chunk()
        {
            let block = usize::from(u16::from_be_bytes(*len));
            body = rest
                .get(block..)
                .ok_or("a block that is too long")?
                .to_vec();
        }
        Ok((header, body))
    }
}

fn read_file(stream: &mut TcpStream, len: u64, look: Look<'_>) -> Result<(), BoxError> {
    let mut buffer = vec![0; ROOM];
    let mut left = len;
    while left > 0 {
        let max = buffer.len().min(usize::try_from(left)?);
        let n = stream.read(&mut buffer[..max])?;
        if n == 0 {
            return Err("the server left in mid-file".into());
        }
        look(&buffer[..n])?;
        left -= n as u64;
    }
    Ok(())
}

fn saved(answer: &[u8]) -> Result<(), BoxError> {
    let answer = String::from_utf8_lossy(answer);
    match answer.contains("\"saved\"") {
        true => Ok(()),
        false => Err(answer.into()),
    }
}
