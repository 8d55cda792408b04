//! The typed decode: a message into its own struct, or a refusal that names the field.

use std::borrow::Cow;

use serde::de::{self, DeserializeOwned, Visitor};

use crate::envelope::Envelope;
use crate::envelope::scan::Scanner;
use crate::rejection::{Rejection, code};

/// The fields that a message's type knows, aliases too; `None` when it may know any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields(Option<&'static [&'static str]>);

impl Fields {
    /// Asks a type for its fields by letting it begin to deserialise.
    pub(crate) fn of<T: DeserializeOwned>() -> Self {
        let mut fields = None;
        // The probe answers every question with an error, so no value can come out of it.
        let _ = T::deserialize(Probe(&mut fields));
        Self(fields)
    }

    fn know(self, key: &str) -> bool {
        self.0.is_none_or(|fields| fields.contains(&key))
    }
}

/// Decodes a message that has been scanned.
///
/// What JSON forbids is an error in a field that the type knows, and nothing in others.
pub(crate) fn decode<T: DeserializeOwned>(
    envelope: &Envelope<'_>,
    fields: Fields,
) -> Result<T, Rejection> {
    let text = envelope.text;
    if !envelope.has_forbidden {
        return serde_json::from_str(text).map_err(|error| explain(text, &error));
    }
    let text = without_forbidden(text, fields)?;
    serde_json::from_str(&text).map_err(|error| explain(&text, &error))
}

/// A text of the same length in which forbidden values of unknown keys are harmless ones. One more
/// scan, however many there are.
#[cold]
fn without_forbidden(text: &str, fields: Fields) -> Result<String, Rejection> {
    let mut refused = None;
    let mut scanner = Scanner::mending(text);
    scanner.members(|key, _, forbidden| {
        if let Some(span) = forbidden
            && fields.know(&key)
        {
            refused.get_or_insert((key, span));
        }
    })?;
    if let Some((key, span)) = refused {
        let what = if text[span].starts_with('\\') {
            "half of a surrogate pair"
        } else {
            "a number that JSON does not have"
        };
        let text = format!("`{key}` holds {what}");
        return Err(Rejection::ours(code::BAD_MESSAGE, text).naming(&key));
    }
    Ok(scanner.into_mended().expect("this scanner mends"))
}

/// The key of the outermost object whose value begins last before an offset.
fn key_at_offset(text: &str, offset: usize) -> Option<Cow<'_, str>> {
    let mut found = None;
    let _ = Scanner::new(text).members(|key, value, _| {
        // A value of the wrong kind (`[` for a number) is looked at and not read, so the last byte
        // that was read stands before it.
        if value.start <= offset + 1 {
            found = Some(key);
        }
    });
    found
}

/// Words for a peer: which field, and what was expected. The value itself is not repeated.
#[cold]
fn explain(text: &str, error: &serde_json::Error) -> Rejection {
    let said = error.to_string();
    let said = said
        .rsplit_once(" at line ")
        .map_or(&*said, |(said, _)| said);
    if let Some(field) = quoted(said, "missing field ") {
        let text = format!("`{field}` is missing");
        return Rejection::ours(code::BAD_MESSAGE, text).naming(field);
    }
    if let Some(field) = quoted(said, "duplicate field ") {
        let text = format!("`{field}` stands twice");
        return Rejection::ours(code::BAD_MESSAGE, text).naming(field);
    }
    if let Some(field) = quoted(said, "unknown field ") {
        let text = format!("`{field}` is not known");
        return Rejection::ours(code::BAD_MESSAGE, text).naming(field);
    }
    // A type that checks its fields by itself (`#[serde(try_from = "..")]`) has no offset to give,
    // and names the field in serde's way.
    let key = match quoted(said, "field ") {
        Some(field) => Some(Cow::Borrowed(field)),
        None => offset_of(text, error).and_then(|offset| key_at_offset(text, offset)),
    };
    let expected = said
        .rsplit_once(", expected ")
        .map(|(_, expected)| expected);
    let text = match (&key, expected) {
        (Some(key), Some(expected)) => format!("`{key}` has to be {expected}"),
        (Some(key), None) => format!("`{key}` holds what it cannot"),
        (None, _) => "the message does not fit its type".to_owned(),
    };
    Rejection::ours(code::BAD_MESSAGE, text).naming(key.as_deref().unwrap_or_default())
}

/// The name in backticks that follows `prefix`.
fn quoted<'a>(said: &'a str, prefix: &str) -> Option<&'a str> {
    let name = said.strip_prefix(prefix)?.strip_prefix('`')?;
    name.split_once('`').map(|(name, _)| name)
}

/// Where an error was found: the last byte that was read.
fn offset_of(text: &str, error: &serde_json::Error) -> Option<usize> {
    let line = error.line().checked_sub(1)?;
    let start = match line {
        0 => 0,
        _ => text.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    Some((start + error.column()).saturating_sub(1))
}

/// A deserializer that only listens for which fields a struct asks.
struct Probe<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> de::Deserializer<'de> for Probe<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only a probe"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = Some(fields);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
