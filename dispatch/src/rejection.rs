//! A refusal the peer may read: stable code, safe text.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use crate::push::PushError;

/// The codes that this crate itself answers with. They never change their meaning.
pub mod code {
    /// The size of the attachment is missing, or is not a whole number that a file can have.
    pub const BAD_ATTACHMENT_SIZE: &str = "bad_attachment_size";
    /// The attachment ended early, or came too slowly.
    pub const ATTACHMENT_CUT: &str = "attachment_cut";
    /// The attachment is larger than the server takes.
    pub const ATTACHMENT_TOO_LARGE: &str = "attachment_too_large";
    /// A field is missing or holds a value that its type cannot.
    pub const BAD_MESSAGE: &str = "bad_message";
    /// The client has cancelled the request.
    pub const CANCELLED: &str = "cancelled";
    /// The deadline that came with the request has passed.
    pub const DEADLINE_EXCEEDED: &str = "deadline_exceeded";
    /// The attachment is not what its digest says.
    pub const DIGEST_MISMATCH: &str = "digest_mismatch";
    /// The reply has an attachment, and the request came as text: only binary messages carry one.
    pub const BINARY_NEEDED: &str = "binary_needed";
    /// The message is not a JSON object.
    pub const BAD_JSON: &str = "bad_json";
    /// The caller may not do this.
    pub const FORBIDDEN: &str = "forbidden";
    /// Something failed on the server; its log says what.
    pub const INTERNAL: &str = "internal";
    /// The message has no type.
    pub const MISSING_TYPE: &str = "missing_type";
    /// The caller has to log in first.
    pub const NOT_LOGGED_IN: &str = "not_logged_in";
    /// The same attachment is being received already; try again.
    pub const PART_IN_USE: &str = "part_in_use";
    /// The connection's wire has no pushes.
    pub const PUSH_UNAVAILABLE: &str = "push_unavailable";
    /// A key of the envelope stands twice in one message.
    pub const REPEATED_KEY: &str = "repeated_key";
    /// The server is stopping.
    pub const SHUTTING_DOWN: &str = "shutting_down";
    /// The handler took longer than it may.
    pub const TIMEOUT: &str = "timeout";
    /// The message is nested deeper than 128 levels.
    pub const TOO_DEEP: &str = "too_deep";
    /// The connection is in as many rooms as it may be.
    pub const TOO_MANY_ROOMS: &str = "too_many_rooms";
    /// No handler takes messages of this type.
    pub const UNKNOWN_TYPE: &str = "unknown_type";
}

/// A refusal: a stable code for programs and a text for people, both safe to send.
///
/// Any error turns into one by `?`: the peer then reads [`code::INTERNAL`] and a fixed text, while
/// the error itself goes to the log and nowhere else. For that reason a rejection is not an error
/// itself, as in anyhow.
///
/// ```
/// use packetboat_dispatch::Rejection;
///
/// fn parse(text: &str) -> Result<i64, Rejection> {
///     if text.is_empty() {
///         return Err(Rejection::new("no_number", "a number is needed"));
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("").unwrap_err().code(), "no_number");
/// assert_eq!(parse("secret").unwrap_err().text(), "something went wrong on the server");
/// ```
pub struct Rejection {
    code: Cow<'static, str>,
    text: Cow<'static, str>,
    /// What a text of this crate names: a field, a type.
    detail: Option<Box<str>>,
    /// Whether this crate chose the text, so that a wire may say it in its own words.
    ours: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Rejection {
    /// A refusal of the application.
    pub fn new(code: impl Into<Cow<'static, str>>, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: code.into(),
            text: text.into(),
            detail: None,
            ours: false,
            source: None,
        }
    }

    /// Keeps the reason for the log; it is never sent.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// "log in first".
    #[must_use]
    pub fn not_logged_in() -> Self {
        Self::ours(code::NOT_LOGGED_IN, "log in first")
    }

    /// "not allowed".
    #[must_use]
    pub fn forbidden() -> Self {
        Self::ours(code::FORBIDDEN, "not allowed")
    }

    /// "something went wrong on the server".
    #[must_use]
    pub fn internal() -> Self {
        Self::ours(code::INTERNAL, "something went wrong on the server")
    }

    /// A refusal in this crate's own words, which a wire may replace.
    pub(crate) fn ours(code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: code.into(),
            text: text.into(),
            detail: None,
            ours: true,
            source: None,
        }
    }

    /// The same for another peer, without the reason, which has been logged.
    pub(crate) fn repeated(&self) -> Self {
        Self {
            code: self.code.clone(),
            text: self.text.clone(),
            detail: self.detail.clone(),
            ours: self.ours,
            source: None,
        }
    }

    /// What the text names, for a wire that says it in other words.
    pub(crate) fn naming(mut self, detail: &str) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The stable code, for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The text, for people.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What one of this crate's own texts names: the unknown type, the field that was wrong.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Whether the text is this crate's own, so that a [`Shape`](crate::Shape) may replace it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.ours
    }

    /// The reason, for the operator.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.source.as_deref()
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Rejection {
    fn from(error: E) -> Self {
        // An upload that its peer cut is no failure of the server.
        let framing = (&error as &dyn Any).downcast_ref::<packetboat_framing::Error>();
        if let Some(packetboat_framing::Error::DigestMismatch { .. }) = framing {
            let text = "the attachment is not what its digest says";
            return Self::ours(code::DIGEST_MISMATCH, text);
        }
        if let Some(packetboat_framing::Error::PartInUse) = framing {
            let text = "the same attachment is being received already";
            return Self::ours(code::PART_IN_USE, text);
        }
        if framing.is_some_and(|error| error.is_peer_fault() || error.is_disconnect()) {
            return Self::ours(code::ATTACHMENT_CUT, "the attachment did not arrive whole");
        }
        let push = (&error as &dyn Any).downcast_ref::<PushError>();
        if let Some(refusal) = push.and_then(PushError::refusal) {
            return refusal;
        }
        Self::internal().with_source(error)
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("code", &self.code)
            .field("text", &self.text)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_stays_on_the_server() {
        let rejection = Rejection::from(std::io::Error::other("/srv/blobs: no space"));
        assert_eq!(rejection.code(), code::INTERNAL);
        assert!(!rejection.to_string().contains("blobs"));
        let source = rejection.source().expect("the reason is kept").to_string();
        assert_eq!(source, "/srv/blobs: no space");
    }
}
