//! Logging in and out, and the first password.

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use packetboat_dispatch::Peer;
use serde::Deserialize;

use crate::accounts;
use crate::app::App;
use crate::pages::refused::status;
use crate::pages::view::{Frame, InvitePage, LoginPage, page, page_with};
use crate::pages::visit::{SESSION_COOKIE, Visit, set_cookie};
use crate::refusals::Fault;
use crate::secrets::Secret;

/// A month, as long as a kept session may live; it ends after a week without a visit.
const MONTH: u32 = 30 * 24 * 60 * 60;

#[derive(Deserialize)]
pub(super) struct Where {
    #[serde(default)]
    next: String,
    #[serde(default)]
    ready: bool,
}

pub(super) async fn form(visit: Visit, Query(place): Query<Where>) -> Result<Response, Fault> {
    page(&LoginPage {
        f: Frame::of(&visit),
        name: "",
        next: local(&place.next),
        ready: place.ready,
        refusal: None,
    })
}

#[derive(Deserialize)]
pub(super) struct Typed {
    name: String,
    password: Secret,
    #[serde(default)]
    next: String,
}

pub(super) async fn log_in(
    State(app): State<App>,
    visit: Visit,
    Form(typed): Form<Typed>,
) -> Result<Response, Fault> {
    let Typed {
        name,
        password,
        next,
    } = typed;
    let name = name.trim();
    match accounts::log_in(&app.db, &app.passwords, name, password).await {
        Ok(account) => {
            // A new session, whatever was shown: the old one ends.
            let sessions = app.sessions.connection(Peer::new(None));
            let session = sessions.login(visit.session.as_ref(), account.id.to_string(), true);
            let cookie = set_cookie(&app, SESSION_COOKIE, &session.await?.expose(), MONTH);
            Ok(([(SET_COOKIE, cookie)], Redirect::to(local(&next))).into_response())
        }
        Err(Fault::Refused(refusal)) => {
            let next = local(&next);
            let refusal_shown = Some(refusal);
            let f = Frame::of(&visit);
            let again = LoginPage {
                f,
                name,
                next,
                ready: false,
                refusal: refusal_shown,
            };
            page_with(status(refusal), &again)
        }
        Err(broken) => Err(broken),
    }
}

pub(super) async fn log_out(State(app): State<App>, visit: Visit) -> Result<Response, Fault> {
    if let Some(session) = &visit.session {
        app.sessions
            .connection(Peer::new(None))
            .logout(session)
            .await?;
    }
    let gone = set_cookie(&app, SESSION_COOKIE, "", 0);
    Ok(([(SET_COOKIE, gone)], Redirect::to("/login")).into_response())
}

pub(super) async fn invited(
    State(app): State<App>,
    visit: Visit,
    Path(invite): Path<String>,
) -> Result<Response, Fault> {
    let account = accounts::invited(&app.db, &invite).await?;
    page(&InvitePage {
        f: Frame::of(&visit),
        account: &account,
        invite: &invite,
        differ: false,
        refusal: None,
    })
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    password: Secret,
    again: Secret,
}

pub(super) async fn claim(
    State(app): State<App>,
    visit: Visit,
    Path(invite): Path<String>,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Fault> {
    let account = accounts::invited(&app.db, &invite).await?;
    let differ = chosen.password != chosen.again;
    let refusal = if differ {
        None
    } else {
        match accounts::claim(&app.db, &app.passwords, &invite, chosen.password).await {
            Ok(()) => return Ok(Redirect::to("/login?ready=true").into_response()),
            Err(Fault::Refused(refusal)) => Some(refusal),
            Err(broken) => return Err(broken),
        }
    };
    let f = Frame::of(&visit);
    let again = InvitePage {
        f,
        account: &account,
        invite: &invite,
        differ,
        refusal,
    };
    page_with(
        refusal.map_or(axum::http::StatusCode::BAD_REQUEST, status),
        &again,
    )
}

/// A path of this server, or its first page: a link to the login must lead nowhere else.
pub(super) fn local(path: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_graphic() && c != '\\';
    if path.starts_with('/') && !path.starts_with("//") && path.chars().all(is_plain) {
        path
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_way_back_leads_to_this_server() {
        for (path, to) in [
            ("/c/1", "/c/1"),
            ("/c/1?code=A", "/c/1?code=A"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\r\nSet-Cookie: a=b", "/"),
        ] {
            assert_eq!(local(path), to, "{path:?}");
        }
    }
}
