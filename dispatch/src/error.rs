//! Why serving stopped, and why a connection ended.

use std::fmt;
use std::time::Duration;

use packetboat_framing::Hint;

/// Why a server could not begin, or go on, to serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address could not be bound, or the listener is broken.
    #[error("cannot listen")]
    Listen(#[source] std::io::Error),
}

/// Why a connection ended: for the log, and for the server's hook.
#[derive(Debug)]
#[non_exhaustive]
pub enum Disconnect {
    /// An answer was the last, because what follows it on the wire is not known: the message was
    /// no JSON object, its size was no size, or too much of an upload was left unread.
    Answered {
        /// The code of the rejection that was answered; empty for a value.
        code: String,
    },
    /// The peer closed between two requests.
    Closed,
    /// The peer broke a rule or a limit, or the network failed.
    Failed(packetboat_framing::Error),
    /// TLS could not shake hands: the peer wants what is not served, sent what is no TLS, or broke
    /// off.
    Handshake(std::io::Error),
    /// TLS had not shaken hands in time.
    HandshakeTimeout {
        /// The limit.
        after: Duration,
    },
    /// The connection's own task panicked.
    Panicked,
    /// The peer does not speak TLS on a port that requires it.
    Plain {
        /// What its first bytes look like, if they look like something.
        hint: Option<Hint>,
    },
    /// The peer did not read, and a push said that it is then to be disconnected.
    SlowReader,
    /// The server is stopping.
    Stopped,
    /// An upload ended early or came too slowly. Its handler was told, and its answer sent.
    UploadCut {
        /// What was wrong with it.
        reason: String,
    },
    /// The peer broke a rule of WebSocket, and was told so.
    #[cfg(feature = "web")]
    WebSocket {
        /// The number that it was told, of RFC 6455, 7.4.1.
        code: u16,
        /// What was wrong.
        reason: std::borrow::Cow<'static, str>,
    },
}

impl Disconnect {
    /// Whether an answer may still be on its way when the connection closes, while its peer may
    /// still be sending.
    pub(crate) fn answers_first(&self) -> bool {
        matches!(self, Self::Answered { .. })
    }

    /// Whether the peer was silent, or slow with a frame, so that it may still be told.
    pub(crate) fn is_late(&self) -> bool {
        use packetboat_framing::Error::{HeaderTimeout, IdleTimeout};
        matches!(
            self,
            Self::Failed(HeaderTimeout { .. } | IdleTimeout { .. }) | Self::SlowReader
        )
    }

    /// Whether the peer seems to have meant another port, or the port another peer: TLS where it is
    /// off, no TLS where it is required, HTTP.
    pub(crate) fn is_misdirected(&self) -> bool {
        match self {
            Self::Failed(error) => error.hint().is_some(),
            Self::Plain { .. } => true,
            _ => false,
        }
    }

    /// Whether nothing that is queued can arrive any more.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Self::Failed(error) => error.is_io() || error.is_timeout() || error.is_caller_fault(),
            Self::Handshake(_) | Self::HandshakeTimeout { .. } | Self::Panicked => true,
            _ => false,
        }
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { code } if code.is_empty() => f.write_str("upload left unread"),
            Self::Answered { code } => write!(f, "answered {code}"),
            Self::Closed => f.write_str("closed by the peer"),
            Self::Failed(error) => match std::error::Error::source(error) {
                Some(source) => write!(f, "{error}: {source}"),
                None => write!(f, "{error}"),
            },
            Self::Handshake(error) => write!(f, "no TLS handshake: {error}"),
            Self::HandshakeTimeout { after } => write!(f, "no TLS handshake within {after:?}"),
            Self::Panicked => f.write_str("the connection's task panicked"),
            Self::Plain { hint: None } => f.write_str("not TLS, which is required"),
            Self::Plain { hint: Some(hint) } => {
                write!(f, "not TLS, which is required; looks like {hint}")
            }
            Self::SlowReader => f.write_str("the peer did not read what was pushed"),
            Self::Stopped => f.write_str("the server is stopping"),
            Self::UploadCut { reason } => f.write_str(reason),
            #[cfg(feature = "web")]
            Self::WebSocket { code, reason } => write!(f, "WebSocket closed with {code}: {reason}"),
        }
    }
}
