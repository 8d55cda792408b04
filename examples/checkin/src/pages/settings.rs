//! The language and the colours, in a cookie each.

use axum::Form;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::pages::login::local;
use crate::pages::visit::set_cookie;
use crate::words::Lang;

const YEAR: u32 = 365 * 24 * 60 * 60;

#[derive(Deserialize)]
pub(super) struct ToLang {
    lang: String,
    #[serde(default)]
    back: String,
}

pub(super) async fn lang(State(app): State<App>, Form(to): Form<ToLang>) -> Response {
    let lang = Lang::of(&to.lang).unwrap_or_default();
    let cookie = set_cookie(&app, "lang", lang.code(), YEAR);
    ([(SET_COOKIE, cookie)], Redirect::to(local(&to.back))).into_response()
}

#[derive(Deserialize)]
pub(super) struct ToTheme {
    theme: String,
    #[serde(default)]
    back: String,
}

pub(super) async fn theme(State(app): State<App>, Form(to): Form<ToTheme>) -> Response {
    let cookie = match to.theme.as_str() {
        theme @ ("light" | "dark") => set_cookie(&app, "theme", theme, YEAR),
        _ => set_cookie(&app, "theme", "", 0),
    };
    ([(SET_COOKIE, cookie)], Redirect::to(local(&to.back))).into_response()
}
