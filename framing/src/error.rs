//! Everything that can go wrong with a frame, and whose fault it is.

use std::{error, fmt, io, time::Duration};

use crate::{
    hint::Hint,
    native::{Code, Digest},
};

/// Why a frame was not read or not written.
///
/// Each variant says who is at fault: the peer, the network, or the caller. An error in the middle
/// of a stream is final, because the position in it is no longer known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke off an attachment on the native wire: it is not whole.
    #[error("attachment of request {request} broken off: {code}")]
    Aborted {
        /// Why.
        code: Code,
        /// The request that it belongs to.
        request: u32,
    },

    /// The caller began a message while an attachment was still going out.
    #[error("an attachment with {remaining} bytes to go is still being sent")]
    AttachmentPending {
        /// Bytes of it that have not been sent.
        remaining: u64,
    },

    /// The peer announced an attachment over the limit, or the caller tried to send one.
    #[error("attachment of {len} bytes is over the limit of {max}")]
    AttachmentTooLarge {
        /// What was announced.
        len: u64,
        /// [`Limits::max_attachment_bytes`](crate::Limits::max_attachment_bytes).
        max: u64,
    },

    /// The peer's message did not say how long its attachment is, so nobody knows where the next
    /// message begins.
    #[error("length of the attachment not known")]
    AttachmentUnknown,

    /// The peer announced a length that no message has: negative, or below the least.
    #[error("{value} is no length of a message{}", Looks(hint))]
    BadLength {
        /// The number that stood in the header.
        value: i64,
        /// What the peer may be speaking instead.
        hint: Option<Hint>,
    },

    /// The peer sent, or took, an attachment too slowly.
    #[error("body at {rate} bytes per second, below {min}, over {window:?}")]
    BodyTooSlow {
        /// Bytes per second over the window.
        rate: u64,
        /// [`Limits::min_body_rate`](crate::Limits::min_body_rate).
        min: u64,
        /// [`Limits::body_rate_window`](crate::Limits::body_rate_window).
        window: Duration,
    },

    /// The content of an attachment is not what its digest, or the value of one of its groups,
    /// says.
    #[error("digest is {actual}, expected {expected}")]
    DigestMismatch {
        /// What was announced.
        expected: Digest,
        /// What the bytes that came have.
        actual: Digest,
    },

    /// The peer left more of an attachment unread than is worth throwing away.
    #[error("unread attachment not drained: {remaining} bytes left")]
    DrainLimit {
        /// Bytes that are still to come.
        remaining: u64,
    },

    /// The connection is about to end, so the caller can begin no request on it.
    #[error("the connection is going away")]
    GoingAway,

    /// The peer began a frame and did not end its message in time.
    #[error("message not complete {after:?} after its first byte")]
    HeaderTimeout {
        /// [`Limits::header_time`](crate::Limits::header_time).
        after: Duration,
    },

    /// The peer sent nothing between two frames for too long.
    #[error("idle for {after:?}")]
    IdleTimeout {
        /// [`Limits::idle_time`](crate::Limits::idle_time).
        after: Duration,
    },

    /// The peer sent a header that its format forbids: a wrong magic number, an unknown version.
    #[error("header refused: {reason}{}", Looks(hint))]
    InvalidHeader {
        /// What the [`Header`](crate::Header) found wrong.
        reason: &'static str,
        /// What the peer may be speaking instead.
        hint: Option<Hint>,
    },

    /// The socket or the file failed.
    #[error("input or output failed")]
    Io(#[from] io::Error),

    /// The caller's length does not fit the header's field for it.
    #[error("length {len} does not fit the header, whose largest is {max}")]
    LengthOverflow {
        /// What the caller wanted to send.
        len: u64,
        /// The largest that the field can state.
        max: u64,
    },

    /// The peer announced a message over the limit, or the caller tried to send one.
    #[error("message of {len} bytes is over the limit of {max}{}", Looks(hint))]
    MessageTooLarge {
        /// What was announced, or how far the message had grown.
        len: u64,
        /// The limit in force, before or after login.
        max: u64,
        /// What the peer may be speaking instead.
        hint: Option<Hint>,
    },

    /// The caller named a request, or an attachment of one, that is not in flight: it has been
    /// answered, has ended or was broken off.
    #[error("request {request} is not in flight")]
    NotInFlight {
        /// Its id.
        request: u32,
    },

    /// The caller wants an attachment from an offset at which it cannot begin.
    #[error("the attachment cannot begin at {offset}")]
    NotResumable {
        /// Where it should have begun.
        offset: u64,
    },

    /// The caller began a part that is being received already, here or by another process.
    #[error("the part is being received already")]
    PartInUse,

    /// The peer broke a rule of the native wire, or its preface has no version in common.
    #[error("native wire: {code}, request {request}")]
    Protocol {
        /// Which rule, or why.
        code: Code,
        /// The request of the frame in question, or zero.
        request: u32,
    },

    /// The caller's message could not be serialised.
    #[error("message could not be serialised")]
    Serialize(#[source] Box<dyn error::Error + Send + Sync>),

    /// The caller's source had more bytes than it had announced.
    #[error("source has more than the {len} bytes announced")]
    SourceTooLong {
        /// What was announced to the peer.
        len: u64,
    },

    /// The caller's source ended before it had given what it had announced. The connection must
    /// be closed: the peer still waits for the rest.
    #[error("source ended after {sent} of {len} bytes")]
    SourceTooShort {
        /// What was announced to the peer.
        len: u64,
        /// What the source gave.
        sent: u64,
    },

    /// The caller has as many requests in flight as the server allows.
    #[error("{max} requests are in flight already")]
    TooManyRequests {
        /// What the server's preface said.
        max: u16,
    },

    /// The peer closed the connection in the middle of a frame.
    #[error("connection closed in the middle of {part}: {received} of {len} bytes")]
    Truncated {
        /// Where the stream ended.
        part: Part,
        /// Bytes that this part has.
        len: u64,
        /// Bytes of it that came.
        received: u64,
    },

    /// The caller has two message types whose names have one hash; one must be renamed.
    #[error("message types {name:?} and {other:?} have the same hash {hash:#010x}")]
    TypeCollision {
        /// The one that was to be added.
        name: String,
        /// The one that was there.
        other: String,
        /// What both hash to.
        hash: u32,
    },

    /// The peer did not take what was written in time.
    #[error("nothing taken by the peer for {after:?}")]
    WriteTimeout {
        /// [`Limits::write_time`](crate::Limits::write_time).
        after: Duration,
    },
}

/// A part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The fixed struct before the message.
    Header,
    /// The message.
    Message,
    /// The attachment after the message.
    Attachment,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "a header",
            Self::Message => "a message",
            Self::Attachment => "an attachment",
        })
    }
}

