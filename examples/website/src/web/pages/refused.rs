//! Why something was not done, as a page.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};

use crate::refusals::Refusal;
use crate::web::Visit;
use crate::web::visit::Frame;

#[derive(Template)]
#[template(path = "refused.html")]
struct Page {
    frame: Frame,
    text: String,
}

pub(in crate::web) fn page(visit: &Visit, refusal: &Refusal) -> Response {
    let text = refusal.text(visit.inner.lang);
    let frame = visit.frame();
    match (Page { frame, text }).render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => refusal.text(visit.inner.lang).into_response(),
    }
}
