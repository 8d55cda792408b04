//! A client of either wire that asks one thing at a time, and shares no code with the clients of
//! the crate.

use std::time::Duration;

use packetboat_dispatch::Wire;
use packetboat_framing::native::{Attached, Code, Event, Moved, Outgoing, Role, Transport};
use packetboat_framing::{Budget, Limits, Source};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};

use crate::bed::Stream;

/// Either wire.
pub(crate) enum Peer {
    Classic(Box<dyn Stream>),
    Native(Box<Native>),
}

type Native = Transport<ReadHalf<Box<dyn Stream>>, WriteHalf<Box<dyn Stream>>>;

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whether it is a value and not a refusal.
    pub(crate) flag: bool,
    pub(crate) value: Value,
}

impl Answer {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> &str {
        assert!(!self.flag, "no refusal: {}", self.value);
        self.value["code"].as_str().expect("a refusal has a code")
    }

    pub(crate) fn text(&self) -> &str {
        assert!(self.flag, "a refusal: {}", self.value);
        self.value["text"].as_str().unwrap_or_default()
    }

    pub(crate) fn msg(&self) -> &str {
        self.value["msg"].as_str().unwrap_or_default()
    }
}

impl Peer {
    pub(crate) fn new(wire: Wire, stream: Box<dyn Stream>) -> Self {
        match wire {
            Wire::Native => {
                let (read, write) = split(stream);
                // This side waits for whatever the server does, and sends whatever it is told to.
                let limits = Limits {
                    min_body_rate: 0,
                    max_attachment_bytes: u64::MAX,
                    ..Limits::default()
                };
                let budget = Budget::default();
                let transport = Transport::new(read, write, Role::Client, &limits, &budget);
                Self::Native(Box::new(transport))
            }
            _ => Self::Classic(stream),
        }
    }

    /// Sends a message that nothing follows.
    pub(crate) async fn ask(&mut self, message: impl AsRef<str>) -> Answer {
        self.upload(message, None).await.expect("an answer")
    }

    /// Sends a message and its body, whatever the message says of it. `None` when the server closes
    /// without an answer.
    pub(crate) async fn upload(
        &mut self,
        message: impl AsRef<str>,
        body: Option<&[u8]>,
    ) -> Option<Answer> {
        let len = body.map(|body| body.len() as u64);
        let request = self.send(message.as_ref(), len).await?;
        if let Some(body) = body {
            self.send_body(request, body).await;
        }
        self.answer(request).await.map(|(answer, _)| answer)
    }

