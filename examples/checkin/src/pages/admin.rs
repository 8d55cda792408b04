//! New teachers and new courses.

use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::accounts;
use crate::app::App;
use crate::courses::{self, Link};
use crate::models::Role;
use crate::pages::view::{Frame, LinksPage, page};
use crate::pages::visit::Visit;
use crate::refusals::Fault;

#[derive(Deserialize)]
pub(super) struct NewTeacher {
    name: String,
    display: String,
}

pub(super) async fn teacher(
    State(app): State<App>,
    visit: Visit,
    Form(new): Form<NewTeacher>,
) -> Result<Response, Fault> {
    visit.admin()?;
    let (name, display) = (new.name.trim(), new.display.trim());
    let (made, token) = accounts::create(&app.db, name, display, Role::Teacher).await?;
    let (number, name) = (made.name, made.display);
    page(&LinksPage {
        f: Frame::of(&visit),
        title: visit.lang.words().new_teacher,
        students: None,
        links: vec![Link {
            number,
            name,
            token,
        }],
        base: &visit.base,
        back: "/".to_owned(),
    })
}

#[derive(Deserialize)]
pub(super) struct NewCourse {
    name: String,
    teachers: String,
}

pub(super) async fn course(
    State(app): State<App>,
    visit: Visit,
    Form(new): Form<NewCourse>,
) -> Result<Response, Fault> {
    visit.admin()?;
    let teachers: Vec<_> = new.teachers.split_whitespace().collect();
    let made = courses::create(&app.db, new.name.trim(), &teachers).await?;
    Ok(Redirect::to(&format!("/courses/{}", made.id)).into_response())
}
