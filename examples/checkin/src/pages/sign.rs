//! Signing in on a phone: a code, typed or scanned, and a button.

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use packetboat_orm::ModelExt;
use serde::Deserialize;

use crate::app::App;
use crate::courses;
use crate::models::{Class, Course};
use crate::pages::refused::status;
use crate::pages::view::{Frame, SignPage, page, page_with};
use crate::pages::visit::Visit;
use crate::refusals::{Fault, NOT_ON_ROSTER};
use crate::signing::{self, SignedIn};

#[derive(Deserialize)]
pub(super) struct Scanned {
    #[serde(default)]
    code: String,
}

/// The form, with what was scanned in it. Reading changes nothing, not even with a good code: a
/// link that somebody sends does not sign anybody in.
pub(super) async fn form(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
    Query(Scanned { code }): Query<Scanned>,
) -> Result<Response, Fault> {
    let (class, course) = found(&app, &visit, id).await?;
    page(&SignPage {
        f: Frame::of(&visit),
        known: signing::known(&app.db, class.id, visit.student()?.id).await?,
        class: &class,
        course: &course,
        code: &code,
        is_again: true,
        refusal: None,
    })
}

#[derive(Deserialize)]
pub(super) struct Typed {
    code: String,
}

pub(super) async fn sign_in(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<i64>,
    Form(Typed { code }): Form<Typed>,
) -> Result<Response, Fault> {
    let student = visit.student()?;
    let (class, course) = found(&app, &visit, id).await?;
    let signed_in = signing::sign_in(&app, student, class.id, &code, &visit.device).await;
    let (known, refusal) = match signed_in {
        Ok(known) => (Some(known), None),
        Err(Fault::Refused(refusal)) => (None, Some(refusal)),
        Err(broken) => return Err(broken),
    };
    let is_again = known.is_some_and(|SignedIn { is_known, .. }| is_known);
    let page = SignPage {
        f: Frame::of(&visit),
        class: &class,
        course: &course,
        // What was refused is of no use a second time.
        code: "",
        known,
        is_again,
        refusal,
    };
    page_with(refusal.map_or(axum::http::StatusCode::OK, status), &page)
}

/// A class of this student's. Of others nothing is told, not even that they exist.
async fn found(app: &App, visit: &Visit, id: i64) -> Result<(Class, Course), Fault> {
    let student = visit.student()?;
    let class = Class::find(id, &app.db).await?.ok_or(NOT_ON_ROSTER)?;
    if !courses::has_student(&app.db, class.course_id, student.id).await? {
        return Err(NOT_ON_ROSTER.into());
    }
    let course = Course::find(class.course_id, &app.db)
        .await?
        .ok_or(NOT_ON_ROSTER)?;
    Ok((class, course))
}
