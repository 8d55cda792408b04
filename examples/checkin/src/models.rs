//! The tables: accounts, courses, classes, attendance and its corrections; and those that the
//! server keeps for itself.

use chrono::{DateTime, Utc};
use packetboat_orm::{Field, Model};
use serde::{Deserialize, Serialize};

use crate::secrets::Secret;

/// The kinds of account.
#[derive(Clone, Copy, Debug, Deserialize, Field, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Makes teachers and courses, and may do what a teacher of any course may.
    Admin,
    /// Opens classes of the courses that are theirs.
    Teacher,
    /// Signs in.
    Student,
}

/// What is known of a student in a class.
#[derive(Clone, Copy, Debug, Deserialize, Field, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not there. A student without a row in a class is that, too.
    Absent,
    /// Not there, for a reason that a teacher has accepted.
    Excused,
    /// There, after the time at which the class counts as begun.
    Late,
    /// There in time.
    Present,
}

impl Standing {
    /// Whether the student was there.
    pub fn is_here(self) -> bool {
        matches!(self, Self::Late | Self::Present)
    }
}

/// An account.
#[derive(Clone, Debug, Model)]
pub struct Account {
    /// Chosen by the database.
    pub id: i64,
    /// What is typed to log in: a teacher's name, a student's number. Unique.
    #[model(unique, size = 64)]
    pub name: String,
    /// What people read.
    #[model(size = 64)]
    pub display: String,
    /// Which kind of account.
    #[model(size = 8)]
    pub role: Role,
    /// Argon2id as a PHC string; nothing until the first password is set.
    #[model(size = 255)]
    pub password: Option<Secret>,
    /// The SHA-256 of the token of the link by which the first password is set, in hexadecimal.
    #[model(unique, size = 64)]
    pub invite: Option<String>,
    /// Set by an operator; refused from the next request on.
    #[model(default = false)]
    pub is_locked: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// A course.
#[derive(Clone, Debug, Model)]
pub struct Course {
    /// Chosen by the database.
    pub id: i64,
    /// Unique.
    #[model(unique, size = 100)]
    pub name: String,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// Whose course it is. A course may have several teachers.
#[derive(Clone, Debug, Model)]
#[model(unique(course_id, account_id))]
pub struct Teaching {
    /// Chosen by the database.
    pub id: i64,
    /// The course.
    #[model(references = Course)]
    pub course_id: i64,
    /// The teacher.
    #[model(references = Account, index)]
    pub account_id: i64,
}

/// Who is on the roster of a course.
#[derive(Clone, Debug, Model)]
#[model(unique(course_id, account_id))]
pub struct Enrolment {
    /// Chosen by the database.
    pub id: i64,
    /// The course.
    #[model(references = Course)]
    pub course_id: i64,
    /// The student.
    #[model(references = Account, index)]
    pub account_id: i64,
}

/// One meeting of a course, for which students sign in while it is open.
#[derive(Clone, Debug, Model)]
pub struct Class {
    /// Chosen by the database.
    pub id: i64,
    /// The course.
    #[model(references = Course, index)]
    pub course_id: i64,
    /// The course's id again while the class is open, else nothing. Unique, so that of two
    /// teachers who open a class at once one opens it, and the other finds it open.
    #[model(unique)]
    pub open_course_id: Option<i64>,
    /// When it was opened.
    pub opened: DateTime<Utc>,
    /// When it was closed.
    pub closed: Option<DateTime<Utc>>,
    /// Seconds after the opening from which on who comes is late.
    pub late_after: i64,
    /// The key of its codes: 32 random bytes, in hexadecimal.
    #[model(size = 64)]
    pub secret: Secret,
    /// Milliseconds that a code stands on the wall. Kept here, so that a server that is started
    /// again with another setting changes nothing for a class that is open.
    pub every_ms: i64,
    /// Milliseconds that a code is still taken after it has gone.
    pub grace_ms: i64,
}

/// A student's attendance at a class.
#[derive(Clone, Debug, Model)]
#[allow(
    clippy::duplicated_attributes,
    reason = "two keys may have a column in common"
)]
#[model(unique(class_id, student_id))]
#[model(unique(class_id, device))]
pub struct Attendance {
    /// Chosen by the database.
    pub id: i64,
    /// The class.
    #[model(references = Class)]
    pub class_id: i64,
    /// The student.
    #[model(references = Account, index)]
    pub student_id: i64,
    /// What is known.
    #[model(size = 8)]
    pub standing: Standing,
    /// When the student signed in, or when a teacher wrote this down.
    pub arrived: DateTime<Utc>,
    /// Stands for the device that was signed in with, in this class alone; nothing where a
    /// teacher wrote this down. Unique in a class.
    #[model(size = 64)]
    pub device: Option<String>,
}

impl Attendance {
    /// When the student came; nothing for who did not.
    pub fn arrival(&self) -> Option<DateTime<Utc>> {
        self.standing.is_here().then_some(self.arrived)
    }
}

/// A change by hand, kept for good.
#[derive(Clone, Debug, Model)]
pub struct Correction {
    /// Chosen by the database.
    pub id: i64,
    /// The class.
    #[model(references = Class, index)]
    pub class_id: i64,
    /// The student.
    #[model(references = Account, index)]
    pub student_id: i64,
    /// Who changed it.
    #[model(references = Account)]
    pub teacher_id: i64,
    /// What stood there.
    #[model(size = 8)]
    pub was: Standing,
    /// What stands there since.
    #[model(size = 8)]
    pub became: Standing,
    /// Why.
    #[model(size = 200)]
    pub reason: String,
    /// When.
    pub made: DateTime<Utc>,
}

/// A code that a student has tried. Rows older than a minute count nothing and are removed.
#[derive(Clone, Debug, Model)]
#[model(index(student_id, at))]
pub struct Attempt {
    /// Chosen by the database.
    pub id: i64,
    /// Who.
    pub student_id: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// A session that outlives its connection.
#[derive(Clone, Debug, Model)]
#[model(table = "session")]
pub struct KeptSession {
    /// The SHA-256 of its id, in hexadecimal.
    #[model(key, size = 64)]
    pub key: String,
    /// The account's id.
    #[model(index, size = 64)]
    pub subject: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last used.
    pub touched: DateTime<Utc>,
    /// The longest time without a request.
    pub idle_seconds: i64,
    /// The longest time after the login.
    pub absolute_seconds: i64,
    /// When it ends if nobody uses it, for sweeping.
    #[model(index)]
    pub expires: DateTime<Utc>,
}

/// What the server has made up once and must not forget.
#[derive(Clone, Debug, Model)]
pub struct Setting {
    /// What it is.
    #[model(key, size = 32)]
    pub name: String,
    /// Its value.
    #[model(size = 64)]
    pub value: Secret,
}
