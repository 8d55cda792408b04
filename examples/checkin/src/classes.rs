//! Classes: opened, closed, looked at, corrected.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use packetboat_orm::{self as orm, DbPool, Dialect, Executor, ModelExt, try_transaction};

use crate::accounts::is_hidden;
use crate::app::App;
use crate::courses;
use crate::messages::{Arrival, Closed, Line, Taken};
use crate::models::{
    Account, Attendance, Class, Correction, Course, Enrolment, Standing, attendance, class,
    correction, enrolment,
};
use crate::refusals::{BAD_REASON, CLASS_CLOSED, FORBIDDEN, Fault, NOT_ON_ROSTER};
use crate::secrets;

/// Seconds after which a student is late, unless the teacher says otherwise: ten minutes.
pub const LATE_AFTER: i64 = 600;

/// The longest that the teacher may say: a day.
const MAX_LATE_AFTER: i64 = 24 * 60 * 60;

/// Characters of the reason of a correction at most.
const MAX_REASON: usize = 200;

/// The room of the teachers who look at a class.
pub fn room(class_id: i64) -> String {
    format!("class:{class_id}")
}

/// Opens a class of a course. If one is open already, it is that one: two teachers who open at once
/// have the same class.
///
/// # Errors
///
/// `forbidden`.
pub async fn open(
    app: &App,
    teacher: &Account,
    course_id: i64,
    late_after: i64,
) -> Result<Class, Fault> {
    let course = courses::run_by(&app.db, teacher, course_id).await?;
    let millis = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let mut made = Class {
        id: 0,
        course_id: course.id,
        open_course_id: Some(course.id),
        opened: app.clock.now(),
        closed: None,
        late_after: late_after.clamp(0, MAX_LATE_AFTER),
        secret: secrets::random::<32>(),
        every_ms: millis(app.rules.every),
        grace_ms: millis(app.rules.grace),
    };
    match made.insert(&app.db).await {
        Ok(()) => {
            tracing::info!(class = made.id, course = course.id, "class opened");
            Ok(made)
        }
        Err(error) if error.is_unique("open_course_id") => {
            let open = Class::select().filter(class::open_course_id.eq(Some(course.id)));
            // None: it was closed in this moment, and opening again is the teacher's to decide.
            open.optional(&app.db)
                .await?
                .ok_or_else(|| CLASS_CLOSED.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Closes a class, and tells the pages that show it. One that is closed stays as it is.
///
/// # Errors
///
/// `forbidden`.
pub async fn close(app: &App, teacher: &Account, class_id: i64) -> Result<(), Fault> {
    run_by(&app.db, teacher, class_id).await?;
    let open = Class::select().filter(class::id.eq(class_id) & class::closed.is_null());
    let changes = [
        class::closed.set(Some(app.clock.now())),
        class::open_course_id.set(None),
    ];
    if open.update(changes, &app.db).await? > 0 {
        tracing::info!(class = class_id, "class closed");
        tell(app, class_id, &Closed { class: class_id }).await;
    }
    Ok(())
}

/// A class that this teacher may run, and its course.
///
/// # Errors
///
/// `forbidden`: it is another teacher's, or there is none; which of the two is not told.
pub async fn run_by(db: &DbPool, who: &Account, id: i64) -> Result<(Class, Course), Fault> {
    let class = Class::find(id, db).await?.ok_or(FORBIDDEN)?;
    let course = courses::run_by(db, who, class.course_id).await?;
    Ok((class, course))
}

/// A class as it is, and stays until the transaction ends: whoever else closes it, or writes down who
/// is there under this lock, waits.
///
/// # Errors
///
/// When the database fails.
pub async fn locked(tx: impl Executor, id: i64) -> orm::Result<Option<Class>> {
    let own = Class::select().filter(class::id.eq(id));
    // SQLite's transaction has locked the whole database.
    let own = match tx.dialect() {
        Dialect::Sqlite => own,
        _ => own.for_update(),
    };
    own.optional(tx).await
}

/// The classes of a course, newest first.
///
/// # Errors
///
/// When the database fails.
pub async fn of_course(db: &DbPool, course_id: i64) -> Result<Vec<Class>, Fault> {
    let all = Class::select().filter(class::course_id.eq(course_id));
    Ok(all.order_by(class::id.desc()).all(db).await?)
}

/// The roster of a class, by number, with what is known of each.
///
/// # Errors
///
/// When the database fails.
pub async fn lines(db: &DbPool, class: &Class) -> Result<Vec<Line>, Fault> {
    let roster = courses::roster(db, class.course_id).await?;
    let rows = Attendance::select()
        .filter(attendance::class_id.eq(class.id))
        .all(db)
        .await?;
    let rows: HashMap<i64, Attendance> = rows.into_iter().map(|r| (r.student_id, r)).collect();
    Ok(roster
        .iter()
        .map(|student| line(student, rows.get(&student.id)))
        .collect())
}

/// How many of a class are there, and how many could be.
///
/// # Errors
///
/// When the database fails.
pub async fn taken(db: &DbPool, class: &Class) -> Result<Taken, Fault> {
    let all = Enrolment::select().filter(enrolment::course_id.eq(class.course_id));
    let is_here = attendance::standing.is_in([Standing::Present, Standing::Late]);
    let here = Attendance::select().filter(attendance::class_id.eq(class.id) & is_here);
    Ok(Taken {
        here: here.count(db).await?,
        total: all.count(db).await?,
    })
}

fn line(student: &Account, row: Option<&Attendance>) -> Line {
    Line {
        student: student.id,
        number: student.name.clone(),
        name: student.display.clone(),
        standing: row.map(|row| row.standing),
        arrived: row.and_then(Attendance::arrival),
    }
}

/// What a teacher changes by hand.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The class.
    pub class_id: i64,
    /// The student, by id.
    pub student_id: i64,
    /// What shall stand there.
    pub standing: Standing,
    /// Why.
    pub reason: &'a str,
}

/// Changes what is known of a student in a class, and keeps what stood there, who changed it and
/// why. It tells the pages that show the class.
///
/// # Errors
///
/// `forbidden`, `bad_reason`, and `not_on_roster`.
pub async fn correct(app: &App, teacher: &Account, change: Change<'_>) -> Result<Line, Fault> {
    let (class, _) = run_by(&app.db, teacher, change.class_id).await?;
    let reason = change.reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.chars().any(is_hidden) {
        return Err(BAD_REASON.into());
    }
    if !courses::has_student(&app.db, class.course_id, change.student_id).await? {
        return Err(NOT_ON_ROSTER.into());
    }
    let now = app.clock.now();
    let row = try_transaction(&app.db, async |tx| {
        // Of two teachers at once the second one finds what the first has made of it.
        locked(&mut *tx, class.id).await?;
        let own = attendance::class_id.eq(class.id) & attendance::student_id.eq(change.student_id);
        let found = Attendance::select().filter(own).optional(&mut *tx).await?;
        let was = found.as_ref().map_or(Standing::Absent, |row| row.standing);
        let mut row = found.unwrap_or(Attendance {
            id: 0,
            class_id: class.id,
            student_id: change.student_id,
            standing: change.standing,
            arrived: now,
            device: None,
        });
        row.standing = change.standing;
        row.save(&mut *tx).await?;
        let mut kept = Correction {
            id: 0,
            class_id: class.id,
            student_id: change.student_id,
            teacher_id: teacher.id,
            was,
            became: change.standing,
            reason: reason.to_owned(),
            made: now,
        };
        kept.insert(tx).await?;
        Ok::<_, Fault>(row)
    })
    .await?;
    let student = Account::find(change.student_id, &app.db)
        .await?
        .ok_or(NOT_ON_ROSTER)?;
    let line = line(&student, Some(&row));
    arrived(app, &class, line.clone()).await?;
    Ok(line)
}

/// Tells the pages that show a class of one line that is new or changed.
///
/// # Errors
///
/// When the database fails.
pub async fn arrived(app: &App, class: &Class, line: Line) -> Result<(), Fault> {
    let Taken { here, total } = taken(&app.db, class).await?;
    tell(app, class.id, &Arrival { line, here, total }).await;
    Ok(())
}

/// Tells the pages of a class. One that misses it reads all again: what is told is in the database.
async fn tell<M>(app: &App, class_id: i64, message: &M)
where
    M: packetboat_dispatch::Message + serde::Serialize,
{
    use packetboat_dispatch::push::SlowReader;
    let room = room(class_id);
    if let Err(error) = app
        .hub
        .room(&room)
        .send(message, SlowReader::DropOldest)
        .await
    {
        tracing::error!(%error, class = class_id, "the pages of a class were not told");
    }
}

/// A class as a student's history has it.
#[derive(Clone, Debug)]
pub struct Attended {
    /// The class.
    pub class: Class,
    /// What is known.
    pub standing: Standing,
    /// When they came, if they did.
    pub arrived: Option<DateTime<Utc>>,
}

/// A student's attendance at a course, newest class first. A class that is open counts only when
/// something is known.
///
/// # Errors
///
/// When the database fails.
pub async fn history(db: &DbPool, student_id: i64, course_id: i64) -> Result<Vec<Attended>, Fault> {
    let classes = of_course(db, course_id).await?;
    let rows = Attendance::select()
        .filter(attendance::student_id.eq(student_id))
        .all(db)
        .await?;
    let rows: HashMap<i64, Attendance> = rows.into_iter().map(|r| (r.class_id, r)).collect();
    let attended = classes.into_iter().filter_map(|class| {
        let row = rows.get(&class.id);
        (row.is_some() || class.closed.is_some()).then(|| Attended {
            standing: row.map_or(Standing::Absent, |row| row.standing),
            arrived: row.and_then(Attendance::arrival),
            class,
        })
    });
    Ok(attended.collect())
}

/// The corrections of a student in a course, newest first, each with who made it.
///
/// # Errors
///
/// When the database fails.
pub async fn corrections(
    db: &DbPool,
    student_id: i64,
    course_id: i64,
) -> Result<Vec<(Correction, Class, Account)>, Fault> {
    use crate::models::account;
    let own = Correction::select().filter(correction::student_id.eq(student_id));
    let beside = own
        .join(Class::on(class::id.eq(correction::class_id)))
        .join(Account::on(account::id.eq(correction::teacher_id)))
        .filter(class::course_id.eq(course_id));
    Ok(beside.order_by(correction::id.desc()).all(db).await?)
}
