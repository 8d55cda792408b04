//! The task that owns a client's connection.

use std::collections::HashMap;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, OnceLock};

use packetboat_framing::native::{
    Attached, Code, Event, Extensions, Moved, Outgoing, Received, Role, Transport,
};
use packetboat_framing::{Budget, Error, MessageWriter};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};

use crate::bell::Bell;
use crate::client::config::ClientBuilder;
use crate::client::error::ClientError;
use crate::client::native::call::{Answer, Call};
use crate::client::native::pushes::Inbox;
use crate::client::request;
use crate::upload::{Feed, can_be_resumed, upload_with_bell};

pub(super) struct Task<R, W> {
    transport: Transport<R, W>,
    queue: mpsc::Receiver<Call>,
    bell: Arc<Bell>,
    inbox: Arc<Inbox>,
    /// By their ids on the wire.
    calls: HashMap<u32, Waiting>,
    /// The ids of calls by their names.
    ids: HashMap<u32, u32>,
    /// All handles are gone.
    finished: bool,
    /// The server takes no further requests.
    leaving: bool,
    ended: bool,
}

/// A call that is in flight.
struct Waiting {
    name: u32,
    answer: Option<oneshot::Sender<Result<Answer, ClientError>>>,
    reply_size: Option<&'static str>,
    /// Bytes of its file that are to be sent; dropped when there are no more.
    left: Option<watch::Sender<u64>>,
    body: Option<Incoming>,
}

/// A file that comes with a reply.
struct Incoming {
    feed: Feed,
    /// Credit has been asked for.
    asked: bool,
    ended: bool,
    unread: usize,
}

