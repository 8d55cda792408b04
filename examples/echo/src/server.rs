//! The server: each connection gets back what it sends.

use std::{
    env,
    fs::File,
    io::Write,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use packetboat_framing::{BodyExt, Budget, Error, Limits, Source, classic};
use tokio::net::{TcpListener, TcpStream};

use crate::messages::attachment;

/// Serves until Ctrl-C.
pub(crate) async fn run(listen: &str) -> Result<(), Error> {
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}, Ctrl-C ends", listener.local_addr()?);
    tokio::select! {
        result = accept(&listener) => result,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Takes connections. All of them share one budget for the buffers of their files.
pub(crate) async fn accept(listener: &TcpListener) -> Result<(), Error> {
    let budget = Budget::default();
    loop {
        let (stream, peer) = listener.accept().await?;
        let budget = budget.clone();
        tokio::spawn(async move {
            match serve(stream, budget).await {
                Ok(()) => println!("{peer}: closed"),
                Err(error) => println!("{peer}: {error}"),
            }
        });
    }
}

/// One connection, from its first message to its last.
async fn serve(stream: TcpStream, budget: Budget) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let mut peer = classic::server(read, write, &Limits::classic(), attachment);
    peer.reader = peer.reader.with_budget(budget.clone());
    peer.writer = peer.writer.with_budget(budget);
    while let Some(received) = peer.receive().await? {
        let message = received.message.to_vec();
        match received.attachment {
            Some(0) => peer.writer.send(&message).await?,
            Some(_) => {
                let (file, _) = peer.body().receive(scratch(), std::io::sink()).await?;
                // Once it is open, its name is needed no more: dropping `file` removes it.
                let back = Source::file(File::open(file.temporary_path())?)?;
                drop(file);
                peer.writer
                    .send_with(back, |out| out.write_all(&message))
                    .await?;
            }
            None => {
                peer.writer
                    .send(br#"{"type": "line", "text": "pardon?"}"#)
                    .await?;
                peer.linger().await?;
                return Err(Error::AttachmentUnknown);
            }
        }
    }
    Ok(())
}

/// A path that no other connection uses. Nothing is ever seen there: the file keeps its temporary
/// name, under which a dropped one is removed.
fn scratch() -> std::path::PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("echo-{}-{count}", process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client;

    #[tokio::test]
    async fn a_line_and_a_file_come_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let to = listener.local_addr().expect("bound").to_string();
        let folder = env::temp_dir().join(format!("echo-test-{}", process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let (file, save) = (folder.join("sent"), folder.join("back"));
        std::fs::write(&file, vec![42; 3_000_000]).expect("the folder is writable");
        let play = async {
            client::line(&to, "hello").await.expect("it comes back");
            client::file(&to, &file, &save)
                .await
                .expect("it comes back");
        };
        tokio::select! {
            result = accept(&listener) => panic!("the server ended: {result:?}"),
            () = play => {}
        }
        let equal = std::fs::read(&file).expect("sent") == std::fs::read(&save).expect("saved");
        std::fs::remove_dir_all(&folder).expect("it is ours");
        assert!(equal);
    }
}
