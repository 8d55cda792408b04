//! A message without one of its members.

use std::borrow::Cow;
use std::ops::Range;

use crate::envelope::scan::Scanner;
use crate::envelope::{TYPE, string};
use crate::rejection::Rejection;

/// A member, and the message without it.
pub(crate) struct Found<'a> {
    /// Where the member's value stands, if it is there.
    pub(crate) value: Option<Range<usize>>,
    /// The key stands there twice; the last one was found.
    pub(crate) is_repeated: bool,
    /// The message's type, where it has one.
    pub(crate) message_type: Option<Cow<'a, str>>,
    /// The message, with spaces in the member's place.
    pub(crate) rest: Cow<'a, str>,
}

/// Takes the member with this key out of a message.
///
/// # Errors
///
/// When the message is not one JSON object, or is nested too deeply.
pub(crate) fn without<'a>(text: &'a str, key: &str) -> Result<Found<'a>, Rejection> {
    let mut scanner = Scanner::new(text);
    let (mut found, mut count) = (None, 0);
    let mut message_type = None;
    // Behind the brace, or behind the value before.
    let mut end = text.find('{').map_or(0, |brace| brace + 1);
    scanner.members(|found_key, value, _| {
        if found_key == TYPE {
            message_type = string(text, value.clone());
        }
        let begin = std::mem::replace(&mut end, value.end);
        if found_key == key {
            count += 1;
            found = Some((begin, value));
        }
    })?;
    let Some((begin, value)) = found else {
        return Ok(Found {
            value: None,
            is_repeated: false,
            message_type,
            rest: Cow::Borrowed(text),
        });
    };
    let mut gone = begin..value.end;
    let comma = text[value.end..].find(|c: char| !c.is_ascii_whitespace());
    if !text[begin..].trim_ascii_start().starts_with(',')
        && let Some(comma) = comma.map(|n| value.end + n)
        && text.as_bytes()[comma] == b','
    {
        // It is the first one, and the comma behind it has to go.
        gone.end = comma + 1;
    }
    let mut rest = String::with_capacity(text.len());
    rest.push_str(&text[..gone.start]);
    rest.extend(std::iter::repeat_n(' ', gone.len()));
    rest.push_str(&text[gone.end..]);
    Ok(Found {
        value: Some(value),
        is_repeated: count > 1,
        message_type,
        rest: Cow::Owned(rest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_goes_wherever_it_stands() {
        for text in [
            r#"{"id":7}"#,
            r#"{"id":7,"type":"a"}"#,
            r#" { "id" : 7 , "type" : "a" } "#,
            r#"{"type":"a","id":7}"#,
            r#"{"type":"a","id":7,"id2":{"id":1}}"#,
            r#"{"type":"a" , "x":[1,{"id":2}], "\u0069d" : 7 , "y":"}"}"#,
            "{\"id\":\n7\n,\"type\":\"a\"}",
        ] {
            let found = without(text, "id").expect("JSON");
            let value = found.value.expect("it is there");
            assert_eq!(&text[value], "7", "{text}");
            assert_eq!(found.rest.len(), text.len());
            let mut whole: serde_json::Value = serde_json::from_str(text).expect("JSON");
            whole.as_object_mut().expect("an object").remove("id");
            let rest: serde_json::Value = serde_json::from_str(&found.rest).expect("JSON");
            assert_eq!(rest, whole, "{text}");
        }
        let none = without(r#"{"type":"a"}"#, "id").expect("JSON");
        assert_eq!((none.value, none.message_type), (None, Some("a".into())));
        assert!(without("{}", "id").expect("JSON").value.is_none());
        assert!(without(r#"[{"id":7}]"#, "id").is_err());
        let twice = without(r#"{"id":7,"id":8}"#, "id").expect("JSON");
        assert!(twice.is_repeated);
    }
}
