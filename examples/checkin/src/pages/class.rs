//! A class: who is there, the wall, and the picture of its code.

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;

use crate::app::App;
use crate::classes::{self, Change};
use crate::codes;
use crate::models::Standing;
use crate::pages::course::file;
use crate::pages::view::{ClassPage, Frame, ScreenPage, page, script_texts};
use crate::pages::visit::Visit;
use crate::refusals::{BAD_REQUEST, Fault};
use crate::sheet;

pub(super) async fn list(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
) -> Result<Response, Fault> {
    let (class, course) = classes::run_by(&app.db, visit.teacher()?, id).await?;
    page(&ClassPage {
        f: Frame::of(&visit),
        lines: classes::lines(&app.db, &class).await?,
        taken: classes::taken(&app.db, &class).await?,
        texts: script_texts(visit.lang)?,
        class: &class,
        course: &course,
    })
}

pub(super) async fn screen(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
) -> Result<Response, Fault> {
    let (class, course) = classes::run_by(&app.db, visit.teacher()?, id).await?;
    page(&ScreenPage {
        f: Frame::of(&visit),
        taken: classes::taken(&app.db, &class).await?,
        texts: script_texts(visit.lang)?,
        class: &class,
        course: &course,
    })
}

#[derive(Deserialize)]
pub(super) struct Shown {
    code: String,
}

/// The picture of a code that the page has been pushed. It says nothing that the page does not.
pub(super) async fn qr(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
    Query(Shown { code }): Query<Shown>,
) -> Result<Response, Fault> {
    classes::run_by(&app.db, visit.teacher()?, id).await?;
    let code = codes::normalised(&code);
    let is_code = code.len() == codes::LEN && code.bytes().all(|b| codes::ALPHABET.contains(&b));
    if !is_code {
        return Err(BAD_REQUEST.into());
    }
    // Few modules, so that the back row's cameras see them: the text is short, and a wall is clean.
    let link = format!("{}/c/{id}?code={code}", visit.base);
    let picture = QrCode::with_error_correction_level(link, EcLevel::L)?;
    let picture = picture.render::<svg::Color<'_>>().quiet_zone(true).build();
    Ok(([(CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

pub(super) async fn close(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
) -> Result<Response, Fault> {
    classes::close(&app, visit.teacher()?, id).await?;
    Ok(Redirect::to(&format!("/classes/{id}")).into_response())
}

#[derive(Deserialize)]
pub(super) struct Corrected {
    student: i64,
    standing: Standing,
    reason: String,
}

pub(super) async fn correct(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
    Form(form): Form<Corrected>,
) -> Result<Response, Fault> {
    let change = Change {
        class_id: id,
        student_id: form.student,
        standing: form.standing,
        reason: &form.reason,
    };
    classes::correct(&app, visit.teacher()?, change).await?;
    Ok(Redirect::to(&format!("/classes/{id}")).into_response())
}

pub(super) async fn sheet(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
) -> Result<Response, Fault> {
    let (class, course) = classes::run_by(&app.db, visit.teacher()?, id).await?;
    let w = visit.lang.words();
    let mut rows = vec![
        [w.number, w.name, w.standing, w.arrived]
            .map(str::to_owned)
            .to_vec(),
    ];
    for line in classes::lines(&app.db, &class).await? {
        let standing = match (line.standing, class.closed) {
            (Some(standing), _) => w.of(standing),
            (None, Some(_)) => w.absent,
            (None, None) => "",
        };
        let arrived = line.arrived.map(sheet::time).unwrap_or_default();
        rows.push(vec![line.number, line.name, standing.to_owned(), arrived]);
    }
    let day = sheet::local(class.opened).format("%Y-%m-%d %H.%M");
    file(&format!("{} {day}.csv", course.name), &rows)
}
