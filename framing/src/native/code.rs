//! Why a request or a connection ended, as a number.

use std::fmt;

/// The reason in an error, end, cancel or going-away frame.
///
/// Numbers below 64 end the connection, those from 64 on end one request. A number that is not
/// known is treated as [`INTERNAL`](Self::INTERNAL).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u32);

/// The constants, their names and the table of both: sixteen copies in three places otherwise.
macro_rules! codes {
    ($($(#[$doc:meta])+ $constant:ident = $number:literal, $name:literal;)+) => {
        impl Code {
            $($(#[$doc])+ pub const $constant: Self = Self($number);)+

            /// Every code of version 1 with its name, in rising order.
            pub const ALL: &[(Self, &'static str)] = &[$((Self::$constant, $name)),+];

            /// Its name as `WIRE.md` has it, or `None` for a number that is not known.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// Nothing is wrong: the connection is to end in good order.
    NONE = 0, "none";
    /// The two sides have no version in common.
    UNSUPPORTED_VERSION = 1, "unsupported_version";
    /// A kind that version 1 does not have.
    UNKNOWN_KIND = 2, "unknown_kind";
    /// A flag that this kind does not have.
    BAD_FLAGS = 3, "bad_flags";
    /// A codec or a type where none belongs, or none where one does.
    BAD_FIELD = 4, "bad_field";
    /// A length that this kind does not have.
    BAD_LENGTH = 5, "bad_length";
    /// An extension block that is malformed, or holds a field that does not belong there.
    BAD_EXTENSION = 6, "bad_extension";
    /// A request id that is zero, does not rise, or was never opened.
    BAD_ID = 7, "bad_id";
    /// A frame that this side or this state does not allow.
    UNEXPECTED_FRAME = 8, "unexpected_frame";
    /// More requests at once than the preface allowed.
    TOO_MANY_REQUESTS = 9, "too_many_requests";
    /// More data than there was credit for.
    CREDIT_EXCEEDED = 10, "credit_exceeded";
    /// Credit beyond the largest that may be outstanding.
    CREDIT_OVERFLOW = 11, "credit_overflow";
    /// More or fewer bytes in an attachment than was announced.
    WRONG_SIZE = 12, "wrong_size";
    /// A message so far over the limit that not even skipping it is worth while.
    FRAME_TOO_LARGE = 13, "frame_too_large";
    /// Frames that want an answer, from a peer that does not read the answers.
    FLOOD = 14, "flood";
    /// Too slow, or silent for too long.
    TIMEOUT = 15, "timeout";
    /// A fault of the side that says it.
    CONNECTION_INTERNAL = 16, "connection_internal";

    /// The application refused; the payload says why.
    APPLICATION = 64, "application";
    /// The request was cancelled.
    CANCELLED = 65, "cancelled";
    /// The request's deadline has passed.
    DEADLINE_EXCEEDED = 66, "deadline_exceeded";
    /// Not begun, because the connection is about to end. Safe to send again elsewhere.
    GOING_AWAY = 67, "going_away";
    /// The payload is in a codec that this side does not know.
    UNSUPPORTED_CODEC = 68, "unsupported_codec";
    /// The message is over the limit.
    MESSAGE_TOO_LARGE = 69, "message_too_large";
    /// The attachment is over the limit.
    ATTACHMENT_TOO_LARGE = 70, "attachment_too_large";
    /// No handler has this type.
    UNKNOWN_TYPE = 71, "unknown_type";
    /// The message could not be decoded.
    BAD_MESSAGE = 72, "bad_message";
    /// The attachment's content is not what its digest says.
    DIGEST_MISMATCH = 73, "digest_mismatch";
    /// Whatever the attachment was read from failed or came to an early end.
    SOURCE_FAILED = 74, "source_failed";
    /// The rest of the attachment is not wanted.
    NOT_WANTED = 75, "not_wanted";
    /// The attachment came, or was taken, too slowly.
    TOO_SLOW = 76, "too_slow";
    /// Not begun, because there is too much to do. Safe to send again later.
    OVERLOADED = 77, "overloaded";
    /// A fault of the side that says it.
    INTERNAL = 78, "internal";
}

impl Code {
    /// Whether it ends the connection and not only one request.
    pub fn is_connection(self) -> bool {
        self.0 < 64
    }

    /// Whether the request was certainly not begun, so that it may be sent again whatever it does.
    pub fn is_not_begun(self) -> bool {
        matches!(
            self,
            Self::GOING_AWAY
                | Self::UNSUPPORTED_CODEC
                | Self::MESSAGE_TOO_LARGE
                | Self::UNKNOWN_TYPE
                | Self::OVERLOADED
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "code {}", self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_names_are_told() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (code, name) in Code::ALL {
            assert_eq!(code.to_string(), *name);
        }
        assert_eq!(Code(9999).to_string(), "code 9999");
        assert!(Code::FLOOD.is_connection() && !Code::APPLICATION.is_connection());
    }
}
