//! A dispatcher at work: from the bytes of a message to the handling of its call.

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use packetboat_framing::Chunk;

use crate::connection::Peer;
use crate::dispatcher::{Dispatcher, Table};
use crate::envelope::Envelope;
use crate::file::File;
use crate::rejection::{Rejection, code};
use crate::request::Call;
use crate::route::{Handling, refuse};
use crate::session::{ConnectionSessions, SessionManager};
use crate::shape::Shape;
use crate::upload::{Feed, upload};

/// How much of an unknown type an answer repeats, in characters.
const SHOWN: usize = 64;

/// A dispatcher that is complete, ready to be served; clones are the same one.
#[derive(Clone)]
pub struct App {
    inner: Arc<dyn Answering>,
}

/// An application whose types have been forgotten.
pub(crate) trait Answering: Send + Sync {
    fn connect(&self, peer: Peer) -> Caller;
    fn begin(&self, caller: &Caller, message: &[u8], at: Instant, max_attachment: u64) -> Begun;
    fn refuse(&self, rejection: &Rejection) -> crate::middleware::Response;
}

/// The other end of a connection, with the sessions that it has made.
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    sessions: Option<ConnectionSessions>,
}

/// A request whose handling is about to begin.
pub(crate) struct Begun {
    /// The message's type, where it is one of ours.
    pub(crate) message_type: &'static str,
    pub(crate) handling: Handling,
    /// What follows the message: how many bytes, and where they go.
    pub(crate) upload: Option<(u64, Feed)>,
    /// Where the next message begins is not known, so this answer is the last.
    pub(crate) is_last: bool,
}

struct Complete<W> {
    shape: W,
    sessions: Option<SessionManager>,
    table: Table,
}

impl<W: Shape> Complete<W> {
    /// The answer to what no handler will see.
    fn answer(&self, rejection: &Rejection, is_last: bool) -> Begun {
        let handling = Box::pin(ready(refuse(&self.shape, rejection)));
        Begun {
            message_type: "",
            handling,
            upload: None,
            is_last,
        }
    }
}

impl<W: Shape> Answering for Complete<W> {
    fn connect(&self, peer: Peer) -> Caller {
        let sessions = self
            .sessions
            .as_ref()
            .map(|sessions| sessions.connection(peer.clone()));
        Caller { peer, sessions }
    }

    fn begin(&self, caller: &Caller, message: &[u8], at: Instant, max_attachment: u64) -> Begun {
        let envelope = match Envelope::scan(message, &self.table.size_keys) {
            Ok(envelope) => envelope,
            Err(rejection) => return self.answer(&rejection, true),
        };
        if let Some(key) = envelope.repeated {
            let text = format!("`{key}` stands twice");
            return self.answer(&Rejection::ours(code::REPEATED_KEY, text).naming(key), true);
        }
        let Some(message_type) = envelope.message_type.as_deref() else {
            let rejection = Rejection::ours(code::MISSING_TYPE, "`type` is missing");
            return self.answer(&rejection, envelope.states_a_size());
        };
        let Some(endpoint) = self.table.find(message_type) else {
            let shown: String = message_type.chars().take(SHOWN).collect();
            let text = format!("no request has the type `{shown}`");
            let rejection = Rejection::ours(code::UNKNOWN_TYPE, text).naming(&shown);
            return self.answer(&rejection, envelope.states_a_size());
        };

        let route = endpoint.route();
        let mut call = Call::received_at(route.message_type, caller.peer.clone(), at);
        if let Some(token) = envelope.session.as_deref() {
            call = call.with_session_token(token);
        }
        if let Some(sessions) = &caller.sessions {
            call = call.with_sessions(sessions.clone());
        }
        let (mut refusal, mut is_last, mut feed) = (None, false, None);
        match route.attachment.map(|key| envelope.attachment_len(key)) {
            None => {}
            Some(Ok(len)) => {
                if len > max_attachment {
                    let text = format!("at most {max_attachment} bytes may follow");
                    let max = max_attachment.to_string();
                    refusal = Some(Rejection::ours(code::ATTACHMENT_TOO_LARGE, text).naming(&max));
                }
                let (body, end) = upload(len);
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
            handling,
            upload: feed,
            is_last,
        }
    }

    fn refuse(&self, rejection: &Rejection) -> crate::middleware::Response {
        refuse(&self.shape, rejection)
    }
}

impl App {
    pub(crate) fn answering(&self) -> &dyn Answering {
        &*self.inner
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
            caller: self.inner.connect(Peer::new(None)),
            app: self.clone(),
        }
    }
}

impl<S: Send + Sync + 'static, W: Shape> From<Dispatcher<S, W>> for App {
    fn from(dispatcher: Dispatcher<S, W>) -> Self {
        let (shape, sessions, table) = dispatcher.into_parts();
        Self {
            inner: Arc::new(Complete {
                shape,
                sessions,
                table,
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
        let begun = self
            .app
            .inner
            .begin(&self.caller, message, Instant::now(), u64::MAX);
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
