//! One call, on its caller's side.

use std::time::Duration;

use packetboat_framing::Source;
use packetboat_framing::native::{Digest, type_hash};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::bell::RingOnDrop;
use crate::client::error::{ClientError, Wait};
use crate::client::native::{NativeBody, NativeClient};
use crate::client::request;
use crate::idempotency::IdempotencyKey;
use crate::message::Message;
use crate::upload::{Upload, upload};

/// A call on its way to the connection's task.
pub(super) struct Call {
    /// What it is called between the two.
    pub(super) name: u32,
    pub(super) message_type: u32,
    pub(super) message: Vec<u8>,
    pub(super) file: Option<Source>,
    pub(super) key: Option<IdempotencyKey>,
    /// What the file has to be in the end; the server may then have some of it already.
    pub(super) digest: Option<Digest>,
    /// How long the caller waits for the reply, to be told to the server.
    pub(super) deadline: Option<Duration>,
    /// The field of the reply that states the size of its file.
    pub(super) reply_size: Option<&'static str>,
    /// Bytes of the file that are still to be sent.
    pub(super) left: watch::Sender<u64>,
    pub(super) answer: oneshot::Sender<Result<Answer, ClientError>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) message: Vec<u8>,
    pub(super) body: Option<Upload>,
}

impl NativeClient {
    /// Sends a message, with a file or without, and reads the reply.
    pub(in crate::client) async fn exchange<M>(
        &self,
        message: &M,
        file: Option<Source>,
        digest: Option<Digest>,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<(M::Reply, NativeBody), ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let inner = &*self.inner;
        let request = request::encode(message, inner.session().as_ref())
            .map_err(|e| ClientError::Message(request::unserialisable(e)))?;
        let len = file.as_ref().map_or(0, Source::len);
        if let Some(field) = M::ATTACHMENT {
            let stated = request::size(&request, field);
            if stated != Some(len) {
                return Err(ClientError::SizeMismatch { stated, len });
            }
        }
        let timeouts = &inner.timeouts;
        let (now_left, mut going) = watch::channel(len);
        let mut left = len;
        let (sender, mut answer) = oneshot::channel();
        let name = inner.name();
        let call = Call {
            name,
            message_type: type_hash(M::TYPE),
            message: request,
            key: self.key,
            // With a file the wait for the reply begins when that is through.
            deadline: Some(timeouts.reply).filter(|_| file.is_none()),
            file,
            digest,
            reply_size: M::REPLY_ATTACHMENT,
            left: now_left,
            answer: sender,
        };
        // Rings when this future is dropped, so that the request is cancelled.
        let on_drop = RingOnDrop::new(inner.bell.ringer(name));
        let mut until = deadline(timeouts.reply);
        tokio::select! {
            biased;
            sent = inner.calls.send(call) => sent.map_err(|_| inner.over())?,
            () = wait(until) => return Err(late(Wait::Reply, timeouts.reply)),
        }
        let mut sending = len > 0;
        if sending {
            until = deadline(timeouts.progress);
        }
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer,
                changed = going.changed(), if sending => {
                    left = *going.borrow_and_update();
                    if changed.is_ok() {
                        progress(len - left);
                    }
                    // An error: the server wants no more of the file, or it cannot be read.
                    sending = changed.is_ok() && left > 0;
                    let limit = if sending { timeouts.progress } else { timeouts.reply };
                    until = deadline(limit);
                }
                () = wait(until) => return Err(match sending {
                    true => late(Wait::Progress, timeouts.progress),
                    false => late(Wait::Reply, timeouts.reply),
                }),
            }
        };
        on_drop.forgo();
        let last = *going.borrow();
        if last != left {
            // The answer was quicker than the news of the last piece.
            progress(len - last);
        }
        let Answer { message, body } = answer.map_err(|_| inner.over())??;
        let reply = serde_json::from_slice(&message).map_err(|source| ClientError::Reply {
            message_type: M::TYPE,
            source,
        });
        if let Some(session) = request::session(&message) {
            *inner.session() = Some(session);
        }
        let body = body.unwrap_or_else(|| upload(0).0);
        Ok((reply?, NativeBody::new(body, timeouts)))
    }
}

fn deadline(after: Duration) -> Option<Instant> {
    Instant::now().checked_add(after)
}

async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn late(wait: Wait, after: Duration) -> ClientError {
    ClientError::Timeout { wait, after }
}
