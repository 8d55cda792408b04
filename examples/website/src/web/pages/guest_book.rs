//! The guest book: what is shown, and the form.

use askama::Template;
use axum::extract::{Form, RawQuery};
use serde::Deserialize;

use crate::models::Entry;
use crate::site::guest_book;
use crate::web::Visit;
use crate::web::pages::{Answer, has_sent, render, then};
use crate::web::visit::Frame;

#[derive(Template)]
#[template(path = "guests.html")]
struct Page {
    frame: Frame,
    entries: Vec<Entry>,
    has_sent: bool,
}

pub(super) async fn shown(visit: Visit, RawQuery(query): RawQuery) -> Answer {
    render(&Page {
        entries: guest_book::shown(visit.site(), visit.db()).await?,
        frame: visit.full_frame().await?,
        has_sent: has_sent(query.as_deref()),
    })
}

#[derive(Deserialize)]
pub(super) struct Signed {
    name: String,
    text: String,
}

pub(super) async fn sign(visit: Visit, Form(form): Form<Signed>) -> Answer {
    visit.writes()?;
    guest_book::sign(visit.site(), visit.db(), &form.name, &form.text).await?;
    Ok(then(visit.to("/guests?sent")))
}
