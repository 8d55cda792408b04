//! The pages of a site, and the forms on them.

mod files;
mod guest_book;
mod home;
mod login;
mod manage;
mod notices;
mod questions;
pub(super) mod refused;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{Html, IntoResponse, Response};

use crate::refusals::Refusal;
use crate::web::routes::Routes;

/// The owner's page, to which every form of his leads back.
pub(super) const MANAGE: &str = "/manage";

/// Where files are sent to.
pub(super) const UPLOAD: &str = "/manage/files";

/// Every address of a site.
pub(super) fn routes() -> Routes {
    Routes::new()
        .page("/", home::home)
        .page("/p/{slug}", home::page)
        .page("/notices", notices::notices)
        .page("/guests", guest_book::shown)
        .form("/guests", guest_book::sign)
        .page("/questions", questions::answered)
        .form("/questions", questions::ask)
        .page("/files", files::files)
        .page("/files/{id}", files::download)
        .page("/login", login::page)
        .form("/login", login::log_in)
        .form("/logout", login::log_out)
        .page(MANAGE, manage::overview)
        .form("/manage/components", manage::switch)
        .page("/manage/page", manage::edit)
        .form("/manage/pages", manage::write_page)
        .form("/manage/pages/delete", manage::delete_page)
        .form("/manage/notices", manage::publish)
        .form("/manage/notices/delete", manage::delete_notice)
        .form("/manage/entries/show", manage::show_entry)
        .form("/manage/entries/delete", manage::delete_entry)
        .form("/manage/questions/answer", manage::answer)
        .form("/manage/questions/delete", manage::delete_question)
        .form(UPLOAD, files::upload)
        .form("/manage/files/delete", files::delete)
}

/// Whether a query says so: `?sent`, whichever language stands beside it.
fn has_sent(query: Option<&str>) -> bool {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.any(|pair| pair == "sent")
}

/// A page, or why there is none.
type Answer = Result<Response, Refusal>;

/// Renders a template.
fn render(template: &impl Template) -> Answer {
    let html = template.render().map_err(Refusal::internal)?;
    Ok(Html(html).into_response())
}

/// After a form: the browser gets this page, and does not send the form again when it is loaded anew.
pub(super) fn then(address: String) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
}
