//! What an idle connection costs the server in memory.
//!
//! Each connection has been answered once and then says nothing. What is counted is the growth of the server's resident
//! memory from the first tenth of the connections to the last, so that neither the program itself nor its first buffers
//! count. Each work has a server of its own.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use packetboat_framing::native::{Codec, FrameHeader, Kind, Preface, type_hash};
use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::{
    error::BoxError,
    machine::{self, End},
    served::Served,
    statistics::{median, rounded},
};

/// Connections from one address. A system has some 28,000 ports for them by default.
const PER_ADDRESS: usize = 5_000;
/// How long the server has to put away what it needed for the last replies.
const SETTLE: Duration = Duration::from_millis(300);

/// Options of `idle`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many rounds. Memory varies little.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many connections. May be given several times.
    #[arg(long, default_values_t = [1_000, 10_000])]
    connections: Vec<usize>,
    /// Prints one JSON object a line, and no table.
    #[arg(long)]
    json: bool,
}

/// What a connection has done before it went idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// Asked something on the classic wire.
    Plain,
    /// Logged in there.
    Session,
    /// Asked something on the native wire.
    Native,
    /// Logged in there.
    NativeSession,
    /// Asked something in a text message of a WebSocket.
    Text,
    /// Logged in there.
    TextSession,
    /// Asked something on the native wire in a WebSocket.
    Binary,
}

/// Measures, and prints a line for each work.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    machine::pin(End::Client);
    machine::raise_descriptors()?;
    if !args.json {
        println!("{}\n", machine::line());
        println!("{:<22} {:>16}", "connections", "KiB for each");
    }
    for &connections in &args.connections {
        for (name, done) in [
            ("plain", Done::Plain),
            ("session", Done::Session),
            ("native", Done::Native),
            ("native-session", Done::NativeSession),
            ("text", Done::Text),
            ("text-session", Done::TextSession),
            ("binary", Done::Binary),
        ] {
            let mut slopes = Vec::with_capacity(args.rounds);
            for _ in 0..args.rounds {
                let slope = slope(connections, done);
                slopes.push(slope?);
            }
            let (work, kib) = (format!("{connections}/{name}"), median(&slopes) / 1024.0);
            if args.json {
                println!(
                    "{}",
                    json!({"bench": "idle", "work": work, "unit": "KiB", "value": rounded(kib)})
                );
            } else {
                println!("{work:<22} {kib:>16.2}");
            }
        }
    }
    Ok(())
}

/// Bytes of the server for each connection beyond the first tenth.
fn slope(connections: usize, done: Done) -> Result<f64, BoxError> {
    let mut server = Served::start(&["serve-app", "."])?;
    let mut open = Vec::with_capacity(connections);
    let mut resident = [0; 2];
    let counts = [connections / 10, connections];
    for (count, resident) in counts.into_iter().zip(&mut resident) {
        while open.len() < count {
            let source = 2 + u8::try_from(open.len() / PER_ADDRESS)?;
            open.push(connect(source, server.address, done)?);
        }
        let mut cpu = server.cpu()?;
        loop {
            thread::sleep(SETTLE);
            let now = server.cpu()?;
            // A look at the clock costs a few microseconds.
            if now - cpu < Duration::from_millis(1) {
                break;
            }
            cpu = now;
        }
        *resident = server
            .process()
            .resident()
            .map_err(|error| error.to_string())?;
    }
    let more = (counts[1] - counts[0]) as f64;
    Ok((resident[1] as f64 - resident[0] as f64) / more)
}

/// A connection that has been answered.
fn connect(source: u8, address: SocketAddr, done: Done) -> Result<TcpStream, BoxError> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, source), 0));
    socket.bind(&source.into())?;
    // Reset in the end, so that tens of thousands leave no port waiting for the next round.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.connect(&address.into())?;
    let mut stream = TcpStream::from(socket);
    let (name, message) = match done {
        Done::Plain | Done::Native | Done::Text | Done::Binary => {
            ("hello", &br#"{"type":"hello","id":1}"#[..])
        }
        Done::Session | Done::NativeSession | Done::TextSession => {
            ("login", &br#"{"type":"login","name":"Ann"}"#[..])
        }
    };
    let len = message.len() as u32;
    if let Done::Text | Done::TextSession | Done::Binary = done {
        upgrade(&mut stream)?;
    }
    match done {
        Done::Plain | Done::Session => {
            stream.write_all(&[&len.to_le_bytes(), message].concat())?;
            let mut len = [0; 4];
            stream.read_exact(&mut len)?;
            answer(&mut stream, u32::from_le_bytes(len))?;
        }
        Done::Text | Done::TextSession => {
            stream.write_all(&masked(0x81, message))?;
            let len = piece(&mut stream)?;
            answer(&mut stream, len)?;
        }
        Done::Binary => {
            let header = FrameHeader {
                codec: Codec::JSON,
                length: len,
                ..FrameHeader::control(Kind::Message, 1, type_hash(name))
            };
            let hello = Preface::client().to_bytes();
            let bytes = [&hello[..], &header.to_bytes(), message].concat();
            stream.write_all(&masked(0x82, &bytes))?;
            let len = piece(&mut stream)? as usize;
            let mut bytes = vec![0; len];
            stream.read_exact(&mut bytes)?;
            if !String::from_utf8_lossy(&bytes).contains("\"id\":1") {
                return Err(format!("answered with {bytes:02x?}").into());
            }
        }
        Done::Native | Done::NativeSession => {
            let header = FrameHeader {
                codec: Codec::JSON,
                length: len,
                ..FrameHeader::control(Kind::Message, 1, type_hash(name))
            };
            let hello = Preface::client().to_bytes();
            stream.write_all(&[&hello[..], &header.to_bytes(), message].concat())?;
            stream.read_exact(&mut [0; Preface::BYTES])?;
            let mut header = [0; FrameHeader::BYTES];
            stream.read_exact(&mut header)?;
            let header = FrameHeader::read(&header)?;
            if header.kind != Kind::Reply {
                return Err(format!("answered with {header:?}").into());
            }
            answer(&mut stream, header.length)?;
        }
    }
    Ok(stream)
}

/// Opens a WebSocket.
fn upgrade(stream: &mut TcpStream) -> Result<(), BoxError> {
    stream.write_all(
        b"GET /socket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    match head.starts_with(b"HTTP/1.1 101 ") {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&head).into()),
    }
}

/// A frame of a client. A mask of zeros changes nothing.
fn masked(kind: u8, message: &[u8]) -> Vec<u8> {
    let len = u8::try_from(message.len()).expect("a short message");
    assert!(len < 126, "a short message");
    [&[kind, 0x80 | len, 0, 0, 0, 0], message].concat()
}

/// The length of the server's next frame.
fn piece(stream: &mut TcpStream) -> Result<u32, BoxError> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    match head[1] {
        len @ ..126 => Ok(u32::from(len)),
        _ => Err("a long frame".into()),
    }
}

/// Reads a reply of such a length, which must be the one that was asked for.
fn answer(stream: &mut TcpStream, len: u32) -> Result<(), BoxError> {
    let mut message = vec![0; len as usize];
    stream.read_exact(&mut message)?;
    let message = String::from_utf8(message)?;
    match message.contains("session") || message.contains("\"id\":1") {
        true => Ok(()),
        false => Err(message.into()),
    }
}