    /// Sends a message and, on the native wire, says that a body of this length follows.
    pub(crate) async fn send(&mut self, message: &str, body: Option<u64>) -> Option<u32> {
        match self {
            Self::Classic(io) => {
                let mut bytes = (message.len() as i32).to_le_bytes().to_vec();
                bytes.extend_from_slice(message.as_bytes());
                io.write_all(&bytes).await.ok()?;
                Some(0)
            }
            Self::Native(native) => {
                let outgoing = Outgoing {
                    attachment: body.map(|size| Attached {
                        size: Some(size),
                        ..Attached::default()
                    }),
                    ..Outgoing::json()
                };
                let write = |out: &mut packetboat_framing::MessageWriter<'_>| {
                    std::io::Write::write_all(out, message.as_bytes())
                };
                let request = native.connection().request(&outgoing, write);
                while native.has_pending() {
                    native.drive(false).await.ok()?;
                }
                Some(request.expect("one at a time"))
            }
        }
    }

    /// Sends a whole body, or begins to: on the native wire it goes on while the answer is waited
    /// for.
    async fn send_body(&mut self, request: u32, body: &[u8]) {
        match self {
            Self::Classic(io) => {
                // A server that refuses may close before it has read all.
                let _ = io.write_all(body).await;
            }
            Self::Native(native) => {
                let source = Source::bytes(body.to_vec());
                native.send(request, source, None).expect("as announced");
            }
        }
    }

    /// Sends some bytes of a body. On the native wire they wait for credit, for a while.
    pub(crate) async fn send_some(&mut self, request: u32, bytes: &[u8]) {
        match self {
            Self::Classic(io) => drop(io.write_all(bytes).await),
            Self::Native(native) => {
                let credit = async {
                    while native.connection().sendable(request) < bytes.len() as u64 {
                        if native.next_event().expect("no rule is broken").is_none() {
                            native.drive(true).await.expect("the server lives");
                        }
                    }
                };
                if tokio::time::timeout(Duration::from_secs(1), credit)
                    .await
                    .is_err()
                {
                    return;
                }
                let connection = native.connection();
                connection.data(request, bytes, None).expect("credit");
                while native.has_pending() {
                    native.drive(false).await.expect("the server lives");
                }
            }
        }
    }

    /// The answer to a request, and the request's file if one follows.
    pub(crate) async fn answer(&mut self, request: u32) -> Option<(Answer, u64)> {
        match self {
            Self::Classic(io) => {
                let len = io.read_i32_le().await.ok()?;
                let mut message = vec![0; len as usize];
                io.read_exact(&mut message).await.ok()?;
                let value: Value = serde_json::from_slice(&message).expect("a reply is JSON");
                let flag = value["flag"].as_bool().expect("a flag");
                let file = value["file_size"].as_u64().unwrap_or(0);
                Some((Answer { flag, value }, file))
            }
            Self::Native(native) => loop {
                let answered = match native.next_event() {
                    Err(_) => return None,
                    Ok(Some(Event::Reply(reply))) => {
                        assert_eq!(reply.request, request, "one at a time");
                        let size = reply.attachment.map(|file| file.size.expect("a size"));
                        let value = serde_json::from_slice(reply.message).expect("JSON");
                        Some((Answer { flag: true, value }, size))
                    }
                    Ok(Some(Event::Error { code, message, .. })) => {
                        let value = match serde_json::from_slice(message) {
                            Ok(value) => value,
                            // Answered by the wire itself: its code has the same name.
                            Err(_) => serde_json::json!({"code": code.to_string()}),
                        };
                        Some((Answer { flag: false, value }, None))
                    }
                    Ok(Some(Event::GoingAway { .. })) => return None,
                    Ok(Some(_)) => continue,
                    Ok(None) => None,
                };
                if let Some((answer, size)) = answered {
                    if size.is_some() {
                        native.receive(request, None).expect("it was offered");
                    }
                    return Some((answer, size.unwrap_or(0)));
                }
                match native.drive(true).await {
                    Err(_) | Ok(Moved::Read(0)) => return None,
                    Ok(_) => {}
                }
            },
        }
    }

    /// At least `least` bytes of the file that follows the answer; fewer if it ends before.
    pub(crate) async fn file(&mut self, request: u32, least: u64) -> Vec<u8> {
        let mut file = Vec::new();
        match self {
            Self::Classic(io) => {
                let mut io = io.take(least);
                let _ = io.read_to_end(&mut file).await;
            }
            Self::Native(native) => {
                while (file.len() as u64) < least {
                    let n = match native.next_event() {
                        Ok(Some(Event::Data { bytes, .. })) => {
                            file.extend_from_slice(bytes);
                            bytes.len()
                        }
                        Ok(Some(Event::End { outcome, .. })) => {
                            assert!(matches!(outcome, Err(Code(_))), "it is whole");
                            break;
                        }
                        Ok(Some(_)) => continue,
                        Err(_) => break,
                        Ok(None) => match native.drive(true).await {
                            Err(_) | Ok(Moved::Read(0)) => break,
                            Ok(_) => continue,
                        },
                    };
                    native.consumed(request, n);
                }
            }
        }
        file
    }

    /// Asks for a file and takes all of it.
    pub(crate) async fn download(&mut self, message: &str) -> (Answer, Vec<u8>) {
        let request = self.send(message, None).await.expect("the server reads");
        let (answer, size) = self.answer(request).await.expect("an answer");
        let file = self.file(request, size).await;
        (answer, file)
    }

    pub(crate) async fn is_alive(&mut self) -> bool {
        let echo = r#"{"type": "echo", "text": "alive?"}"#;
        let answer = self.upload(echo, None).await;
        answer.is_some_and(|answer| answer.flag && answer.value["text"] == "alive?")
    }

    pub(crate) async fn log_in(&mut self, name: &str) -> String {
        let answer = self
            .ask(format!(r#"{{"type": "login", "name": "{name}"}}"#))
            .await;
        let session = answer.value["session"].as_str();
        session.expect("a session").to_owned()
    }
}
