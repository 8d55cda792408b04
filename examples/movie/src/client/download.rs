//! The file that follows a reply, whatever the server is reached by.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use packetboat_dispatch::client::{NativeBody, ReplyBody};
use packetboat_dispatch::tls;
use packetboat_dispatch::{Body, BodyExt, Chunk, Parts, TempFile};
use packetboat_framing::Error;
use packetboat_framing::native::{Digest, Verifier};
use tokio::net::tcp::OwnedReadHalf;

/// The file that follows a reply, on either wire.
#[derive(Debug)]
pub enum Download<'a> {
    /// On the classic wire it is the next thing that comes.
    Classic(ReplyBody<'a, OwnedReadHalf>),
    /// And so it is where that is encrypted.
    ClassicTls(ReplyBody<'a, tls::ReadHalf>),
    /// On the native one it comes between others.
    Native(NativeBody),
}

impl Download<'_> {
    /// Another limit for the first byte, where the reply says how long it is held back.
    pub fn set_first_byte(&mut self, limit: Option<Duration>) {
        match self {
            Self::Classic(body) => body.set_first_byte(limit),
            Self::ClassicTls(body) => body.set_first_byte(limit),
            Self::Native(body) => body.set_first_byte(limit),
        }
    }
}

impl Download<'_> {
    /// Receives it under a temporary name in the folder of `path`, and gives the file and its
    /// digest. On the native wire it goes on where an earlier download of the same file, with this
    /// key, was cut. `progress` hears how much is here.
    ///
    /// # Errors
    /// The connection's, the disk's, and [`Error::DigestMismatch`].
    pub async fn receive_resumable(
        &mut self,
        parts: &Parts,
        key: &str,
        path: &Path,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<(TempFile, Digest), Error> {
        match self {
            Self::Native(body) => body.receive_resumable(parts, key, path, progress).await,
            Self::Classic(body) => hashed(body, path, progress).await,
            Self::ClassicTls(body) => hashed(body, path, progress).await,
        }
    }
}

/// Receives a file from its beginning, hashed on the way.
async fn hashed(
    body: &mut impl Body,
    path: &Path,
    progress: impl FnMut(u64) + Send + 'static,
) -> Result<(TempFile, Digest), Error> {
    let tee = Tee {
        verifier: Verifier::new(),
        progress,
    };
    let (file, tee) = body.receive(path, tee).await?;
    let digest = tee.verifier.digest();
    Ok((file, digest.expect("it has seen the whole")))
}

/// Hashes what passes on its way to the disk, and tells how much that was.
struct Tee<P> {
    verifier: Verifier,
    progress: P,
}

impl<P: FnMut(u64)> Write for Tee<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.verifier.update(bytes);
        (self.progress)(self.verifier.position());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Body for Download<'_> {
    fn remaining(&self) -> u64 {
        match self {
            Self::Classic(body) => body.remaining(),
            Self::ClassicTls(body) => body.remaining(),
            Self::Native(body) => body.remaining(),
        }
    }

    async fn gather(&mut self) -> Result<bool, Error> {
        match self {
            Self::Classic(body) => body.gather().await,
            Self::ClassicTls(body) => body.gather().await,
            Self::Native(body) => body.gather().await,
        }
    }

    fn take(&mut self) -> Option<Chunk> {
        match self {
            Self::Classic(body) => body.take(),
            Self::ClassicTls(body) => body.take(),
            Self::Native(body) => body.take(),
        }
    }
}
