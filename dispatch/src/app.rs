//! A dispatcher at work: from the bytes of a message to the handling of its call.

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use packetboat_framing::Chunk;
use packetboat_framing::native::{Attached, Digest};

use crate::bell::Ringer;
use crate::carried::Carried;
use crate::connection::Peer;
use crate::dispatcher::{Dispatcher, Table};
use crate::envelope::Envelope;
use crate::file::File;
use crate::health::{Life, Open};
#[cfg(feature = "schema")]
use crate::message::Message;
use crate::metrics::Meter;
use crate::middleware::Response;
use crate::rejection::{Rejection, code};
use crate::request::Call;
use crate::route::{Endpoint, Handling, refuse};
use crate::session::{ConnectionSessions, SessionManager};
use crate::shape::Shape;
use crate::upload::{Feed, upload, upload_with_bell};
use crate::wire::Wire;

/// How much of an unknown type an answer repeats, in characters.
const SHOWN: usize = 64;

/// A dispatcher that is complete, ready to be served; clones are the same one.
#[derive(Clone)]
pub struct App {
    inner: Arc<dyn Answering>,
}

/// An application whose types have been forgotten.
pub(crate) trait Answering: Send + Sync {
    fn connect(&self, peer: Peer, wire: Wire) -> Caller;
    fn begin(
        &self,
        caller: &Caller,
        message: &[u8],
        arrival: Arrival,
        max_attachment: u64,
    ) -> Begun;
    fn refuse(&self, wire: Wire, rejection: &Rejection) -> Response;
    /// Whether the reply to this type of message has something behind it.
    #[cfg(feature = "web")]
    fn replies_with_attachment(&self, message_type: &str) -> bool;
    fn life(&self) -> &Arc<Life>;
    #[cfg(feature = "schema")]
    fn schema(&self) -> crate::schema::Schema;
}

/// How a message came.
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    /// What its frame says, on the native wire.
    pub(crate) framed: Option<Framed>,
}

/// What stands beside a message in its frame.
pub(crate) struct Framed {
    /// The number of its type, or 0: look into the message.
    pub(crate) message_type: u32,
    pub(crate) attachment: Option<Attached>,
    /// What the attachment has to be in the end.
    pub(crate) digest: Option<Digest>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) idempotency_key: Option<[u8; 16]>,
    /// What is known of the request that opened the connection.
    pub(crate) carried: Carried,
    /// Rings when something happens to the attachment.
    pub(crate) ringer: Ringer,
}

/// The other end of a connection, with the sessions that it has made.
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    pub(crate) wire: Wire,
    sessions: Option<ConnectionSessions>,
    _open: Open,
}

/// A request whose handling is about to begin.
pub(crate) struct Begun {
    /// The message's type, where it is one of ours.
    pub(crate) message_type: &'static str,
    /// Counts its type, or what is none of ours.
    pub(crate) meter: Meter,
    pub(crate) handling: Handling,
    /// What follows the message: how many bytes, and where they go.
    pub(crate) upload: Option<(u64, Feed)>,
    /// Where the next message begins is not known, so this answer is the last. On the native wire
    /// it is always known.
    pub(crate) is_last: bool,
    /// Its handler says that it may be stopped.
    pub(crate) may_be_stopped: bool,
}

struct Complete<W> {
    shape: W,
    sessions: Option<SessionManager>,
    table: Table,
    /// Counts what has no route.
    unknown: Meter,
}

impl<W: Shape> Complete<W> {
    /// The answer to what no handler will see.
    fn answer(&self, wire: Wire, rejection: &Rejection, is_last: bool) -> Begun {
        let handling = Box::pin(ready(refuse(&self.shape, wire, rejection)));
        Begun {
            message_type: "",
            meter: self.unknown.clone(),
            handling,
            upload: None,
            is_last,
            may_be_stopped: false,
        }
    }

    /// The route that a message asks for. Its frame may name it by number.
    fn endpoint(
        &self,
        envelope: &Envelope<'_>,
        number: u32,
    ) -> Result<&Arc<dyn Endpoint>, Rejection> {
        if number != 0 {
            return self.table.find_number(number).ok_or_else(|| {
                let shown = format!("{number:#010x}");
                let text = format!("no request has the type number {shown}");
                Rejection::ours(code::UNKNOWN_TYPE, text).naming(&shown)
            });
        }
        let Some(message_type) = envelope.message_type.as_deref() else {
            return Err(Rejection::ours(code::MISSING_TYPE, "`type` is missing"));
        };
        self.table.find(message_type).ok_or_else(|| {
            let shown: String = message_type.chars().take(SHOWN).collect();
            let text = format!("no request has the type `{shown}`");
            Rejection::ours(code::UNKNOWN_TYPE, text).naming(&shown)
        })
    }
}

