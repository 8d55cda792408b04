//! What each wire makes of a value, and of a refusal.

use packetboat_framing::native::Code;
use serde::Serialize;

use crate::rejection::{Rejection, code};
use crate::shape::Shape;

/// A wire that a connection may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// One request at a time behind a `<i` length; replies in the shape that the application chose.
    Classic,
    /// Many requests at a time; a reply is the value alone, and a refusal has a frame of its own.
    /// Also inside of a WebSocket.
    Native,
}

/// What a connection speaks, which may carry a wire or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Requests of HTTP, none of which is the dispatcher's.
    #[cfg(feature = "web")]
    Http,
    /// The native wire, in messages; or text that is translated into it.
    #[cfg(feature = "web")]
    WebSocket,
    Wire(Wire),
}

impl Speaks {
    /// Its name, for logs and for what is counted.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            #[cfg(feature = "web")]
            Self::Http => "http",
            #[cfg(feature = "web")]
            Self::WebSocket => "websocket",
            Self::Wire(wire) => wire.as_str(),
        }
    }
}

impl Wire {
    /// Its name, for logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Native => "native",
        }
    }

    /// Appends the reply that carries a value.
    pub(crate) fn accept<T: Serialize>(
        self,
        shape: &impl Shape,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        match self {
            Self::Classic => shape.accept(value, out),
            Self::Native => serde_json::to_writer(out, value),
        }
    }

    /// Appends the reply that carries a refusal. On the native wire that is `{"code":..,"msg":..}`,
    /// and the shape lends its words.
    pub(crate) fn reject(self, shape: &impl Shape, rejection: &Rejection, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Refusal<'a> {
            code: &'a str,
            msg: &'a str,
        }
        match self {
            Self::Classic => shape.reject(rejection, out),
            Self::Native => {
                let msg = &*shape.words(rejection);
                let code = rejection.code();
                serde_json::to_writer(out, &Refusal { code, msg })
                    .expect("two strings always serialise");
            }
        }
    }
}

/// The number of a refusal on the native wire.
pub(crate) fn native_code(rejection: &Rejection) -> Code {
    if !rejection.is_ours() {
        return Code::APPLICATION;
    }
    match rejection.code() {
        code::ATTACHMENT_TOO_LARGE => Code::ATTACHMENT_TOO_LARGE,
        code::BAD_ATTACHMENT_SIZE
        | code::BAD_JSON
        | code::BAD_MESSAGE
        | code::MISSING_TYPE
        | code::REPEATED_KEY
        | code::TOO_DEEP => Code::BAD_MESSAGE,
        code::CANCELLED => Code::CANCELLED,
        code::DEADLINE_EXCEEDED => Code::DEADLINE_EXCEEDED,
        code::DIGEST_MISMATCH => Code::DIGEST_MISMATCH,
        code::INTERNAL | code::TIMEOUT => Code::INTERNAL,
        code::UNKNOWN_TYPE => Code::UNKNOWN_TYPE,
        _ => Code::APPLICATION,
    }
}
