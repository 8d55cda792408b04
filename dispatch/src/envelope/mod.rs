//! One scan: type, session, size; what JSON forbids and Python sends.

mod decode;
mod scan;
#[cfg(feature = "web")]
mod without;

pub(crate) use decode::{Fields, decode};

#[cfg(feature = "web")]
pub(crate) use without::without;

use std::borrow::Cow;
use std::ops::Range;

use crate::rejection::{Rejection, code};
use scan::Scanner;

/// The key of a message's type.
const TYPE: &str = "type";
/// The key of a session's token.
const SESSION: &str = "session";

/// The deepest nesting that is refused, as in serde_json, but counted in ignored values too.
pub(crate) const MAX_DEPTH: u32 = 128;

/// What one scan of a message found, before anything is known of its type.
///
/// The scan is strict about structure and takes `NaN`, `Infinity`, `-Infinity` and lone
/// surrogates, which Python's `json` writes, as opaque values: the envelope is then still good,
/// and the typed decode says which field is not.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    /// The whole message, which the scan has found to be UTF-8.
    pub(crate) text: &'a str,
    /// The type; `None` when it is missing or is no string.
    pub(crate) message_type: Option<Cow<'a, str>>,
    /// The token of a session, where it is a string.
    pub(crate) session: Option<Cow<'a, str>>,
    /// For each key that some route uses for the size of its attachment: where its value stands.
    sizes: Vec<(&'static str, Range<usize>)>,
    /// The first key of the envelope that stands there twice.
    pub(crate) repeated: Option<&'static str>,
    /// Whether there is a value that JSON forbids.
    has_forbidden: bool,
}

impl<'a> Envelope<'a> {
    /// Scans a message. `size_keys` are the keys under which routes state an attachment's size.
    ///
    /// # Errors
    ///
    /// When the message is not one JSON object in UTF-8, or is nested too deeply. What follows the
    /// message on the wire is then unknown.
    pub(crate) fn scan(message: &'a [u8], size_keys: &[&'static str]) -> Result<Self, Rejection> {
        let text = std::str::from_utf8(message).map_err(|_| bad_json())?;
        let mut envelope = Self {
            text,
            message_type: None,
            session: None,
            sizes: Vec::new(),
            repeated: None,
            has_forbidden: false,
        };
        let (mut seen_type, mut seen_session) = (false, false);
        let mut scanner = Scanner::new(text);
        scanner.members(|key, value, _| {
            let first = match &*key {
                TYPE => {
                    envelope.message_type = string(text, value);
                    !std::mem::replace(&mut seen_type, true)
                }
                SESSION => {
                    envelope.session = string(text, value);
                    !std::mem::replace(&mut seen_session, true)
                }
                key => match size_keys.iter().find(|size| **size == key) {
                    Some(size) => {
                        let first = envelope.size_span(size).is_none();
                        if first {
                            envelope.sizes.push((size, value));
                        }
                        first
                    }
                    None => return,
                },
            };
            if !first {
                let size = size_keys.iter().find(|size| **size == key).copied();
                let repeated = if key == TYPE {
                    TYPE
                } else {
                    size.unwrap_or(SESSION)
                };
                envelope.repeated.get_or_insert(repeated);
            }
        })?;
        envelope.has_forbidden = scanner.has_forbidden();
        Ok(envelope)
    }

    /// Whether the message states the size of an attachment, whatever its type.
    pub(crate) fn states_a_size(&self) -> bool {
        !self.sizes.is_empty()
    }

    /// Whether something stands under this key, of those for sizes.
    pub(crate) fn states(&self, key: &str) -> bool {
        self.size_span(key).is_some()
    }

    /// The size that the message states under this key.
    ///
    /// # Errors
    ///
    /// When it is missing, or is no whole number from 0 to 2^63 - 1 written in plain digits: `-1`,
    /// `1.5`, `1e3` and `"5"` are not sizes.
    pub(crate) fn attachment_len(&self, key: &'static str) -> Result<u64, Rejection> {
        let digits = self.size_span(key).map(|span| &self.text.as_bytes()[span]);
        digits
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse::<i64>().ok())
            .map(i64::cast_unsigned)
            .ok_or_else(|| {
                let text = format!("`{key}` has to be the number of bytes that follow");
                Rejection::ours(code::BAD_ATTACHMENT_SIZE, text).naming(key)
            })
    }

    fn size_span(&self, key: &str) -> Option<Range<usize>> {
        self.sizes
            .iter()
            .find(|(size, _)| *size == key)
            .map(|(_, span)| span.clone())
    }
}

/// The value of a string, or `None` for anything else.
fn string(text: &str, value: Range<usize>) -> Option<Cow<'_, str>> {
    let raw = &text[value];
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

fn bad_json() -> Rejection {
    Rejection::ours(code::BAD_JSON, "the message is not a JSON object")
}

fn too_deep() -> Rejection {
    Rejection::ours(code::TOO_DEEP, "the message is nested too deeply")
}

#[cfg(test)]
mod tests;
