//! The client: a line or a file, and what comes back.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    time::Instant,
};

use packetboat_framing::{
    BodyExt, Error, Limits, Source,
    classic::{self, Classic, Rule},
};
use tokio::net::{
    TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use crate::messages::{Echo, attachment};

/// Sends a line and prints what comes back.
pub(crate) async fn line(to: &str, text: &str) -> Result<(), Error> {
    let mut server = connect(to).await?;
    let line = Echo::Line {
        text: text.to_owned(),
    };
    server
        .writer
        .send_with(Source::bytes(""), |out| serde_json::to_writer(out, &line))
        .await?;
    match expect(&mut server).await? {
        Echo::Line { text } => println!("{text}"),
        Echo::File { .. } => return Err(io::Error::other("a file came back for a line").into()),
    }
    Ok(())
}

/// Sends a file, saves what comes back and compares the two on the way.
pub(crate) async fn file(to: &str, file: &Path, save: &Path) -> Result<(), Error> {
    let mut server = connect(to).await?;
    let (source, start) = (Source::open(file).await?, Instant::now());
    let size = source.len();
    server
        .writer
        .send_with(source, |out| {
            serde_json::to_writer(out, &Echo::File { size })
        })
        .await?;
    if expect(&mut server).await? != (Echo::File { size }) {
        return Err(io::Error::other("something else came back").into());
    }
    let same = Same {
        original: File::open(file)?,
        piece: Vec::new(),
    };
    let (back, _) = server.body().receive(save, same).await?;
    back.persist().await?;
    let rate = size as f64 / 1e6 / start.elapsed().as_secs_f64();
    println!(
        "{size} bytes there and back, the same, {rate:.0} MB/s, saved as {}",
        save.display()
    );
    Ok(())
}

type Server<F> = Classic<OwnedReadHalf, OwnedWriteHalf, F>;

async fn connect(to: &str) -> Result<Server<impl Rule>, Error> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    Ok(classic::client(read, write, &Limits::classic(), attachment))
}

async fn expect<F: Rule>(server: &mut Server<F>) -> Result<Echo, Error> {
    let closed = || Error::Io(io::ErrorKind::UnexpectedEof.into());
    let reply = server.receive().await?.ok_or_else(closed)?;
    serde_json::from_slice(reply.message).map_err(|e| Error::Io(e.into()))
}

/// Compares what is written to it with a file, as a tee of what is saved.
struct Same {
    original: File,
    piece: Vec<u8>,
}

impl Write for Same {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.resize(bytes.len(), 0);
        self.original.read_exact(&mut self.piece)?;
        match self.piece == bytes {
            true => Ok(bytes.len()),
            false => Err(io::Error::other("what came back is not what was sent")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