impl<R, W> Task<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    pub(super) fn new<Sh>(
        (read, write): (R, W),
        builder: &ClientBuilder<Sh>,
        queue: mpsc::Receiver<Call>,
        (bell, inbox): (Arc<Bell>, Arc<Inbox>),
    ) -> Self {
        let mut limits = builder.limits.clone();
        // How long to wait for a file is decided call by call.
        limits.min_body_rate = 0;
        limits.write_time = builder.timeouts.progress;
        let budget = Budget::default();
        Self {
            transport: Transport::new(read, write, Role::Client, &limits, &budget),
            queue,
            bell,
            inbox,
            calls: HashMap::new(),
            ids: HashMap::new(),
            finished: false,
            leaving: false,
            ended: false,
        }
    }

    /// Runs until the connection is over.
    pub(super) async fn run(mut self, lost: Arc<OnceLock<Arc<Error>>>) {
        let result = self.serve().await;
        self.queue.close();
        if let Err(error) = result {
            tracing::debug!(%error, "connection lost");
            let error = Arc::new(error);
            let _ = lost.set(Arc::clone(&error));
            for (_, call) in self.calls.drain() {
                if let Some(answer) = call.answer {
                    let _ = answer.send(Err(ClientError::Lost(Arc::clone(&error))));
                }
            }
        }
        self.calls.clear();
        self.inbox.close();
        while self.queue.recv().await.is_some() {}
        if let Err(error) = self.transport.close().await {
            tracing::debug!(%error, "the last frames did not leave");
        }
    }

    async fn serve(&mut self) -> Result<(), Error> {
        let mut rung = Vec::new();
        loop {
            self.bell.swap(&mut rung);
            for name in rung.drain(..) {
                self.look(name);
            }
            self.work()?;
            if self.is_over() {
                return Ok(());
            }
            let takes =
                !self.finished && (self.leaving || self.transport.connection().can_request());
            tokio::select! {
                biased;
                moved = self.transport.drive(!self.ended) => self.moved(moved?)?,
                () = self.bell.rung() => {}
                call = self.queue.recv(), if takes => match call {
                    Some(call) => self.begin(call),
                    None => {
                        self.finished = true;
                        self.transport.connection().go_away(Code::NONE);
                    }
                },
            }
            // What else waits goes out with it.
            while self.transport.connection().can_request()
                && let Ok(call) = self.queue.try_recv()
            {
                self.begin(call);
            }
        }
    }

    fn is_over(&mut self) -> bool {
        let done = self.finished || self.leaving;
        let idle = self.transport.connection().in_flight() == 0 && !self.transport.has_pending();
        // Bodies that have come whole may still be read.
        self.ended || (done && idle && self.calls.values().all(|call| call.body.is_none()))
    }

    /// Sends a request.
    fn begin(&mut self, call: Call) {
        if call.answer.is_closed() {
            return;
        }
        if self.leaving {
            let code = Code::GOING_AWAY;
            let _ = call.answer.send(Err(ClientError::Refused { code }));
            return;
        }
        let millis = |left: std::time::Duration| u32::try_from(left.as_millis()).ok();
        let outgoing = Outgoing {
            message_type: call.message_type,
            extensions: Extensions {
                deadline_ms: call.deadline.and_then(millis),
                idempotency_key: call.key.map(|key| *key.as_bytes()),
                digest: call.digest,
                ..Extensions::default()
            },
            attachment: call.file.as_ref().map(|file| Attached {
                size: Some(file.len()),
                resumable: call.digest.is_some() && file.is_seekable(),
                ..Attached::default()
            }),
            ..Outgoing::json()
        };
        let write =
            |out: &mut MessageWriter<'_>| -> io::Result<()> { out.write_all(&call.message) };
        let id = match self.transport.connection().request(&outgoing, write) {
            Ok(id) => id,
            Err(error) => {
                let _ = call.answer.send(Err(ClientError::Message(error)));
                return;
            }
        };
        let mut answer = Some(call.answer);
        if let Some(file) = call.file
            && let Err(error) = self.transport.send(id, file, None)
        {
            self.transport.break_off(id, Code::SOURCE_FAILED);
            if let Some(answer) = answer.take() {
                let _ = answer.send(Err(ClientError::Source(error)));
            }
        }
        self.ids.insert(call.name, id);
        self.calls.insert(
            id,
            Waiting {
                name: call.name,
                answer,
                reply_size: call.reply_size,
                left: Some(call.left),
                body: None,
            },
        );
    }

    fn work(&mut self) -> Result<(), Error> {
        loop {
            let Some(event) = self.transport.next_event()? else {
                return Ok(());
            };
            match event {
                Event::Reply(reply) => {
                    let id = reply.request;
                    let asked = answered(&mut self.calls, &self.bell, &reply);
                    if asked {
                        // It may have ended already.
                        let _ = self.transport.receive(id, None);
                    }
                    self.tidy(id);
                }
                Event::Push(push) => self.inbox.came(push.message_type, push.message),
                Event::Error {
                    request,
                    code,
                    message,
                    ..
                } => {
                    let refusal = refusal(code, message);
                    if let Some(answer) = self.calls.get_mut(&request).and_then(|c| c.answer.take())
                    {
                        let _ = answer.send(Err(refusal));
                    }
                    self.tidy(request);
                }
                Event::Data { request, bytes, .. } => {
                    let call = self.calls.get_mut(&request);
                    match call.and_then(|call| call.body.as_mut()) {
                        Some(body) => {
                            body.unread += bytes.len();
                            body.feed.append(bytes);
                        }
                        None => {
                            let n = bytes.len();
                            self.transport.consumed(request, n);
                        }
                    }
                }
                Event::End { request, outcome } => {
                    let call = self.calls.get_mut(&request);
                    if let Some(body) = call.and_then(|call| call.body.as_mut()) {
                        body.ended = true;
                        let error = outcome.err().map(|code| Error::Aborted { code, request });
                        body.feed.end(error);
                    }
                }
                Event::Credit { request, from } if from > 0 => {
                    let left = self.transport.left(request);
                    let call = self.calls.get_mut(&request);
                    if let Some(sender) = call.and_then(|call| call.left.as_ref())
                        && let Some(left) = left
                    {
                        // The server has some of it already, which counts as sent.
                        sender.send_if_modified(|now| mem::replace(now, left) != left);
                    }
                }
                Event::Cancelled { request, .. } => {
                    // The server wants no more of the file; its answer has come, or comes.
                    if let Some(call) = self.calls.get_mut(&request) {
                        call.left = None;
                    }
                }
                Event::GoingAway {
                    code: Code::NONE, ..
                } => self.leaving = true,
                Event::GoingAway { code, last } => {
                    return Err(Error::Protocol {
                        code,
                        request: last,
                    });
                }
                _ => {}
            }
        }
    }

    fn moved(&mut self, moved: Moved) -> Result<(), Error> {
        match moved {
            Moved::Read(0) => {
                self.ended = true;
                self.transport.connection().finish()?;
            }
            Moved::Sent { request, left } => {
                if let Some(call) = self.calls.get_mut(&request) {
                    if let Some(sender) = &call.left {
                        sender.send_replace(left);
                    }
                    if left == 0 {
                        call.left = None;
                    }
                }
            }
            Moved::Unsent { request, error } => {
                if let Some(answer) = self.calls.get_mut(&request).and_then(|c| c.answer.take()) {
                    let _ = answer.send(Err(ClientError::Source(error)));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks at what has rung: a caller that is gone, or the file of its reply.
    fn look(&mut self, name: u32) {
        let Some(&id) = self.ids.get(&name) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.answer.as_ref().is_some_and(oneshot::Sender::is_closed) {
            call.answer = None;
            call.left = None;
            // Its answer may have come meanwhile.
            let _ = self.transport.cancel(id, Code::CANCELLED);
        }
        if let Some(body) = &mut call.body {
            let looked = body.feed.look();
            let done = match looked.dropped {
                true => body.unread,
                false => looked.returned,
            };
            body.unread -= done;
            if done > 0 {
                self.transport.consumed(id, done);
            }
            if looked.wanted && !looked.dropped && !body.asked {
                body.asked = true;
                if let Err(error) = self.transport.receive(id, looked.from) {
                    body.feed.end(Some(error));
                }
            }
            if looked.dropped {
                if !body.ended {
                    let _ = self.transport.cancel(id, Code::NOT_WANTED);
                }
                call.body = None;
            }
        }
        self.tidy(id);
    }

    /// Forgets a call of which nothing is left.
    fn tidy(&mut self, id: u32) {
        let over = |call: &Waiting| call.answer.is_none() && call.body.is_none();
        if self.calls.get(&id).is_some_and(over)
            && let Some(call) = self.calls.remove(&id)
        {
            self.ids.remove(&call.name);
        }
    }
}

/// Hands a reply to its caller; whether a file of it is to be asked for.
fn answered(calls: &mut HashMap<u32, Waiting>, bell: &Arc<Bell>, reply: &Received<'_>) -> bool {
    let Some(call) = calls.get_mut(&reply.request) else {
        return false;
    };
    let Some(answer) = call.answer.take() else {
        return false;
    };
    let size = |attached: Attached| {
        let stated = || request::size(reply.message, call.reply_size?);
        attached.size.or_else(stated)
    };
    let (mut body, mut asked) = (None, false);
    if let Some(attached) = reply.attachment {
        // One whose size nobody states cannot be told from one that was cut.
        let Some(len) = size(attached) else {
            let error = Error::AttachmentUnknown;
            let _ = answer.send(Err(ClientError::Frame(error)));
            return false;
        };
        let digest = reply.extensions.fields().digest;
        // Where to begin is for its reader to say; else it comes right away.
        let waits = attached.resumable && digest.is_some() && can_be_resumed(len);
        let ringer = bell.ringer(call.name);
        let (upload, feed) = upload_with_bell(len, digest, waits, ringer);
        body = Some(upload);
        asked = !waits;
        call.body = Some(Incoming {
            feed,
            asked,
            ended: false,
            unread: 0,
        });
    }
    let message = reply.message.to_vec();
    // A caller that has just gone drops the body with it, which rings.
    let _ = answer.send(Ok(Answer { message, body }));
    asked
}

/// What a refusal says.
fn refusal(code: Code, message: &[u8]) -> ClientError {
    #[derive(Deserialize)]
    struct Refusal {
        code: String,
        #[serde(default)]
        msg: String,
    }
    match serde_json::from_slice::<Refusal>(message) {
        Ok(Refusal { code, msg }) => ClientError::Rejected { code, text: msg },
        Err(_) => ClientError::Refused { code },
    }
}