impl<W: Shape> Answering for Complete<W> {
    fn connect(&self, peer: Peer, wire: Wire) -> Caller {
        let sessions = self
            .sessions
            .as_ref()
            .map(|sessions| sessions.connection(peer.clone()));
        Caller {
            peer,
            wire,
            sessions,
            _open: self.table.life.open(),
        }
    }

    fn begin(
        &self,
        caller: &Caller,
        message: &[u8],
        arrival: Arrival,
        max_attachment: u64,
    ) -> Begun {
        let (wire, framed) = (caller.wire, arrival.framed);
        let envelope = match Envelope::scan(message, &self.table.size_keys) {
            Ok(envelope) => envelope,
            Err(rejection) => return self.answer(wire, &rejection, true),
        };
        if let Some(key) = envelope.repeated {
            let text = format!("`{key}` stands twice");
            let rejection = Rejection::ours(code::REPEATED_KEY, text).naming(key);
            return self.answer(wire, &rejection, true);
        }
        let number = framed.as_ref().map_or(0, |framed| framed.message_type);
        let endpoint = match self.endpoint(&envelope, number) {
            Ok(endpoint) => endpoint,
            Err(rejection) => return self.answer(wire, &rejection, envelope.states_a_size()),
        };

        let route = endpoint.route();
        let mut call =
            Call::received_at(route.message_type, caller.peer.clone(), arrival.at).with_wire(wire);
        if let Some(token) = envelope.session.as_deref() {
            call = call.with_session_token(token);
        }
        if let Some(sessions) = &caller.sessions {
            call = call.with_sessions(sessions.clone());
        }
        if let Some(deadline) = framed.as_ref().and_then(|framed| framed.deadline) {
            call = call.with_deadline(deadline);
        }
        if let Some(key) = framed.as_ref().and_then(|framed| framed.idempotency_key) {
            call = call.with_idempotency_key(key);
        }
        if let Some(framed) = &framed {
            call = call.with_carried(framed.carried.clone());
        }
        let (mut refusal, mut is_last, mut feed) = (None, false, None);
        let len = route.attachment.map(|key| {
            let stated = envelope.attachment_len(key);
            match &framed {
                None => stated,
                Some(framed) => framed.attachment_len(key, envelope.states(key), stated),
            }
        });
        match len {
            None => {}
            Some(Ok(len)) => {
                if len > max_attachment {
                    let text = format!("at most {max_attachment} bytes may follow");
                    let max = max_attachment.to_string();
                    refusal = Some(Rejection::ours(code::ATTACHMENT_TOO_LARGE, text).naming(&max));
                }
                let (body, end) = match framed {
                    None => upload(len),
                    Some(framed) => {
                        let resumable = framed.attachment.is_some_and(|a| a.resumable);
                        upload_with_bell(len, framed.digest, resumable, framed.ringer)
                    }
                };
                call = call.with_upload(body);
                feed = Some((len, end));
            }
            // The guard still has its say first: a stranger is told to log in, and no more.
            Some(Err(rejection)) => {
                // Nothing is read for it: an upload that an extractor can take, and no feed.
                call = call.with_upload(upload(0).0);
                refusal = Some(rejection);
                is_last = true;
            }
        }
        let handling = Arc::clone(endpoint).begin(call, &envelope, refusal);
        Begun {
            message_type: route.message_type,
            meter: endpoint.meter().clone(),
            handling,
            upload: feed,
            is_last,
            may_be_stopped: endpoint.may_be_stopped(),
        }
    }

    fn refuse(&self, wire: Wire, rejection: &Rejection) -> Response {
        refuse(&self.shape, wire, rejection)
    }

    #[cfg(feature = "web")]
    fn replies_with_attachment(&self, message_type: &str) -> bool {
        let endpoint = self.table.find(message_type);
        endpoint.is_some_and(|endpoint| endpoint.route().reply_attachment.is_some())
    }

    fn life(&self) -> &Arc<Life> {
        &self.table.life
    }

