//! A request as it goes out: type and session first, then the message's own fields.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::message::Message;
use crate::session::SessionId;

/// Serialises `{"type": .., "session": .., ..fields}`.
///
/// The type comes first, where a server finds it soonest. The fields are spliced in as they were
/// serialised, since `#[serde(flatten)]` would copy each through a buffer.
pub(super) fn encode<M: Message + Serialize>(
    message: &M,
    session: Option<&SessionId>,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(br#"{"type":"#);
    serde_json::to_writer(&mut out, M::TYPE)?;
    if let Some(session) = session {
        write!(out, r#","session":"{}""#, session.expose()).expect("a vector takes every byte");
    }
    let fields = out.len();
    serde_json::to_writer(&mut out, message)?;
    match &out[fields..] {
        b"{}" => {
            out.truncate(fields);
            out.push(b'}');
        }
        [b'{', ..] => out[fields] = b',',
        _ => {
            return Err(serde::ser::Error::custom(
                "a message serialises to an object",
            ));
        }
    }
    Ok(out)
}

/// The size in bytes that stands under `field` in an object, if a size stands there.
pub(super) fn size(object: &[u8], field: &str) -> Option<u64> {
    let fields: HashMap<String, &RawValue> = serde_json::from_slice(object).ok()?;
    serde_json::from_str(fields.get(field)?.get()).ok()
}

/// The session that a reply gives, if it gives one.
pub(super) fn session(reply: &[u8]) -> Option<SessionId> {
    #[derive(serde::Deserialize)]
    struct Head<'a> {
        #[serde(borrow, default)]
        session: Option<&'a RawValue>,
    }
    let head: Head<'_> = serde_json::from_slice(reply).ok()?;
    serde_json::from_str(head.session?.get()).ok()
}

/// An error of serialisation as an encoder's writer may report it.
pub(super) fn unserialisable(error: serde_json::Error) -> packetboat_framing::Error {
    packetboat_framing::Error::Serialize(Box::new(io::Error::from(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Login {
        name: &'static str,
    }

    impl Message for Login {
        const TYPE: &'static str = "log \"in\"";
        type Reply = ();
    }

    #[derive(Serialize)]
    struct Nothing {}

    impl Message for Nothing {
        const TYPE: &'static str = "nothing";
        type Reply = ();
    }

    #[derive(Serialize)]
    struct List(Vec<u8>);

    impl Message for List {
        const TYPE: &'static str = "list";
        type Reply = ();
    }

    fn text(out: Result<Vec<u8>, serde_json::Error>) -> String {
        String::from_utf8(out.expect("serialises")).expect("JSON is UTF-8")
    }

    #[test]
    fn type_and_session_stand_before_the_fields() {
        let id: SessionId = "0123456789abcdef0123456789ABCDEF".parse().expect("valid");
        let login = Login { name: "ann" };
        assert_eq!(
            text(encode(&login, None)),
            r#"{"type":"log \"in\"","name":"ann"}"#
        );
        assert_eq!(
            text(encode(&login, Some(&id))),
            r#"{"type":"log \"in\"","session":"0123456789abcdef0123456789abcdef","name":"ann"}"#
        );
        assert_eq!(text(encode(&Nothing {}, None)), r#"{"type":"nothing"}"#);
    }

    #[test]
    fn message_that_is_no_object_is_refused() {
        encode(&List(vec![1]), None).expect_err("no object");
    }

    #[test]
    fn size_is_read_where_one_stands() {
        assert_eq!(size(br#"{"a":[1],"size":7}"#, "size"), Some(7));
        assert_eq!(
            size(br#"{"size":18446744073709551615}"#, "size"),
            Some(u64::MAX)
        );
        for object in [
            r#"{}"#,
            r#"{"size":-1}"#,
            r#"{"size":"7"}"#,
            r#"{"size":1.5}"#,
            "[7]",
        ] {
            assert_eq!(size(object.as_bytes(), "size"), None, "{object}");
        }
    }

    #[test]
    fn session_is_found_in_a_reply() {
        let id = "0123456789abcdef0123456789abcdef";
        let reply = format!(r#"{{"flag":true,"session":"{id}","is_vip":0}}"#);
        assert_eq!(
            session(reply.as_bytes()).map(|id| id.expose()).as_deref(),
            Some(id)
        );
        assert!(session(br#"{"flag":true}"#).is_none());
        assert!(session(br#"{"session":"short"}"#).is_none());
        assert!(session(br#"[1]"#).is_none());
    }
}
