//! One request out, one reply in.

use std::time::Duration;

use packetboat_framing::{self as framing, Prefix, Reader, Source, Writer};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::client::config::ClientBuilder;
use crate::client::error::{ClientError, Wait};
use crate::client::{Client, request};
use crate::message::Message;
use crate::shape::Shape;

/// After a write that failed: how long an answer that was sent before the server closed may take to
/// be read. It is here already, or lost.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl<Sh, R, W> Client<Sh, R, W>
where
    Sh: Shape,
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    /// A client on the two halves of a connection.
    pub(super) fn from_halves(reader: R, writer: W, builder: ClientBuilder<Sh>) -> Self {
        let ClientBuilder {
            shape,
            mut limits,
            timeouts,
        } = builder;
        // How long to wait is decided here, call by call, and not by the frames.
        limits.min_body_rate = 0;
        limits.write_time = timeouts.progress;
        let mut reader = Reader::new(reader, Prefix::CLASSIC, &limits);
        reader.set_idle_counts(false);
        reader.set_logged_in(true);
        Self {
            reader,
            writer: Writer::new(writer, Prefix::CLASSIC, &limits),
            shape,
            timeouts,
            drain_bytes: limits.drain_bytes,
            session: None,
            poisoned: false,
        }
    }

    /// Sends a message, with a file or without, and reads the reply. If a file follows that, the
    /// reader then stands in it.
    pub(super) async fn exchange<M>(
        &mut self,
        message: &M,
        file: Option<Source>,
        progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        if self.poisoned {
            return Err(ClientError::Poisoned);
        }
        let request = request::encode(message, self.session.as_ref())
            .map_err(|e| ClientError::Message(request::unserialisable(e)))?;
        let len = file.as_ref().map_or(0, Source::len);
        if let Some(field) = M::ATTACHMENT {
            let stated = request::size(&request, field);
            if stated != Some(len) {
                return Err(ClientError::SizeMismatch { stated, len });
            }
        }
        // From here to the reply's last byte a dropped call leaves the stream in between.
        self.poisoned = true;
        self.reader.settle().await.map_err(ClientError::Frame)?;
        if let Err(error) = self.writer.encode(&request, len) {
            // Nothing was queued.
            self.poisoned = false;
            return Err(ClientError::Message(error));
        }
        if let Some(file) = file {
            self.writer.attach(file).map_err(ClientError::Source)?;
        }
        self.send(len, progress).await?;
        let reply = self.receive::<M>().await;
        let sane = match &reply {
            Ok(_) => true,
            Err(error) => !error.is_fatal(),
        };
        if sane && self.send_rest().await {
            self.poisoned = false;
        }
        reply
    }

    /// Sends what is queued, until all has gone or the server begins to answer.
    async fn send(
        &mut self,
        len: u64,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<(), ClientError> {
        let after = self.timeouts.progress;
        loop {
            let step = tokio::select! {
                biased;
                answer = self.reader.fill() => match answer {
                    Ok(0) => return Err(ClientError::Closed),
                    Ok(_) => return Ok(()),
                    Err(error) => return Err(ClientError::Frame(error)),
                },
                step = timeout(after, self.writer.step()) => step,
            };
            match step {
                Ok(Ok(false)) => return Ok(()),
                Ok(Ok(true)) if len > 0 => progress(len - self.writer.attachment_left()),
                Ok(Ok(true)) => {}
                Ok(Err(error)) => return self.last_words(error).await,
                Err(_) => {
                    let wait = Wait::Progress;
                    return Err(ClientError::Timeout { wait, after });
                }
            }
        }
    }

    /// The server takes no more: it may have answered before it closed.
    async fn last_words(&mut self, error: framing::Error) -> Result<(), ClientError> {
        use framing::Error::{SourceTooLong, SourceTooShort, WriteTimeout};
        match error {
            SourceTooLong { .. } | SourceTooShort { .. } => Err(ClientError::Source(error)),
            WriteTimeout { after } => {
                let wait = Wait::Progress;
                Err(ClientError::Timeout { wait, after })
            }
            _ => match timeout(LAST_WORDS, self.reader.fill()).await {
                Ok(Ok(1..)) => Ok(()),
                _ => Err(ClientError::Frame(error)),
            },
        }
    }

    /// Reads the reply and announces the file behind it to the reader.
    async fn receive<M>(&mut self) -> Result<M::Reply, ClientError>
    where
        M: Message,
        M::Reply: DeserializeOwned,
    {
        let after = self.timeouts.reply;
        let message = match timeout(after, self.reader.message()).await {
            Ok(message) => message.map_err(ClientError::Frame)?,
            Err(_) => {
                let wait = Wait::Reply;
                return Err(ClientError::Timeout { wait, after });
            }
        };
        let bytes = message.ok_or(ClientError::Closed)?.bytes;
        let reply = self.shape.decode::<M::Reply>(bytes);
        if let Ok(Err(rejection)) = &reply {
            return Err(ClientError::Rejected {
                code: rejection.code().to_owned(),
                text: rejection.text().to_owned(),
            });
        }
        if let Some(session) = request::session(bytes) {
            self.session = Some(session);
        }
        if let Some(field) = M::REPLY_ATTACHMENT {
            let Some(len) = request::size(bytes, field) else {
                // How many bytes follow is not known, so the next frame cannot be found.
                let what = format!("the reply to `{}` has no size in `{field}`", M::TYPE);
                let error = serde_json::Error::custom(what);
                return Err(ClientError::Frame(request::unserialisable(error)));
            };
            self.reader.attachment(len).map_err(ClientError::Frame)?;
        }
        match reply {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => unreachable!("a rejection was returned above"),
            Err(source) => Err(ClientError::Reply {
                message_type: M::TYPE,
                source,
            }),
        }
    }

    /// The server answered before the file was through: a short rest is sent for it to throw away,
    /// which keeps the connection. `false` if the connection is lost.
    async fn send_rest(&mut self) -> bool {
        if self.writer.attachment_left() > self.drain_bytes {
            return false;
        }
        let after = self.timeouts.progress;
        while let Ok(Ok(more)) = timeout(after, self.writer.step()).await {
            if !more {
                return true;
            }
        }
        false
    }
}
