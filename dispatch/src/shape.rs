//! What a reply looks like: how a value and a refusal are written on a wire.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::rejection::Rejection;

/// How replies are written on the classic wire, and read again by a client.
///
/// The application chooses one for its dispatcher. [`Flagged`] is what classic clients expect,
/// [`Plain`] the shortest; an own one is three methods. The native wire has frames of its own for
/// replies and refusals, so there it only lends its words.
pub trait Shape: Clone + Send + Sync + 'static {
    /// Appends the reply that carries `value`.
    ///
    /// # Errors
    ///
    /// When the value does not serialise; `out` may then end in the middle of it.
    fn accept<T: Serialize>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), serde_json::Error>;

    /// Appends the reply that carries a refusal.
    fn reject(&self, rejection: &Rejection, out: &mut Vec<u8>);

    /// What a refusal says to people, on wires that have a place of their own for it. Default: its
    /// own text.
    fn words<'a>(&'a self, rejection: &'a Rejection) -> Cow<'a, str> {
        Cow::Borrowed(rejection.text())
    }

    /// Reads a reply.
    ///
    /// # Errors
    ///
    /// When the bytes are neither a `T` nor a refusal in this shape.
    fn decode<T: DeserializeOwned>(
        &self,
        reply: &[u8],
    ) -> Result<Result<T, Rejection>, serde_json::Error>;
}

/// The classic shape: `{"flag":true, ..value}` and `{"flag":false,"msg":"..","code":".."}`.
///
/// The value's own fields stand beside `flag`, so it is a struct, a map, or `()`; a value of
/// another kind stands under `value`.
///
/// ```
/// use packetboat_dispatch::{Flagged, Rejection, Shape};
///
/// let shape = Flagged::new().text("unknown_type", "no such request: {}");
/// let mut out = Vec::new();
/// shape.reject(&Rejection::not_logged_in(), &mut out);
/// assert_eq!(out, br#"{"flag":false,"msg":"log in first","code":"not_logged_in"}"#);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Flagged {
    texts: Arc<HashMap<&'static str, Cow<'static, str>>>,
}

impl Flagged {
    /// The shape with this crate's English texts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says refusals of this crate that have `code` in other words. `{}` stands for what the
    /// refusal names: the unknown type, the field. Refusals of the application keep their text.
    #[must_use]
    pub fn text(mut self, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.texts).insert(code, text.into());
        self
    }
}

impl Shape for Flagged {
    fn accept<T: Serialize>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        const FLAG: &[u8] = br#"{"flag":true"#;
        out.extend_from_slice(FLAG);
        let at = out.len();
        serde_json::to_writer(&mut *out, value)?;
        // The value is written whole and its opening brace turned into a comma: `flatten` would
        // cost a second serializer around every field.
        match &out[at..] {
            b"{}" | b"null" => {
                out.truncate(at);
                out.push(b'}');
            }
            [b'{', ..] => out[at] = b',',
            _ => {
                out.splice(at..at, *br#","value":"#);
                out.push(b'}');
            }
        }
        Ok(())
    }

    fn reject(&self, rejection: &Rejection, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Refusal<'a> {
            flag: bool,
            msg: &'a str,
            code: &'a str,
        }
        let msg = &*self.words(rejection);
        let refusal = Refusal {
            flag: false,
            msg,
            code: rejection.code(),
        };
        serde_json::to_writer(out, &refusal).expect("a bool and two strings always serialise");
    }

    fn words<'a>(&'a self, rejection: &'a Rejection) -> Cow<'a, str> {
        match self.texts.get(rejection.code()) {
            Some(text) if rejection.is_ours() => {
                if text.contains("{}") {
                    text.replace("{}", rejection.detail().unwrap_or_default())
                        .into()
                } else {
                    Cow::Borrowed(text)
                }
            }
            _ => Cow::Borrowed(rejection.text()),
        }
    }

    fn decode<T: DeserializeOwned>(
        &self,
        reply: &[u8],
    ) -> Result<Result<T, Rejection>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Head {
            flag: bool,
            #[serde(default)]
            msg: Option<String>,
            #[serde(default)]
            code: Option<String>,
        }
        let head: Head = serde_json::from_slice(reply)?;
        if !head.flag {
            let code = head.code.unwrap_or_else(|| "refused".to_owned());
            return Ok(Err(Rejection::new(code, head.msg.unwrap_or_default())));
        }
        decode_value(reply, "value").map(Ok)
    }
}