    #[cfg(feature = "schema")]
    fn schema(&self) -> crate::schema::Schema {
        self.table.to_schema()
    }
}

/// Counts what has no route.
pub(crate) fn unknown() -> Meter {
    Meter::of("unknown")
}

impl Framed {
    /// How many bytes follow the message: what its frame announces, and the message's own field
    /// must not say otherwise.
    fn attachment_len(
        &self,
        key: &'static str,
        is_stated: bool,
        stated: Result<u64, Rejection>,
    ) -> Result<u64, Rejection> {
        let announced = match self.attachment {
            None => Some(0).filter(|_| is_stated),
            Some(Attached { offset: 1.., .. }) => {
                let text = "the attachment has to begin at its beginning";
                return Err(Rejection::ours(code::BAD_ATTACHMENT_SIZE, text).naming(key));
            }
            Some(Attached { size, .. }) => size,
        };
        match (announced, stated) {
            (Some(size), Ok(stated)) if size != stated => {
                let text = format!("`{key}` is {stated}, and {size} bytes follow");
                Err(Rejection::ours(code::BAD_ATTACHMENT_SIZE, text).naming(key))
            }
            (Some(size), _) if !is_stated => Ok(size),
            (_, stated) => stated,
        }
    }
}

impl App {
    pub(crate) fn answering(&self) -> &dyn Answering {
        &*self.inner
    }

    /// What every message looks like: see [`schema`](crate::schema). It is made anew by each call.
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn schema(&self) -> crate::schema::Schema {
        self.inner.schema()
    }

    /// A connection without a socket, on which requests can be run: for tests.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use packetboat_dispatch::{App, Dispatcher};
    ///
    /// let app = App::from(Dispatcher::new(()));
    /// let answer = app.connect().request(br#"{"type": "fly"}"#).await;
    /// assert!(answer.text().contains("unknown_type"));
    /// # }
    /// ```
    #[must_use]
    pub fn connect(&self) -> Local {
        Local {
            caller: self.inner.connect(Peer::new(None), Wire::Classic),
            app: self.clone(),
        }
    }
}

impl<S: Send + Sync + 'static, W: Shape> From<Dispatcher<S, W>> for App {
    fn from(dispatcher: Dispatcher<S, W>) -> Self {
        let (shape, sessions, table) = dispatcher.into_parts();
        #[cfg(feature = "schema")]
        if table.find(crate::schema::GetSchema::TYPE).is_some() {
            table.schema.get_or_init(|| table.to_schema());
        }
        Self {
            inner: Arc::new(Complete {
                shape,
                sessions,
                table,
                unknown: unknown(),
            }),
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// A connection without a socket, as [`App::connect`] gives it. Sessions made on it end with it.
pub struct Local {
    app: App,
    caller: Caller,
}

/// What came back on a [`Local`] connection.
#[derive(Debug)]
pub struct Answer {
    message: Vec<u8>,
    file: Option<Box<File>>,
}

impl Local {
    /// Runs a request: a message that nothing follows.
    pub async fn request(&self, message: &[u8]) -> Answer {
        self.request_with(message, Bytes::new()).await
    }

    /// Runs a request whose message these bytes follow. They may be fewer than the message says.
    pub async fn request_with(&self, message: &[u8], attachment: impl Into<Bytes>) -> Answer {
        let arrival = Arrival {
            at: Instant::now(),
            framed: None,
        };
        let begun = self
            .app
            .inner
            .begin(&self.caller, message, arrival, u64::MAX);
        let attachment = attachment.into();
        let feeding = async {
            let Some((len, feed)) = begun.upload else {
                return;
            };
            let bytes = &attachment[..attachment.len().min(usize::try_from(len).unwrap_or(0))];
            if !bytes.is_empty() && feed.ready().await {
                feed.give(Chunk::from(bytes.to_vec()));
            }
        };
        let (response, ()) = tokio::join!(begun.handling, feeding);
        Answer {
            message: response.message,
            file: response.file,
        }
    }

    /// The other end, as handlers see it.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.caller.peer
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("peer", &self.caller.peer)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// The reply's bytes.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The reply as text.
    ///
    /// # Panics
    ///
    /// If it is not UTF-8, which JSON always is.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.message).expect("a reply is JSON")
    }

    /// What follows the reply. It has not been sent, so nothing of its terms has happened.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        self.file.as_deref()
    }
}
