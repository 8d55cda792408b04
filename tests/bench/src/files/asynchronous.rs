//! tokio, with what is at hand there for a file.

use std::{io, path::Path};

use futures_util::StreamExt;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt, BufReader, copy, copy_buf},
    net::{TcpListener, TcpStream},
};
use tokio_util::io::ReaderStream;

use super::{DOWN, Request, UP};
use crate::{error::BoxError, served};

/// Bytes of a larger buffer than what one gets by default.
const LARGE: usize = 256 * 1024;

/// A task for each connection.
pub(super) fn serve(folder: &Path) -> Result<(), BoxError> {
    let folder = folder.to_owned();
    served::on_tokio(2, |listener: TcpListener| async move {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let folder = folder.clone();
            tokio::spawn(async move { answer(stream, &folder).await });
        }
    })
}

async fn answer(mut stream: TcpStream, folder: &Path) -> Result<(), BoxError> {
    loop {
        let len = stream.read_u32_le().await?;
        let mut message = vec![0; len as usize];
        stream.read_exact(&mut message).await?;
        let Request { way, size } = serde_json::from_slice(&message)?;
        match size {
            None => {
                let file = File::open(folder.join(DOWN)).await?;
                let len = file.metadata().await?.len().to_string();
                reply(&mut stream, len.as_bytes()).await?;
                down(&way, file, &mut stream).await?;
            }
            Some(len) => {
                let mut file = File::create(folder.join(UP)).await?;
                up(&way, &mut stream, len, &mut file).await?;
                file.sync_data().await?;
                reply(&mut stream, b"saved").await?;
            }
        }
    }
}

async fn down(way: &str, mut file: File, stream: &mut TcpStream) -> io::Result<()> {
    match way {
        "io-copy" => {
            copy(&mut file, stream).await?;
        }
        "copy-256k" => {
            file.set_max_buf_size(LARGE);
            copy_buf(&mut BufReader::with_capacity(LARGE, file), stream).await?;
        }
        "readerstream" => send(ReaderStream::new(file), stream).await?,
        _ => send(ReaderStream::with_capacity(file, LARGE), stream).await?,
    }
    Ok(())
}

/// What a body made of the stream comes to, without HTTP around it.
async fn send(mut pieces: ReaderStream<File>, stream: &mut TcpStream) -> io::Result<()> {
    while let Some(piece) = pieces.next().await {
        stream.write_all(&piece?).await?;
    }
    Ok(())
}

async fn up(way: &str, stream: &mut TcpStream, len: u64, file: &mut File) -> io::Result<()> {
    let body = stream.take(len);
    match way {
        "io-copy" => copy(&mut { body }, file).await?,
        _ => {
            file.set_max_buf_size(LARGE);
            copy_buf(&mut BufReader::with_capacity(LARGE, body), file).await?
        }
    };
    file.flush().await
}

async fn reply(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let len = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream
        .write_all(&[&len.to_le_bytes(), message].concat())
        .await
}
