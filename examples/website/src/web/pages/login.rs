//! The owner's way in and out.

use askama::Template;
use axum::extract::Form;
use axum::http::header::SET_COOKIE;
use packetboat_dispatch::Peer;
use serde::Deserialize;

use crate::secret;
use crate::site::owners;
use crate::web::Visit;
use crate::web::pages::{Answer, render, then};
use crate::web::visit::Frame;

/// The longest life of a session, by the policy; the server ends it earlier where nobody uses it.
const WEEK: u64 = 7 * 24 * 3_600;

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    frame: Frame,
}

pub(super) async fn page(visit: Visit) -> Answer {
    render(&Page {
        frame: visit.full_frame().await?,
    })
}

#[derive(Deserialize)]
pub(super) struct LogIn {
    name: String,
    password: String,
}

pub(super) async fn log_in(visit: Visit, Form(form): Form<LogIn>) -> Answer {
    visit.writes()?;
    let app = visit.app();
    let given = (form.name.as_str(), form.password);
    let subject = owners::check(
        visit.site(),
        visit.db(),
        &app.passwords,
        visit.client(),
        given,
    )
    .await?;
    let sessions = app.sessions.connection(Peer::new(None));
    let presented = visit.inner.session.as_ref();
    let id = sessions.login(presented, subject, true).await?;
    let mut response = then(visit.to("/manage"));
    let (headers, cookies) = (response.headers_mut(), &visit.inner.cookies);
    headers.append(SET_COOKIE, cookies.set("owner", &id.expose(), Some(WEEK)));
    // Forms that were made before are not the owner's.
    headers.append(
        SET_COOKIE,
        cookies.set("visitor", &secret::random_hex(), None),
    );
    Ok(response)
}

pub(super) async fn log_out(visit: Visit) -> Answer {
    if let Some(id) = &visit.inner.session {
        let sessions = visit.app().sessions.connection(Peer::new(None));
        sessions.logout(id).await?;
    }
    let mut response = then(visit.to("/"));
    let (headers, cookies) = (response.headers_mut(), &visit.inner.cookies);
    headers.append(SET_COOKIE, cookies.set("owner", "", Some(0)));
    headers.append(
        SET_COOKIE,
        cookies.set("visitor", &secret::random_hex(), None),
    );
    Ok(response)
}
