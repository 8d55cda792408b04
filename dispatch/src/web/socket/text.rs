//! Text messages as requests of the native wire, and its frames as text.

use std::collections::HashMap;
use std::io::Write;
use std::task::{Context, Waker};

use bytes::Bytes;
use packetboat_framing::native::{Code, Connection, Event, Outgoing, Role};
use packetboat_framing::{Budget, Error, Limits, MessageWriter};
use tokio::io::ReadBuf;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::envelope;
use crate::rejection::{Rejection, code};
use crate::web::socket::stream::Service;
use crate::wire::Wire;

/// The longest id that is a string, in bytes.
const MAX_ID: usize = 64;
/// The largest id that is a number: beyond it JavaScript has not every integer.
const MAX_INTEGER: u64 = 1 << 53;

/// A client of the native wire that stands between the messages and the driver.
///
/// The whole driver serves text this way, with its limits, its order and its pushes, and no second one
/// has to be kept right beside it. A request costs one copy and a header of 16 bytes more than on a
/// wire of its own.
pub(super) struct Texts {
    client: Connection,
    /// The ids that the peer has chosen, as they stood there.
    ids: HashMap<u32, Box<str>>,
    id_key: &'static str,
    /// Whoever reads waits for an answer to leave.
    waits: Option<Waker>,
}

impl Texts {
    pub(super) fn new(limits: &Limits) -> Self {
        let limits = Limits {
            // Nothing is taken in bytes.
            max_attachment_bytes: 0,
            ..limits.clone()
        };
        Self {
            client: Connection::new(Role::Client, &limits, &Budget::new(0)),
            ids: HashMap::new(),
            id_key: "",
            waits: None,
        }
    }

    /// Whether as many requests are in flight as may be. Then `cx` is woken when one is answered.
    pub(super) fn is_full(&mut self, cx: &Context<'_>) -> bool {
        let is_full = !self.client.can_request();
        if is_full {
            self.waits = Some(cx.waker().clone());
        }
        is_full
    }

    /// Gives bytes of the native wire to the driver.
    pub(super) fn give(&mut self, out: &mut ReadBuf<'_>) -> usize {
        let pending = self.client.pending();
        let n = pending.len().min(out.remaining());
        out.put_slice(&pending[..n]);
        self.client.advance(n);
        n
    }

    /// Gives back buffers in which nothing stands.
    pub(super) fn relax(&mut self) {
        self.client.release();
        if self.ids.is_empty() {
            self.ids.shrink_to_fit();
        }
    }

    /// Takes a message up. Gives what is to be answered to one that is none.
    pub(super) fn request(&mut self, text: &str, service: &Service) -> Option<Utf8Bytes> {
        self.id_key = service.id_key;
        let mut id = None;
        let rejection = match self.begin(text, service, &mut id) {
            Ok(()) => return None,
            Err(rejection) => rejection,
        };
        let answering = service.app.answering();
        let refusal = answering.refuse(Wire::Native, &rejection);
        Some(self.answer(id.as_deref(), "error", &refusal.message))
    }

    fn begin(
        &mut self,
        text: &str,
        service: &Service,
        id: &mut Option<Box<str>>,
    ) -> Result<(), Rejection> {
        let key = self.id_key;
        let found = envelope::without(text, key)?;
        if let Some(value) = found.value {
            let raw = &text[value];
            if !is_id(raw) {
                let text = format!(
                    "`{key}` has to be an integer up to 2^53 or a string of at most {MAX_ID} bytes"
                );
                return Err(Rejection::ours(code::BAD_MESSAGE, text).naming(key));
            }
            *id = Some(raw.into());
        }
        if found.is_repeated {
            let text = format!("`{key}` stands twice");
            return Err(Rejection::ours(code::REPEATED_KEY, text).naming(key));
        }
        let answering = service.app.answering();
        if let Some(message_type) = &found.message_type
            && answering.replies_with_attachment(message_type)
        {
            return Err(binary_needed());
        }
        let message = found.rest;
        let write = |out: &mut MessageWriter<'_>| out.write_all(message.as_bytes());
        let sent = self.client.request(&Outgoing::json(), write);
        let request = sent.map_err(|error| match error {
            Error::GoingAway => Rejection::ours(code::SHUTTING_DOWN, "the server is stopping"),
            error => Rejection::internal().with_source(error),
        })?;
        if let Some(id) = id.take() {
            self.ids.insert(request, id);
        }
        Ok(())
    }

