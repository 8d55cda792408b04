//! A course: its classes, its roster, its attendance as a file.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use packetboat_orm::ModelExt;
use serde::Deserialize;

use crate::accounts;
use crate::app::App;
use crate::classes;
use crate::courses::{self, Link, NotImported};
use crate::models::{Account, Attendance, Class, Course, Standing, attendance, class};
use crate::pages::view::{CoursePage, Frame, HistoryPage, LinksPage, page, page_with};
use crate::pages::visit::Visit;
use crate::refusals::{Fault, NOT_ON_ROSTER};
use crate::roster::{self, Mistake};
use crate::sheet;

pub(super) async fn course(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
) -> Result<Response, Fault> {
    let course = courses::run_by(&app.db, visit.teacher()?, id).await?;
    shown(&app, &visit, &course, Vec::new(), "").await
}

async fn shown(
    app: &App,
    visit: &Visit,
    course: &Course,
    mistakes: Vec<Mistake>,
    csv: &str,
) -> Result<Response, Fault> {
    let status = if mistakes.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let page = CoursePage {
        f: Frame::of(visit),
        course,
        classes: classes::of_course(&app.db, course.id).await?,
        students: courses::roster(&app.db, course.id).await?,
        mistakes,
        csv,
    };
    page_with(status, &page)
}

#[derive(Deserialize)]
pub(super) struct Roster {
    csv: String,
}

pub(super) async fn import(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
    Form(Roster { csv }): Form<Roster>,
) -> Result<Response, Fault> {
    let course = courses::run_by(&app.db, visit.teacher()?, id).await?;
    let imported = match roster::read(csv.as_bytes()) {
        Ok(entries) => courses::import(&app.db, course.id, &entries).await,
        Err(mistakes) => Err(NotImported::Mistakes(mistakes)),
    };
    match imported {
        Ok(imported) => page(&LinksPage {
            f: Frame::of(&visit),
            title: &course.name,
            students: Some(imported.students),
            links: imported.links,
            base: &visit.base,
            back: format!("/courses/{}", course.id),
        }),
        Err(NotImported::Mistakes(mistakes)) => shown(&app, &visit, &course, mistakes, &csv).await,
        Err(NotImported::Fault(fault)) => Err(fault),
    }
}

#[derive(Deserialize)]
pub(super) struct Opening {
    late: u16,
}

pub(super) async fn open(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
    Form(Opening { late }): Form<Opening>,
) -> Result<Response, Fault> {
    let class = classes::open(&app, visit.teacher()?, id, i64::from(late) * 60).await?;
    Ok(Redirect::to(&format!("/classes/{}", class.id)).into_response())
}

pub(super) async fn student(
    State(app): State<App>,
    visit: Visit,
    Path((course, student)): Path<(i64, i64)>,
) -> Result<Response, Fault> {
    let (course, student) = found(&app, &visit, course, student).await?;
    page(&HistoryPage {
        f: Frame::of(&visit),
        attended: classes::history(&app.db, student.id, course.id).await?,
        corrections: classes::corrections(&app.db, student.id, course.id).await?,
        course: &course,
        student: &student,
    })
}

/// A new link for the first password. For somebody who has one already it is an operator's to give:
/// otherwise a teacher could become any student of any course.
pub(super) async fn link(
    State(app): State<App>,
    visit: Visit,
    Path((course, student)): Path<(i64, i64)>,
) -> Result<Response, Fault> {
    let (course, student) = found(&app, &visit, course, student).await?;
    let token = accounts::invite_first(&app.db, student.id).await?;
    let back = format!("/courses/{}/students/{}", course.id, student.id);
    let (number, name) = (student.name, student.display);
    page(&LinksPage {
        f: Frame::of(&visit),
        title: &course.name,
        students: None,
        links: vec![Link {
            number,
            name,
            token,
        }],
        base: &visit.base,
        back,
    })
}

async fn found(
    app: &App,
    visit: &Visit,
    course: i64,
    student: i64,
) -> Result<(Course, Account), Fault> {
    let course = courses::run_by(&app.db, visit.teacher()?, course).await?;
    if !courses::has_student(&app.db, course.id, student).await? {
        return Err(NOT_ON_ROSTER.into());
    }
    let student = Account::find(student, &app.db)
        .await?
        .ok_or(NOT_ON_ROSTER)?;
    Ok((course, student))
}

pub(super) async fn sheet(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
) -> Result<Response, Fault> {
    let course = courses::run_by(&app.db, visit.teacher()?, id).await?;
    let (students, mut classes) = (
        courses::roster(&app.db, course.id).await?,
        classes::of_course(&app.db, course.id).await?,
    );
    classes.reverse();
    let own = Class::select()
        .filter(class::course_id.eq(course.id))
        .columns(class::id);
    let rows = Attendance::select()
        .filter(attendance::class_id.is_in(own))
        .all(&app.db)
        .await?;
    let known: HashMap<(i64, i64), Standing> = rows
        .iter()
        .map(|row| ((row.student_id, row.class_id), row.standing))
        .collect();
    let w = visit.lang.words();
    let mut head = vec![w.number.to_owned(), w.name.to_owned()];
    head.extend(classes.iter().map(|class| sheet::time(class.opened)));
    let mut lines = vec![head];
    for student in &students {
        let mut line = vec![student.name.clone(), student.display.clone()];
        line.extend(classes.iter().map(|class| {
            match (known.get(&(student.id, class.id)), class.closed) {
                (Some(standing), _) => w.of(*standing).to_owned(),
                (None, Some(_)) => w.absent.to_owned(),
                (None, None) => String::new(),
            }
        }));
        lines.push(line);
    }
    file(&format!("{}.csv", course.name), &lines)
}

/// An answer that is saved as a file.
pub(super) fn file(name: &str, lines: &[Vec<String>]) -> Result<Response, Fault> {
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, sheet::disposition(name)),
    ];
    Ok((headers, sheet::write(lines)?).into_response())
}