impl Error {
    /// The peer broke a rule or left in the middle of a frame.
    ///
    /// A message or attachment over the limit counts as the peer's, although the sending side
    /// reports the same variant for the caller's own.
    pub fn is_peer_fault(&self) -> bool {
        matches!(
            self,
            Self::Aborted { .. }
                | Self::AttachmentTooLarge { .. }
                | Self::AttachmentUnknown
                | Self::BadLength { .. }
                | Self::BodyTooSlow { .. }
                | Self::DigestMismatch { .. }
                | Self::DrainLimit { .. }
                | Self::HeaderTimeout { .. }
                | Self::IdleTimeout { .. }
                | Self::InvalidHeader { .. }
                | Self::MessageTooLarge { .. }
                | Self::Protocol { .. }
                | Self::Truncated { .. }
                | Self::WriteTimeout { .. }
        )
    }

    /// The caller asked for something that cannot be sent.
    pub fn is_caller_fault(&self) -> bool {
        matches!(
            self,
            Self::AttachmentPending { .. }
                | Self::GoingAway
                | Self::LengthOverflow { .. }
                | Self::NotInFlight { .. }
                | Self::NotResumable { .. }
                | Self::Serialize(_)
                | Self::SourceTooLong { .. }
                | Self::SourceTooShort { .. }
                | Self::TooManyRequests { .. }
                | Self::TypeCollision { .. }
        )
    }

    /// The socket or the file failed.
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Io(_))
    }

    /// The connection is gone: closed in the middle of a frame, reset, or its pipe broken.
    pub fn is_disconnect(&self) -> bool {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
        };
        match self {
            Self::Truncated { .. } => true,
            Self::Io(e) => matches!(
                e.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
            ),
            _ => false,
        }
    }

    /// A limit of time or of rate ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::BodyTooSlow { .. }
                | Self::HeaderTimeout { .. }
                | Self::IdleTimeout { .. }
                | Self::WriteTimeout { .. }
        )
    }

    /// What the peer may be speaking instead, where a header was refused.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::BadLength { hint, .. }
            | Self::InvalidHeader { hint, .. }
            | Self::MessageTooLarge { hint, .. } => *hint,
            _ => None,
        }
    }

    /// Adds what the refused bytes look like. Errors that carry no hint stay as they are.
    pub(crate) fn with_hint(mut self, found: Option<Hint>) -> Self {
        if let Self::BadLength { hint, .. }
        | Self::InvalidHeader { hint, .. }
        | Self::MessageTooLarge { hint, .. } = &mut self
        {
            *hint = found;
        }
        self
    }
}

/// The end of a sentence: `; looks like TLS`, or nothing.
struct Looks<'a>(&'a Option<Hint>);

impl fmt::Display for Looks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(hint) => write!(f, "; looks like {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_does_not_repeat_the_source() {
        let inner = io::Error::other("the disk is on fire");
        let error = Error::from(inner);
        assert!(!error.to_string().contains("fire"));
        assert!(error::Error::source(&error).is_some_and(|s| s.to_string().contains("fire")));
    }

    #[test]
    fn a_refusal_names_what_it_looks_like() {
        let error = Error::MessageTooLarge {
            len: 9,
            max: 8,
            hint: Some(Hint::Tls),
        };
        assert_eq!(
            error.to_string(),
            "message of 9 bytes is over the limit of 8; looks like TLS"
        );
        assert_eq!(error.hint(), Some(Hint::Tls));
        assert!(error.is_peer_fault() && !error.is_io() && !error.is_caller_fault());
    }
}