/// The value alone, and `{"error":{"code":"..","text":".."}}` for a refusal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

#[derive(Serialize, Deserialize)]
struct PlainError<'a> {
    #[serde(borrow)]
    error: PlainRefusal<'a>,
}

#[derive(Serialize, Deserialize)]
struct PlainRefusal<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

impl Shape for Plain {
    fn accept<T: Serialize>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        serde_json::to_writer(out, value)
    }

    fn reject(&self, rejection: &Rejection, out: &mut Vec<u8>) {
        let code = Cow::Borrowed(rejection.code());
        let text = Cow::Borrowed(rejection.text());
        let refusal = PlainError {
            error: PlainRefusal { code, text },
        };
        serde_json::to_writer(out, &refusal).expect("two strings always serialise");
    }

    fn decode<T: DeserializeOwned>(
        &self,
        reply: &[u8],
    ) -> Result<Result<T, Rejection>, serde_json::Error> {
        if reply.starts_with(br#"{"error":"#)
            && let Ok(PlainError { error }) = serde_json::from_slice(reply)
        {
            let code = error.code.into_owned();
            return Ok(Err(Rejection::new(code, error.text.into_owned())));
        }
        serde_json::from_slice(reply).map(Ok)
    }
}

/// A value from the whole reply, from one of its keys, or from nothing (`()`).
fn decode_value<T: DeserializeOwned>(reply: &[u8], key: &str) -> Result<T, serde_json::Error> {
    let whole = match serde_json::from_slice(reply) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut fields: HashMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_slice(reply)?;
    let value = match fields.remove(key) {
        Some(value) => serde_json::from_str(value.get()),
        None => serde_json::from_str("null"),
    };
    value.map_err(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Login {
        session: String,
    }

    fn flagged<T: Serialize>(value: &T) -> String {
        let mut out = Vec::new();
        Flagged::new().accept(value, &mut out).expect("serialises");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn a_flagged_value_stands_beside_its_flag() {
        let login = Login {
            session: "00ff".into(),
        };
        assert_eq!(flagged(&login), r#"{"flag":true,"session":"00ff"}"#);
        assert_eq!(flagged(&()), r#"{"flag":true}"#);
        assert_eq!(flagged(&HashMap::<String, u8>::new()), r#"{"flag":true}"#);
        assert_eq!(flagged(&[1, 2]), r#"{"flag":true,"value":[1,2]}"#);
    }

    #[test]
    fn what_a_shape_writes_it_reads() {
        fn both<S: Shape>(shape: &S) {
            let mut out = Vec::new();
            shape
                .accept(
                    &Login {
                        session: "00ff".into(),
                    },
                    &mut out,
                )
                .expect("serialises");
            let read: Login = shape.decode(&out).expect("reads").expect("no refusal");
            assert_eq!(
                read,
                Login {
                    session: "00ff".into()
                }
            );
            for list in [vec![], vec![1u8, 2]] {
                out.clear();
                shape.accept(&list, &mut out).expect("serialises");
                let read: Vec<u8> = shape.decode(&out).expect("reads").expect("no refusal");
                assert_eq!(read, list);
            }
            out.clear();
            shape.accept(&(), &mut out).expect("serialises");
            shape
                .decode::<()>(&out)
                .expect("reads")
                .expect("no refusal");
            out.clear();
            shape.reject(&Rejection::new("exists", "已存在"), &mut out);
            let refusal = shape
                .decode::<Login>(&out)
                .expect("reads")
                .expect_err("a refusal");
            assert_eq!((refusal.code(), refusal.text()), ("exists", "已存在"));
        }
        both(&Flagged::new());
        both(&Plain);
    }

    #[test]
    fn own_words_replace_only_our_texts() {
        let shape = Flagged::new()
            .text("unknown_type", "没有 {}")
            .text("exists", "never");
        let unknown = Rejection::ours("unknown_type", "unknown type").naming("fly");
        assert_eq!(shape.words(&unknown), "没有 fly");
        assert_eq!(shape.words(&Rejection::new("exists", "taken")), "taken");
    }
}