    /// Takes bytes of the driver, and gives the messages that they complete.
    ///
    /// # Errors
    ///
    /// The driver breaks a rule of the wire.
    pub(super) fn answers(&mut self, bytes: &[u8]) -> Result<Vec<Utf8Bytes>, Error> {
        self.client.feed(bytes);
        let mut answers = Vec::new();
        loop {
            let mut unwanted = false;
            let (request, key, message) = match self.client.next_event()? {
                None => break,
                Some(Event::Reply(reply)) if reply.attachment.is_some() => {
                    // Its route does not say that there is one.
                    unwanted = true;
                    let refusal = binary_needed();
                    let message = error(refusal.code(), refusal.text());
                    (reply.request, "error", message)
                }
                Some(Event::Reply(reply)) => (reply.request, "reply", reply.message.to_vec()),
                Some(Event::Error {
                    request,
                    code,
                    message,
                    ..
                }) => (request, "error", refusal(code, message)),
                Some(Event::Push(push)) => {
                    answers.push(utf8(push.message.to_vec()));
                    continue;
                }
                Some(Event::Refused { request, code }) => {
                    tracing::error!(request, %code, "a message does not fit the wire");
                    continue;
                }
                Some(_) => continue,
            };
            if unwanted {
                // It may have no end to be cancelled, if it is empty.
                let _ = self.client.cancel(request, Code::NOT_WANTED);
            }
            let id = self.ids.remove(&request);
            answers.push(self.answer(id.as_deref(), key, &message));
        }
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
        Ok(answers)
    }

    fn answer(&self, id: Option<&str>, key: &str, message: &[u8]) -> Utf8Bytes {
        let mut text = Vec::with_capacity(message.len() + 96);
        text.push(b'{');
        if let Some(id) = id {
            text.extend_from_slice(b"\"");
            text.extend_from_slice(self.id_key.as_bytes());
            text.extend_from_slice(b"\":");
            text.extend_from_slice(id.as_bytes());
            text.push(b',');
        }
        text.extend_from_slice(b"\"");
        text.extend_from_slice(key.as_bytes());
        text.extend_from_slice(b"\":");
        text.extend_from_slice(message);
        text.push(b'}');
        utf8(text)
    }
}

/// What an answer with bytes behind it is refused with.
fn binary_needed() -> Rejection {
    let text = "the reply has an attachment, which text cannot carry: use binary messages";
    Rejection::ours(code::BINARY_NEEDED, text)
}

/// The refusal of the application, or one in its place.
fn refusal(code: Code, message: &[u8]) -> Vec<u8> {
    if message.is_empty() {
        let name = code.name().unwrap_or(code::INTERNAL);
        return error(name, "refused by the wire");
    }
    message.to_vec()
}

fn error(code: &str, msg: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({"code": code, "msg": msg}))
        .expect("two strings always serialise")
}

fn utf8(text: Vec<u8>) -> Utf8Bytes {
    // JSON is UTF-8 whoever has written it; what a handler has serialised by hand may be anything.
    Utf8Bytes::try_from(Bytes::from(text)).unwrap_or_else(|_| {
        tracing::error!("an answer is no UTF-8");
        Utf8Bytes::from_static("{\"error\":{\"code\":\"internal\",\"msg\":\"no UTF-8\"}}")
    })
}

/// Whether a value can be given back as an id.
fn is_id(raw: &str) -> bool {
    if raw.starts_with('"') {
        let text: Result<String, _> = serde_json::from_str(raw);
        return text.is_ok_and(|text| text.len() <= MAX_ID);
    }
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let integer = digits.parse::<u64>();
    digits.bytes().all(|byte| byte.is_ascii_digit()) && integer.is_ok_and(|n| n <= MAX_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_an_integer_or_a_short_string() {
        let longest = format!("\"{}\"", "x".repeat(64));
        for id in [
            "0",
            "7",
            "-3",
            "9007199254740992",
            "\"\"",
            "\"a b\"",
            &longest,
        ] {
            assert!(is_id(id), "{id}");
        }
        let too_long = format!("\"{}\"", "x".repeat(65));
        for id in [
            "9007199254740993",
            "99999999999999999999",
            "1.0",
            "1e3",
            "-",
            "null",
            "true",
            "[]",
            "{}",
            "NaN",
            r#""\ud800""#,
            &too_long,
        ] {
            assert!(!is_id(id), "{id}");
        }
    }
}
