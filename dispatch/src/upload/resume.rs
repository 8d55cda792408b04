//! An upload that goes on where an earlier one was cut.

use std::io::{self, Write};
use std::path::Path;

use packetboat_framing::native::{Digest, Groups, Verifier};
use packetboat_framing::{Body, BodyExt, Error, PartFile, Parts, TempFile};

use crate::upload::Upload;

/// Whether a file of that size can be gone on with: one of a single group begins again.
pub(crate) fn can_be_resumed(len: u64) -> bool {
    len > Groups::BYTES
}

/// How a body is received.
pub(crate) enum Way {
    /// From where its part ends.
    Part(PartFile, Digest),
    /// From its beginning, to become what the digest says, if one was stated.
    Whole(Option<Digest>),
}

impl Upload {
    /// Saves it as the file `path` and returns once it is durable, like
    /// [`BodyExt::save`](packetboat_framing::BodyExt::save), but goes on where an earlier upload
    /// with this key was cut. Gives its length.
    ///
    /// The key is the application's: who uploads, and what, which may be the digest that the
    /// request states or an idempotency key. Nobody should be able to take up the part of somebody
    /// else. If the connection is lost the part stays in the folder of `parts`, which has to be on
    /// the file system of `path`.
    ///
    /// Only a native client that states the digest, and that the upload is RESUMABLE, can leave out
    /// what is there. Anything else is saved from its beginning, and leaves no part.
    ///
    /// ```no_run
    /// # use packetboat_dispatch::{Message, Parts, Rejection, State, Upload};
    /// # use serde::Deserialize;
    /// # #[derive(Deserialize, Message)]
    /// # #[message(type = "upload", reply = (), attachment = "file_size")]
    /// # struct UploadFile { file_size: u64, file_id: String }
    /// async fn upload(
    ///     State(parts): State<Parts>,
    ///     mut body: Upload,
    ///     request: UploadFile,
    /// ) -> Result<(), Rejection> {
    ///     body.save_resumable(&parts, &request.file_id, "/srv/blobs/4711").await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive_resumable`](Self::receive_resumable).
    ///
    /// # Cancel safety
    ///
    /// The file is there whole or not at all. The part stays, without its last bytes.
    pub async fn save_resumable(
        &mut self,
        parts: &Parts,
        key: impl AsRef<[u8]>,
        path: impl AsRef<Path>,
    ) -> Result<u64, Error> {
        let (file, _) = self.receive_resumable(parts, key, path).await?;
        let len = file.len();
        file.persist().await?;
        Ok(len)
    }

    /// As [`save_resumable`](Self::save_resumable), stopping before the rename. Gives the file,
    /// verified, synced and invisible, and its digest; the caller then calls
    /// [`TempFile::persist`], or drops it and with it the part.
    ///
    /// # Errors
    ///
    /// [`Error::PartInUse`] while another upload with this key is under way: two at once would
    /// write over each other, and the client tries again. [`Error::DigestMismatch`], which removes
    /// the part. As [`Body::gather`](packetboat_framing::Body::gather), which leaves it, and the
    /// disk's as [`Error::Io`]. The first turns into
    /// [`PART_IN_USE`](crate::rejection::code::PART_IN_USE).
    ///
    /// # Cancel safety
    ///
    /// As [`save_resumable`](Self::save_resumable).
    pub async fn receive_resumable(
        &mut self,
        parts: &Parts,
        key: impl AsRef<[u8]>,
        path: impl AsRef<Path>,
    ) -> Result<(TempFile, Digest), Error> {
        let way = self.way(parts, key.as_ref()).await?;
        way.receive(self, path.as_ref(), |_| ()).await
    }

    /// Decides how it is received, and has it begin there.
    pub(crate) async fn way(&mut self, parts: &Parts, key: &[u8]) -> Result<Way, Error> {
        if self.taken > 0 || self.verify.as_ref().is_some_and(|v| v.hashed > 0) {
            let offset = self.taken;
            return Err(Error::NotResumable { offset });
        }
        // What follows hashes on the blocking pool.
        let digest = self.verify.take().map(|verify| verify.digest);
        let begun = self.shared.lock().wanted;
        let (Some(digest), true) = (digest, self.resumable && !begun && can_be_resumed(self.len))
        else {
            return Ok(Way::Whole(digest));
        };
        let part = parts.begin(key, self.len, digest).await?;
        self.taken = part.position();
        let mut slot = self.shared.lock();
        slot.from = Some(self.taken);
        slot.wanted = true;
        self.shared.ring(&mut slot);
        drop(slot);
        Ok(Way::Part(part, digest))
    }
}

impl Way {
    /// Receives a body that begins where this says.
    pub(crate) async fn receive<B: Body>(
        self,
        body: &mut B,
        path: &Path,
        mut progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<(TempFile, Digest), Error> {
        let expected = match self {
            Self::Part(part, digest) => {
                let file = part.receive(body, path, progress).await?;
                return Ok((file, digest));
            }
            Self::Whole(expected) => expected,
        };
        progress(0);
        let tee = Tee {
            verifier: Verifier::new(),
            progress,
        };
        let (file, tee) = body.receive(path, tee).await?;
        let verifier = tee.verifier;
        if let Some(expected) = expected {
            verifier.check(expected)?;
        }
        let digest = verifier.digest();
        Ok((file, digest.expect("it has seen the whole")))
    }
}

/// Hashes what passes, and tells how far it is.
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
