//! Questions: what is answered, and the form.

use askama::Template;
use axum::extract::{Form, RawQuery};
use serde::Deserialize;

use crate::models::Question;
use crate::site::questions;
use crate::web::Visit;
use crate::web::pages::{Answer, has_sent, render, then};
use crate::web::visit::Frame;

#[derive(Template)]
#[template(path = "questions.html")]
struct Page {
    frame: Frame,
    questions: Vec<Question>,
    has_sent: bool,
}

pub(super) async fn answered(visit: Visit, RawQuery(query): RawQuery) -> Answer {
    render(&Page {
        questions: questions::answered(visit.site(), visit.db()).await?,
        frame: visit.full_frame().await?,
        has_sent: has_sent(query.as_deref()),
    })
}

#[derive(Deserialize)]
pub(super) struct Asked {
    name: String,
    text: String,
}

pub(super) async fn ask(visit: Visit, Form(form): Form<Asked>) -> Answer {
    visit.writes()?;
    questions::ask(visit.site(), visit.db(), &form.name, &form.text).await?;
    Ok(then(visit.to("/questions?sent")))
}
