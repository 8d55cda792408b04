//! Where in a room's stream a reader is.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names one life of a room's stream. When its history is lost, numbers begin again, and this is
/// another one: nobody can mistake a new message for one that it has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

/// A place in a room's stream: that of the last message that was read. Whoever comes again with it
/// gets what came after.
///
/// ```
/// use packetboat_dispatch::push::Position;
///
/// let position: Position = serde_json::from_str(r#"{"epoch":"7f3a","seq":41}"#).unwrap();
/// assert_eq!((position.epoch.as_str(), position.seq), ("7f3a", 41));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The life of the stream.
    pub epoch: Epoch,
    /// The number in it, from 1 on without a hole; 0 is before the first.
    pub seq: u64,
}

impl Epoch {
    /// A new one, at random.
    ///
    /// # Panics
    ///
    /// If the system has no randomness to give.
    #[must_use]
    pub fn generate() -> Self {
        Self::from(format!("{:016x}", random()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Eight bytes of the system's randomness.
pub(super) fn random() -> u64 {
    getrandom::u64().expect("the system gives randomness")
}

impl<T: Into<Arc<str>>> From<T> for Epoch {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
