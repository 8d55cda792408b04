//! Signing in: who, to which class, with which code, on which device, how often.

use chrono::Duration;
use packetboat_orm::{DbPool, ModelExt, transaction};

use crate::app::App;
use crate::classes;
use crate::codes::{self, Verdict};
use crate::courses;
use crate::messages::Line;
use crate::models::{
    Account, Attempt, Attendance, Class, Enrolment, Standing, attempt, attendance, class, enrolment,
};
use crate::refusals::{
    CLASS_CLOSED, CODE_ELSEWHERE, CODE_EXPIRED, CODE_WRONG, DEVICE_USED, Fault, NOT_ON_ROSTER,
    TOO_MANY_ATTEMPTS,
};
use crate::secrets;

/// Codes that a student may try in a minute.
pub const ATTEMPTS: u64 = 5;

/// How long an attempt counts.
const ATTEMPT_TIME: Duration = Duration::minutes(1);

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// What stands in the list.
    pub standing: Standing,
    /// Whether it stood there before.
    pub is_known: bool,
}

/// Signs a student in to a class, once: asked again, it says what stands there.
///
/// # Errors
///
/// `not_on_roster` (also for a class that does not exist), `class_closed`, `too_many_attempts`,
/// `code_expired`, `code_of_another_class`, `code_wrong`, `device_used`. Whatever is refused
/// leaves no row but that of the attempt.
///
/// # Cancel safety
///
/// Dropping the future has signed in or has not; asking again tells.
pub async fn sign_in(
    app: &App,
    student: &Account,
    class_id: i64,
    typed: &str,
    device: &str,
) -> Result<SignedIn, Fault> {
    let class = Class::find(class_id, &app.db).await?.ok_or(NOT_ON_ROSTER)?;
    if !courses::has_student(&app.db, class.course_id, student.id).await? {
        return Err(NOT_ON_ROSTER.into());
    }
    if let Some(known) = known(&app.db, class.id, student.id).await? {
        return Ok(known);
    }
    if class.closed.is_some() {
        return Err(CLASS_CLOSED.into());
    }
    attempt(app, student.id).await?;
    match codes::judge(&class, typed, app.clock.millis()) {
        Verdict::Current => {}
        Verdict::Expired => return Err(CODE_EXPIRED.into()),
        Verdict::Wrong if is_elsewhere(app, student, class.id, typed).await? => {
            return Err(CODE_ELSEWHERE.into());
        }
        Verdict::Wrong => return Err(CODE_WRONG.into()),
    }
    let now = app.clock.now();
    let is_late = now > class.opened + Duration::seconds(class.late_after);
    let mut row = Attendance {
        id: 0,
        class_id: class.id,
        student_id: student.id,
        standing: if is_late {
            Standing::Late
        } else {
            Standing::Present
        },
        arrived: now,
        // Of another class it is another text: nobody can follow a device through the term.
        device: Some(secrets::hex(&secrets::mac(
            &class.secret,
            &[b"device", device.as_bytes()],
        ))),
    };
    let inserted = transaction(&app.db, async |tx| {
        match classes::locked(&mut *tx, class.id).await? {
            Some(class) if class.closed.is_none() => row.insert(tx).await.map(|()| true),
            _ => Ok(false),
        }
    });
    match inserted.await {
        Ok(true) => {}
        Ok(false) => return Err(CLASS_CLOSED.into()),
        Err(error) if error.is_unique("student_id") || error.is_unique("device") => {
            // The same student at the same moment, or another one with this device.
            let known = known(&app.db, class.id, student.id).await?;
            return known.ok_or_else(|| DEVICE_USED.into());
        }
        Err(error) => return Err(error.into()),
    }
    let line = Line {
        student: student.id,
        number: student.name.clone(),
        name: student.display.clone(),
        standing: Some(row.standing),
        arrived: Some(row.arrived),
    };
    classes::arrived(app, &class, line).await?;
    Ok(SignedIn {
        standing: row.standing,
        is_known: false,
    })
}

/// What stands in the list, if something does.
///
/// # Errors
///
/// When the database fails.
pub async fn known(db: &DbPool, class_id: i64, student_id: i64) -> Result<Option<SignedIn>, Fault> {
    let own = attendance::class_id.eq(class_id) & attendance::student_id.eq(student_id);
    let row = Attendance::select().filter(own).optional(db).await?;
    Ok(row.map(|row| SignedIn {
        standing: row.standing,
        is_known: true,
    }))
}

/// The classes that are open for this student.
///
/// # Errors
///
/// When the database fails.
pub async fn open_for(db: &DbPool, student_id: i64) -> Result<Vec<Class>, Fault> {
    let own = Enrolment::select().filter(enrolment::account_id.eq(student_id));
    let open = class::closed.is_null() & class::course_id.is_in(own.columns(enrolment::course_id));
    Ok(Class::select()
        .filter(open)
        .order_by(class::id.asc())
        .all(db)
        .await?)
}

/// Counts an attempt, or refuses it.
///
/// Written down first and counted then: of a hundred at once, each sees all that were written before
/// its own count, so that no more than [`ATTEMPTS`] pass. One that is refused counts nothing, so
/// that who waits a minute may try again.
async fn attempt(app: &App, student_id: i64) -> Result<(), Fault> {
    let now = app.clock.now();
    let mut row = Attempt {
        id: 0,
        student_id,
        at: now,
    };
    row.insert(&app.db).await?;
    let own = Attempt::select().filter(attempt::student_id.eq(student_id));
    let counted = own
        .clone()
        .filter(attempt::at.gt(now - ATTEMPT_TIME))
        .count(&app.db)
        .await?;
    if counted > ATTEMPTS {
        row.delete(&app.db).await?;
        return Err(TOO_MANY_ATTEMPTS.into());
    }
    own.filter(attempt::at.le(now - ATTEMPT_TIME))
        .delete(&app.db)
        .await?;
    Ok(())
}

/// Whether the code is on the wall of another class of this student's. Of classes that are none of
/// theirs nothing is told.
async fn is_elsewhere(
    app: &App,
    student: &Account,
    class_id: i64,
    typed: &str,
) -> Result<bool, Fault> {
    let now = app.clock.millis();
    let open = open_for(&app.db, student.id).await?;
    let others = open.iter().filter(|other| other.id != class_id);
    Ok(others
        .into_iter()
        .any(|other| codes::judge(other, typed, now) == Verdict::Current))
}
