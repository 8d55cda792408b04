//! Why a call did not give its reply, and whose fault it is.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use packetboat_framing as framing;

/// Why a call did not give its reply.
///
/// After [`Rejected`](Self::Rejected) and [`Reply`](Self::Reply) the connection goes on. After
/// most others it is over, and [`is_fatal`](Self::is_fatal) says which.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The file that followed the reply did not come whole, is not what its digest says, or cannot
    /// be written here; its part stays for the next time where the connection was at fault.
    #[error("the file of the reply was not received")]
    Body(#[source] framing::Error),

    /// The server closed the connection instead of answering.
    #[error("the server closed the connection")]
    Closed,

    /// No connection could be made.
    #[error("no connection to the server")]
    Connect(#[source] io::Error),

    /// The connection broke, or what came is not of this wire.
    #[error("the connection failed")]
    Frame(#[source] framing::Error),

    /// The native connection broke with this call on it, or before it was made.
    #[error("the connection was lost")]
    Lost(#[source] Arc<framing::Error>),

    /// The caller's message was not sent: it cannot be serialised, or is too long.
    #[error("the message cannot be sent")]
    Message(#[source] framing::Error),

    /// An earlier call was dropped or failed in the middle, and replies have no names on this
    /// wire: the next bytes may belong to that one. Connect again.
    #[error("an earlier call was cut off in the middle; connect again")]
    Poisoned,

    /// The server's wire refused, without a word of the application; on the native wire only. With
    /// [`Code::is_not_begun`](framing::native::Code::is_not_begun) the call may be made again,
    /// whatever it does.
    #[error("the server answered {code}")]
    Refused {
        /// Why.
        code: framing::native::Code,
    },

    /// The server refused. The connection goes on, unless it closes it.
    #[error("{text}")]
    Rejected {
        /// The stable code, for programs.
        code: String,
        /// What the server says to people. It comes from a peer: a terminal should be spared the
        /// control characters that may stand in it.
        text: String,
    },

    /// The reply is none that the message's type of reply can hold.
    #[error("the reply to `{message_type}` does not fit its type")]
    Reply {
        /// The message's type.
        message_type: &'static str,
        /// What did not fit.
        #[source]
        source: serde_json::Error,
    },

    /// The caller's message states another size than its file has, or none.
    #[error("the message states {stated:?} bytes, and the file has {len}")]
    SizeMismatch {
        /// What stands in the field that states the size, if a size stands there.
        stated: Option<u64>,
        /// The length of the file.
        len: u64,
    },

    /// The caller's file could not be read to its end. The connection is over.
    #[error("the file could not be sent")]
    Source(#[source] framing::Error),

    /// TLS could not shake hands. Nothing of the application was sent.
    #[error("{why}")]
    Tls {
        /// What kind of failure it is.
        why: Distrust,
        /// What went wrong.
        source: io::Error,
    },

    /// A limit of [`Timeouts`](crate::client::Timeouts) ran out.
    #[error("{wait} within {after:?}")]
    Timeout {
        /// What was waited for.
        wait: Wait,
        /// How long.
        after: Duration,
    },
}

/// Why a client did not go on with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// The connection broke in the middle.
    Broken,
    /// The server's certificate is expired, or for another name, or nobody who is trusted vouches
    /// for it.
    Certificate,
    /// What the server sent is no TLS.
    NotTls,
    /// The server refused, or the two have no version or cipher in common.
    Refused,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the connection broke before it was encrypted",
            Self::Certificate => "the server's certificate is not to be trusted",
            Self::NotTls => "the server does not speak TLS",
            Self::Refused => "no encrypted connection could be agreed upon",
        })
    }
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// A connection.
    Connect,
    /// Progress in sending or receiving a file.
    Progress,
    /// The reply, once the request and its file were sent.
    Reply,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Progress => "no progress of the file",
            Self::Reply => "no reply",
        })
    }
}

impl ClientError {
    /// The server's code, if it refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Rejected { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether a limit of time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Whether nothing of the call was begun, so that it may be made again whatever it does: there
    /// was no connection, or the server says so.
    #[must_use]
    pub fn is_not_begun(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Refused { code } => code.is_not_begun(),
            Self::Timeout { wait, .. } => *wait == Wait::Connect,
            _ => false,
        }
    }

    /// Whether the connection was lost with the call on it: the server may have done what was
    /// asked, or not.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Closed | Self::Frame(_) | Self::Lost(_))
    }

    /// Whether the connection is over. After the others the next call may be made.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Message(_) | Self::Rejected { .. } | Self::Reply { .. } => false,
            Self::SizeMismatch { .. } => false,
            Self::Refused { code } => *code == framing::native::Code::GOING_AWAY,
            Self::Body(error) => error.is_disconnect(),
            Self::Lost(_) => true,
            Self::Closed | Self::Connect(_) | Self::Frame(_) | Self::Poisoned => true,
            Self::Source(_) | Self::Timeout { .. } | Self::Tls { .. } => true,
        }
    }
}
