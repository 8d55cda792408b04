//! The wire contract: what pages and programs may ask, and what they are told.

use chrono::{DateTime, Utc};
use packetboat_dispatch::{Message, SessionId};
use serde::{Deserialize, Serialize};

use crate::models::Standing;
use crate::secrets::Secret;

/// Opens a session, which outlives the connection until a logout or an operator ends it. Pages log in
/// by a form; this is for programs.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "login", reply = LoggedIn)]
pub struct Login {
    /// A teacher's name, or a student's number.
    pub name: String,
    /// The password.
    pub password: Secret,
}

/// Who has logged in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LoggedIn {
    /// Stands in each message from then on, as `session`.
    pub session: SessionId,
    /// The full name.
    pub name: String,
}

/// Ends the session that sends it.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[message(type = "logout", reply = ())]
pub struct Logout {}

/// Asks a teacher for their courses, and a student for theirs.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[message(type = "list_courses", reply = Vec<CourseLine>, safe)]
pub struct ListCourses {}

/// A course.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct CourseLine {
    /// Its id.
    pub course: i64,
    /// Its name.
    pub name: String,
    /// The class that is open, if one is.
    pub open_class: Option<i64>,
}

/// Opens a class of a course, or finds the one that is open.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[message(type = "open_class", reply = ClassOpened, safe)]
pub struct OpenClass {
    /// The course.
    pub course: i64,
    /// Seconds after which a student is late; ten minutes by default.
    #[serde(default = "late_after")]
    pub late_after: i64,
}

fn late_after() -> i64 {
    crate::classes::LATE_AFTER
}

/// A class that is open.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct ClassOpened {
    /// Its id.
    pub class: i64,
    /// When it was opened.
    pub opened: DateTime<Utc>,
}

/// Closes a class.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[message(type = "close_class", reply = (), safe)]
pub struct CloseClass {
    /// The class.
    pub class: i64,
}

/// Asks for a class as it is, and from then on for its codes and its arrivals as pushes: [`Code`],
/// [`Arrival`] and [`Closed`].
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[message(type = "watch_class", reply = ClassView, safe)]
pub struct WatchClass {
    /// The class.
    pub class: i64,
}

/// A class as it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ClassView {
    /// Its id.
    pub class: i64,
    /// The name of its course.
    pub course: String,
    /// When it was opened.
    pub opened: DateTime<Utc>,
    /// When it was closed.
    pub closed: Option<DateTime<Utc>>,
    /// Milliseconds that a code stands on the wall.
    pub every_ms: i64,
    /// Milliseconds that it is taken after that.
    pub grace_ms: i64,
    /// Everybody on the roster, by number.
    pub lines: Vec<Line>,
    /// How many are there.
    pub here: u64,
    /// How many could be.
    pub total: u64,
}

/// A student in a class.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The student's id.
    pub student: i64,
    /// The student number.
    pub number: String,
    /// The full name.
    pub name: String,
    /// What is known, if anything is.
    pub standing: Option<Standing>,
    /// When they signed in, or when a teacher wrote down that they are there; nothing for who is not.
    pub arrived: Option<DateTime<Utc>>,
}

/// How many of a class are there, and how many could be.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Present or late.
    pub here: u64,
    /// On the roster.
    pub total: u64,
}

/// The code that is on the wall from now on. As a push its data is the text itself:
/// `{"type": "code", "data": "K7Q2MX"}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Code(pub String);

impl Message for Code {
    const TYPE: &'static str = "code";
    type Reply = ();
}

/// A line that is new or changed, as a push to all who watch the class.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "arrival", reply = ())]
pub struct Arrival {
    /// The line as it is now.
    pub line: Line,
    /// How many are there.
    pub here: u64,
    /// How many could be.
    pub total: u64,
}

/// The class is over, as a push to all who watch it.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[message(type = "closed", reply = ())]
pub struct Closed {
    /// The class.
    pub class: i64,
}

/// Changes what is known of a student in a class.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "correct", reply = Line)]
pub struct Correct {
    /// The class.
    pub class: i64,
    /// The student's id.
    pub student: i64,
    /// What shall stand there.
    pub standing: Standing,
    /// Why; at most 200 characters.
    pub reason: String,
}

/// Signs the caller in to a class; safe to send again.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[message(type = "check_in", reply = CheckedIn, safe)]
pub struct CheckIn {
    /// The class.
    pub class: i64,
    /// The code on the wall.
    pub code: String,
    /// What this device is called, 16 to 64 characters. A browser's is in its cookie, and what
    /// stands here does not count then.
    #[serde(default)]
    pub device: Option<String>,
}

/// What stands in the list.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct CheckedIn {
    /// Present or late; or what a teacher has written down.
    pub standing: Standing,
    /// Whether it stood there before.
    pub already: bool,
}
