//! Why a WebSocket ends, and the number that its peer is told.

use std::borrow::Cow;
use std::io;

use packetboat_framing::{Error, Limits};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::error::Disconnect;

/// RFC 6455, 7.4.1.
pub(super) mod code {
    pub(in crate::web::socket) const GOING_AWAY: u16 = 1001;
    pub(in crate::web::socket) const PROTOCOL: u16 = 1002;
    pub(in crate::web::socket) const UNSUPPORTED: u16 = 1003;
    pub(in crate::web::socket) const NO_UTF_8: u16 = 1007;
    pub(in crate::web::socket) const POLICY: u16 = 1008;
    pub(in crate::web::socket) const TOO_BIG: u16 = 1009;
    pub(in crate::web::socket) const INTERNAL: u16 = 1011;
}

/// What the carrier of the native wire has found, so that the wire's own reason is none.
#[derive(Debug)]
pub(super) enum Over {
    /// The peer has closed, in good order or not.
    Closed,
    /// The peer broke a rule.
    Broken {
        code: u16,
        reason: Cow<'static, str>,
    },
    /// A limit of time has passed.
    Late(Error),
    Lost(io::ErrorKind),
}

impl Over {
    pub(super) fn of(error: &tungstenite::Error) -> Self {
        use tungstenite::Error as E;
        let code = match error {
            E::ConnectionClosed
            | E::AlreadyClosed
            | E::Protocol(
                ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
            ) => {
                return Self::Closed;
            }
            E::Io(error) => return Self::Lost(error.kind()),
            E::Utf8(_) => code::NO_UTF_8,
            E::Capacity(_) => code::TOO_BIG,
            E::Protocol(_) => code::PROTOCOL,
            _ => code::INTERNAL,
        };
        Self::broken(code, error.to_string())
    }

    pub(super) fn broken(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let reason = reason.into();
        Self::Broken { code, reason }
    }

    /// For the driver, which then ends.
    pub(super) fn as_io(&self) -> io::Error {
        match self {
            Self::Lost(kind) => (*kind).into(),
            Self::Closed | Self::Broken { .. } | Self::Late(_) => {
                io::ErrorKind::ConnectionAborted.into()
            }
        }
    }

    /// Why the connection ended.
    pub(super) fn into_disconnect(self, limits: &Limits) -> Disconnect {
        match self {
            Self::Closed => Disconnect::Closed,
            Self::Broken { code, reason } => Disconnect::WebSocket { code, reason },
            Self::Late(error) => Disconnect::Failed(error),
            Self::Lost(io::ErrorKind::TimedOut) => Disconnect::Failed(Error::WriteTimeout {
                after: limits.write_time,
            }),
            Self::Lost(kind) => Disconnect::Failed(Error::Io(kind.into())),
        }
    }
}

/// What the peer is told at the end, if it can be told.
pub(super) fn farewell(disconnect: &Disconnect) -> Option<(u16, Cow<'static, str>)> {
    let (code, text) = match disconnect {
        Disconnect::Closed => return None,
        Disconnect::WebSocket { code, reason } => return Some((*code, reason.clone())),
        Disconnect::Stopped => (code::GOING_AWAY, "the server is stopping"),
        Disconnect::Panicked => (code::INTERNAL, "something went wrong on the server"),
        Disconnect::SlowReader => (code::POLICY, "what was pushed was not read"),
        Disconnect::Failed(error) => match error {
            Error::MessageTooLarge { .. } => (code::TOO_BIG, "the message is too large"),
            Error::HeaderTimeout { .. } | Error::IdleTimeout { .. } => {
                (code::POLICY, "a limit of time has passed")
            }
            error if error.is_io() || error.is_timeout() => return None,
            error if error.is_peer_fault() => (code::PROTOCOL, "not the native wire"),
            _ => (code::INTERNAL, "something went wrong on the server"),
        },
        _ => (code::GOING_AWAY, ""),
    };
    Some((code, text.into()))
}
