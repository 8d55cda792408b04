//! Courses: whose they are, and who is on their roster.

use std::collections::HashMap;

use chrono::Utc;
use packetboat_orm::{DbPool, ModelExt, try_transaction};

use crate::accounts;
use crate::models::{
    Account, Course, Enrolment, Role, Teaching, account, course, enrolment, teaching,
};
use crate::refusals::{
    BAD_NAME, COURSE_EXISTS, FORBIDDEN, Fault, NOT_FOUND, ROSTER_WRONG, Refusal,
};
use crate::roster::{Entry, Mistake, Wrong};
use crate::secrets::Secret;

/// Characters of a course's name at most.
const MAX_NAME: usize = 100;

/// Makes a course of these teachers.
///
/// # Errors
///
/// `bad_name`, `course_exists`, and `not_found` where one of them is no teacher.
pub async fn create(db: &DbPool, name: &str, teachers: &[&str]) -> Result<Course, Fault> {
    let fits = !name.is_empty() && name.chars().count() <= MAX_NAME && name.trim() == name;
    if !fits || name.chars().any(accounts::is_hidden) {
        return Err(BAD_NAME.into());
    }
    try_transaction(db, async |tx| {
        let mut made = Course {
            id: 0,
            name: name.to_owned(),
            created: Utc::now(),
        };
        match made.insert(&mut *tx).await {
            Ok(()) => {}
            Err(error) if error.is_unique("name") => return Err(COURSE_EXISTS.into()),
            Err(error) => return Err(error.into()),
        }
        for teacher in teachers {
            let found = Account::select()
                .filter(account::name.eq(*teacher) & account::role.eq(Role::Teacher))
                .optional(&mut *tx)
                .await?
                .ok_or(NOT_FOUND)?;
            let mut row = Teaching {
                id: 0,
                course_id: made.id,
                account_id: found.id,
            };
            row.upsert((teaching::course_id, teaching::account_id))
                .keep()
                .run(&mut *tx)
                .await?;
        }
        Ok(made)
    })
    .await
}

/// The courses that somebody may see, by name: an admin all, a teacher and a student their own.
///
/// # Errors
///
/// When the database fails.
pub async fn of(db: &DbPool, who: &Account) -> Result<Vec<Course>, Fault> {
    let all = Course::select().order_by(course::name.asc());
    let own = match who.role {
        Role::Admin => all,
        Role::Teacher => {
            let own = Teaching::select().filter(teaching::account_id.eq(who.id));
            all.filter(course::id.is_in(own.columns(teaching::course_id)))
        }
        Role::Student => {
            let own = Enrolment::select().filter(enrolment::account_id.eq(who.id));
            all.filter(course::id.is_in(own.columns(enrolment::course_id)))
        }
    };
    Ok(own.all(db).await?)
}

/// A course that this teacher may run.
///
/// # Errors
///
/// `forbidden`: it is another teacher's, or there is none; which of the two is not told.
pub async fn run_by(db: &DbPool, who: &Account, id: i64) -> Result<Course, Fault> {
    let is_theirs = match who.role {
        Role::Admin => true,
        Role::Student => false,
        Role::Teacher => {
            Teaching::select()
                .filter(teaching::course_id.eq(id) & teaching::account_id.eq(who.id))
                .exists(db)
                .await?
        }
    };
    match Course::find(id, db).await? {
        Some(course) if is_theirs => Ok(course),
        _ => Err(FORBIDDEN.into()),
    }
}

/// Who is on the roster, by number.
///
/// # Errors
///
/// When the database fails.
pub async fn roster(db: &DbPool, course_id: i64) -> Result<Vec<Account>, Fault> {
    let ids = Enrolment::select().filter(enrolment::course_id.eq(course_id));
    Ok(Account::select()
        .filter(account::id.is_in(ids.columns(enrolment::account_id)))
        .order_by(account::name.asc())
        .all(db)
        .await?)
}

/// Whether a student is on the roster.
///
/// # Errors
///
/// When the database fails.
pub async fn has_student(db: &DbPool, course_id: i64, student_id: i64) -> Result<bool, Fault> {
    let row = enrolment::course_id.eq(course_id) & enrolment::account_id.eq(student_id);
    Ok(Enrolment::select().filter(row).exists(db).await?)
}

/// What an import has done.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Students of the file.
    pub students: usize,
    /// Those among them who have an account since now, each with the token for the first password.
    pub links: Vec<Link>,
}

/// The token by which a student sets the first password.
#[derive(Clone, Debug)]
pub struct Link {
    /// The student number.
    pub number: String,
    /// The full name.
    pub name: String,
    /// Works once; the database has its digest only.
    pub token: Secret,
}

/// Why a roster was not imported.
#[derive(Debug)]
pub enum NotImported {
    /// The mistakes, by line.
    Mistakes(Vec<Mistake>),
    /// Something else.
    Fault(Fault),
}

macro_rules! faults {
    ($($fault:ty),*) => {
        $(impl From<$fault> for NotImported {
            fn from(fault: $fault) -> Self {
                Self::Fault(fault.into())
            }
        })*
    };
}

faults!(
    Fault,
    Refusal,
    packetboat_orm::Error,
    std::io::Error,
    csv::Error
);

impl From<NotImported> for Fault {
    fn from(not: NotImported) -> Self {
        match not {
            NotImported::Mistakes(_) => ROSTER_WRONG.into(),
            NotImported::Fault(fault) => fault,
        }
    }
}

/// Puts students on the roster, all or none. Who has an account keeps it, who has none gets one,
/// and who is on the roster already stays.
///
/// # Errors
///
/// Mistakes where a number belongs to somebody of another name.
pub async fn import(
    db: &DbPool,
    course_id: i64,
    entries: &[Entry],
) -> Result<Imported, NotImported> {
    try_transaction(db, async |tx| {
        let mut known = HashMap::new();
        // So many values fit into one statement on every database.
        for part in entries.chunks(500) {
            let numbers: Vec<_> = part.iter().map(|entry| entry.number.clone()).collect();
            let found = Account::select().filter(account::name.is_in(numbers));
            for account in found.all(&mut *tx).await? {
                known.insert(account.name.clone(), account);
            }
        }
        let is_other = |entry: &&Entry| {
            let found = known.get(&entry.number);
            found.is_some_and(|a| a.role != Role::Student || a.display != entry.name)
        };
        let mistakes: Vec<_> = entries
            .iter()
            .filter(is_other)
            .map(|entry| Mistake {
                line: entry.line,
                what: Wrong::OtherName,
            })
            .collect();
        if !mistakes.is_empty() {
            return Err(NotImported::Mistakes(mistakes));
        }
        let mut links = Vec::new();
        for entry in entries {
            let student = match known.get(&entry.number) {
                Some(account) => account.id,
                None => {
                    let (number, name) = (&entry.number, &entry.name);
                    let made = accounts::create(&mut *tx, number, name, Role::Student).await;
                    let (account, token) = made.map_err(NotImported::Fault)?;
                    let (number, name) = (account.name, account.display);
                    links.push(Link {
                        number,
                        name,
                        token,
                    });
                    account.id
                }
            };
            let mut row = Enrolment {
                id: 0,
                course_id,
                account_id: student,
            };
            row.upsert((enrolment::course_id, enrolment::account_id))
                .keep()
                .run(&mut *tx)
                .await?;
        }
        Ok(Imported {
            students: entries.len(),
            links,
        })
    })
    .await
}
