//! What a node says and is told: the messages of `bin/node`, a small server of which many share a Redis.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use std::{fmt, io};

use packetboat_dispatch::Message;
use packetboat_dispatch::push::Position;
use serde::{Deserialize, Serialize};

use crate::child::Child;

/// Joins a room, present under a name where there is one.
#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(type = "enter", reply = Position)]
pub struct Enter {
    /// The room.
    pub room: String,
    /// The last that was read of it.
    pub after: Option<Position>,
    /// Who is present then.
    pub name: Option<String>,
}

/// Says something in a room. The answer is where it stands.
#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(type = "say", reply = Position)]
pub struct Say {
    /// The room.
    pub room: String,
    /// What is said.
    pub said: Said,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Message)]
#[message(type = "said", reply = ())]
pub struct Said {
    /// Who says it.
    pub who: String,
    /// Its number among what this one says.
    pub n: u64,
}

/// Who is present in a room.
#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(type = "who", reply = Names)]
pub struct Who {
    /// The room.
    pub room: String,
}

/// Who is present.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Names {
    /// In the order in which they came.
    pub names: Vec<String>,
}

/// Commits something to the database, and then tells the room of it. The answer is its number there.
#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(type = "post", reply = Posted)]
pub struct Post {
    /// The room.
    pub room: String,
    /// What is posted.
    pub text: String,
}

/// What was posted, as the answer and as the push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[message(type = "posted", reply = ())]
pub struct Posted {
    /// Its number in the room, from 1 on without a hole.
    pub number: i64,
    /// The text.
    pub text: String,
}

/// What was committed in a room after a number: for whoever finds a hole.
#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(type = "read", reply = Page)]
pub struct Read {
    /// The room.
    pub room: String,
    /// The last number that is known.
    pub after: i64,
}

/// Some of what was committed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    /// In the order of their numbers.
    pub posts: Vec<Posted>,
}

/// How a node is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Where its Redis is.
    pub redis: String,
    /// Between two signs of life, and between two looks at what was missed.
    pub beat: Duration,
    /// Where what is posted is committed.
    pub database: Option<String>,
    /// It dies after this commit, before anybody is told of it.
    pub dies_after: Option<u64>,
}

impl Start {
    /// A node that has this Redis, with half a second between its signs of life.
    #[must_use]
    pub fn new(redis: impl Into<String>) -> Self {
        Self {
            redis: redis.into(),
            beat: Duration::from_millis(500),
            database: None,
            dies_after: None,
        }
    }

    /// Starts it, and waits until it serves.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn spawn(&self, log: &Path) -> io::Result<Child> {
        let mut args: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: &dyn fmt::Display| {
            args.extend([name.into(), value.to_string().into()]);
        };
        add("--redis", &self.redis);
        add("--beat", &self.beat.as_millis());
        if let Some(database) = &self.database {
            add("--database", database);
        }
        if let Some(commits) = self.dies_after {
            add("--dies-after", &commits);
        }
        Child::spawn("node", args, log).await
    }
}
