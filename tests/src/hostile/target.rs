//! The server: where it is, and what may be asked of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::hostile::script::{Played, Wire, Wrong, wrong};
use crate::hostile::{classic, native};

/// In a message: how many bytes follow it.
const SIZE: &str = "$size";
/// In a message: 32 hexadecimal digits that no other has.
const UNIQUE: &str = "$unique";

/// A server under test.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens, on every wire that is tried.
    pub addr: SocketAddr,
    /// A message that is answered at once, be it by a refusal, and always alike.
    pub good: Value,
    /// A message that a file follows, which is read to its end.
    pub upload: Option<Ask>,
    /// A message whose reply a file of 8 bytes or more follows.
    pub download: Option<Ask>,
    /// A message whose answer takes a second or more, and whose handler may be stopped.
    pub wait: Option<Ask>,
    /// How long a message may take from its first byte on. What comes of the very first ones may take half of it.
    pub header_time: Duration,
    /// Bytes of the longest message of a stranger.
    pub max_message: usize,
    /// How long an answer may take that is due at once.
    pub patience: Duration,
    /// What the good message is answered with.
    pub(super) answers: Answers,
}

/// What a script may need of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A message whose reply a file follows.
    Download,
    /// A message that a file follows.
    Upload,
    /// A message that is answered late.
    Wait,
}

/// A message, and what is said before it on the same connection: a login, say. A `session` that a reply gives is sent
/// along from then on.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What is said before.
    pub before: Vec<Value>,
    /// The message. `"$size"` in it is the number of bytes that follow, `"$unique"` differs each time.
    pub message: Value,
}

/// The answers to the good message.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    pub(super) classic: Option<Value>,
    pub(super) native: Option<(u8, u32, Vec<u8>)>,
}

impl Target {
    /// A server of which nothing is known but what a good message is. Defaults: those of packetboat's limits, and 5 s of
    /// patience.
    #[must_use]
    pub fn new(addr: SocketAddr, good: Value) -> Self {
        Self {
            addr,
            good,
            upload: None,
            download: None,
            wait: None,
            header_time: Duration::from_secs(10),
            max_message: 64 * 1024,
            patience: Duration::from_secs(5),
            answers: Answers::default(),
        }
    }

    /// Hears what the good message is answered with, so that later answers can be held against it.
    ///
    /// # Errors
    ///
    /// When it is not answered on one of these wires.
    pub fn learn(&mut self, wires: &[Wire]) -> Result<(), Wrong> {
        for wire in wires {
            match wire {
                Wire::Classic => self.answers.classic = Some(classic::good_answer(self)?),
                Wire::Native => self.answers.native = Some(native::good_answer(self)?),
            }
        }
        Ok(())
    }

    /// Says these messages on a connection of its own, whatever they are answered with.
    ///
    /// # Errors
    ///
    /// When one is not answered.
    pub fn prepare(&self, messages: &[Value]) -> Result<(), Wrong> {
        classic::prepare(self, messages)
    }

    /// Uploads a file as a good peer does, on the classic wire, whatever it is answered with.
    ///
    /// # Errors
    ///
    /// When it is not answered, or there is nothing to upload with.
    pub fn put(&self, file: &[u8]) -> Result<(), Wrong> {
        classic::put(self, file)
    }

    /// What is asked of it where a script needs this.
    #[must_use]
    pub fn ask(&self, need: Need) -> Option<&Ask> {
        match need {
            Need::Download => self.download.as_ref(),
            Need::Upload => self.upload.as_ref(),
            Need::Wait => self.wait.as_ref(),
        }
    }
}

impl Ask {
    /// Out of an array of messages, the last of which is the one that is meant.
    #[must_use]
    pub fn of(messages: Value) -> Option<Self> {
        let Value::Array(mut messages) = messages else {
            return Some(Self {
                before: Vec::new(),
                message: messages,
            });
        };
        let message = messages.pop()?;
        Some(Self {
            before: messages,
            message,
        })
    }

    /// The key under which the message states how many bytes follow.
    pub(super) fn size_key(&self) -> Option<&str> {
        let members = self.message.as_object()?;
        let found = members.iter().find(|(_, value)| *value == SIZE);
        found.map(|(key, _)| key.as_str())
    }
}

/// A message with its placeholders filled, and the session that is held.
pub(super) fn fill(message: &Value, size: u64, session: Option<&Value>) -> Value {
    let Value::Object(members) = message else {
        return message.clone();
    };
    let mut filled: Map<String, Value> = members
        .iter()
        .map(|(key, value)| {
            let value = match value.as_str() {
                Some(SIZE) => json!(size),
                Some(UNIQUE) => json!(unique()),
                _ => value.clone(),
            };
            (key.clone(), value)
        })
        .collect();
    if let Some(session) = session {
        filled.insert("session".to_owned(), session.clone());
    }
    Value::Object(filled)
}

/// A file that no other script has: a server may keep but one of a kind.
pub(super) fn body() -> [u8; 10] {
    let unique = unique();
    let hash = blake3::hash(unique.as_bytes()).to_hex();
    hash.as_bytes()
        .first_chunk()
        .copied()
        .expect("64 digits are more than ten")
}

/// Differs within a run by a count, and between runs by the clock.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.unwrap_or_default().as_nanos() as u64;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{nanos:016x}{count:016x}")
}

/// Whether something came in the time that it has, with room for a busy machine.
pub(super) fn in_time(took: Duration, due: Duration) -> Played {
    let (least, most) = (due / 2, due + Duration::from_secs(2));
    if took < least || took > most {
        return wrong(format!("it took {took:?}, due after {due:?}"));
    }
    Ok(())
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Download => "--download",
            Self::Upload => "--upload",
            Self::Wait => "--wait",
        })
    }
}
