//! Files that go on where they were cut, up and down.

use std::path::Path;

use packetboat_framing::native::Digest;
use packetboat_framing::{Error, Parts, Source, TempFile};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::error::ClientError;
use crate::client::native::{NativeBody, NativeClient};
use crate::message::Message;

impl NativeClient {
    /// Sends a message with a file whose BLAKE3 digest is known, and gives the reply. Where the
    /// server has kept a part of an earlier try it says so, and only the rest is sent.
    ///
    /// After a lost connection: connect, and call it again. `progress` hears how many bytes of the
    /// file have been handed to the network, with those that the server had. A source that is a
    /// reader begins anew.
    ///
    /// ```no_run
    /// # use packetboat_dispatch::{Message, client::{ClientError, NativeClient}};
    /// # use packetboat_framing::{Source, native::Digest};
    /// # #[derive(serde::Serialize, Message)]
    /// # #[message(type = "upload", reply = (), attachment = "size")] struct Upload { size: u64 }
    /// # async fn f(client: NativeClient, digest: Digest) -> Result<(), Box<dyn std::error::Error>> {
    /// let film = Source::open("film.mp4").await?;
    /// let upload = Upload { size: film.len() };
    /// client.upload(upload, film, digest, |at| println!("{at} bytes")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`call_with_file`](Self::call_with_file). A refusal `digest_mismatch` says that the file
    /// is another, `part_in_use` that the server has not noticed yet how the last try ended.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call). What the server has of the file it keeps for the next try.
    pub async fn upload<M>(
        &self,
        message: M,
        file: Source,
        digest: Digest,
        progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        const {
            assert!(
                M::ATTACHMENT.is_some(),
                "this message has no file: use `call`"
            );
            assert!(
                M::REPLY_ATTACHMENT.is_none(),
                "the reply has a file: use `call_both_ways`"
            );
        }
        let call = self.exchange(&message, Some(file), Some(digest), progress);
        call.await.map(|(reply, _)| reply)
    }

    /// Sends a message and saves the file that follows its reply as `path`, durable, and only
    /// when it is what the server's digest says. Gives the reply and the file's length.
    ///
    /// If it is cut, its part stays in the folder of `parts`, which has to be on the file system of
    /// `path`, and may be the same folder. The next call with this path goes on from there, unless
    /// the server's file has another size or digest by then: that begins anew. A file without a
    /// digest leaves no part. `progress` hears on the blocking pool how many bytes are here, first
    /// those that were.
    ///
    /// # Errors
    ///
    /// Those of [`ClientError`]. What happens behind the reply is [`ClientError::Body`].
    ///
    /// # Cancel safety
    ///
    /// The file is there whole or not at all. Its part stays, without its last bytes.
    pub async fn download<M>(
        &self,
        message: M,
        parts: &Parts,
        path: impl AsRef<Path>,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<(M::Reply, u64), ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let (reply, mut body) = self.call_for_file(message).await?;
        let path = path.as_ref();
        let key = path.as_os_str().as_encoded_bytes();
        let received = body.receive_resumable(parts, key, path, progress);
        let (file, _) = received.await.map_err(ClientError::Body)?;
        let len = file.len();
        file.persist().await.map_err(ClientError::Body)?;
        Ok((reply, len))
    }
}

impl NativeBody {
    /// Receives it as [`NativeClient::download`] does, for who has to look at the reply first, and
    /// stops before the rename. Gives the file, synced and invisible, and its digest. The key names
    /// the part.
    ///
    /// # Errors
    ///
    /// [`Error::NotResumable`] once something has been read. [`Error::PartInUse`] while another
    /// download has the part. As [`Body::gather`](packetboat_framing::Body::gather), which leaves
    /// the part. [`Error::DigestMismatch`] and the disk's, as [`Error::Io`], which remove it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the part, without its last bytes.
    pub async fn receive_resumable(
        &mut self,
        parts: &Parts,
        key: impl AsRef<[u8]>,
        path: impl AsRef<Path>,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<(TempFile, Digest), Error> {
        let way = self.body.way(parts, key.as_ref()).await?;
        way.receive(self, path.as_ref(), progress).await
    }
}
