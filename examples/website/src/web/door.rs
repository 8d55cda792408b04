//! What every request of a browser passes: which site, how much, from where, whose; then the page.

mod form;
mod place;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ALLOW, LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use packetboat_dispatch::proxies::Forwarded;
use packetboat_dispatch::{Peer, SessionId};
use packetboat_orm::Scoped;
use tower::ServiceExt as _;

use crate::app::App;
use crate::directory::Site;
use crate::recent::PINNED;
use crate::refusals::Refusal;
use crate::secret;
use crate::site::owners;
use crate::web::cookies;
use crate::web::pages::refused;
use crate::web::visit::{self, Inner, Visit};
use crate::words::Lang;

/// Says which database the page was last read from, or that it was written to.
const DATABASE: HeaderName = HeaderName::from_static("x-database");

/// Characters of a visitor's cookie.
const VISITOR: usize = 32;

/// Answers one request.
pub(super) async fn enter(app: App, sites: Router, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().cloned();
    let forwarded = app
        .proxies
        .resolve(peer.as_ref().and_then(Peer::ip), request.headers());
    let is_encrypted = peer.as_ref().is_some_and(Peer::is_encrypted);
    let asker = Asker {
        is_secure: forwarded.is_https().unwrap_or(is_encrypted),
        host: place::host(&forwarded, &request),
        client: forwarded.client(),
        forwarded,
    };
    let (lang, _) = visit::lang(request.uri().query(), request.headers());
    match place::find(&app, &asker.host, request.uri().path()).await {
        Ok(Some(place)) => at_site(app, sites, asker, place, request).await,
        Ok(None) => plain(&Refusal::NotFound, lang),
        Err(refusal) => plain(&refusal, lang),
    }
}

/// Who asks, as far as it is known from the connection and from proxies that are trusted.
struct Asker {
    client: Option<IpAddr>,
    /// With its port, where it has one.
    host: String,
    is_secure: bool,
    forwarded: Forwarded,
}

async fn at_site(
    app: App,
    sites: Router,
    asker: Asker,
    place: place::Place,
    request: Request,
) -> Response {
    let place::Place { site, base, path } = place;
    let (lang, is_chosen) = visit::lang(request.uri().query(), request.headers());
    let Some(path) = path else {
        // Relative addresses want the slash.
        return (
            StatusCode::PERMANENT_REDIRECT,
            [(LOCATION, format!("{base}/"))],
        )
            .into_response();
    };
    if let Err(refusal) = app.rates.request(site.id, asker.client) {
        app.gate.throttled(site.id, &site.name);
        return plain(&refusal, lang);
    }
    let is_change = match *request.method() {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD, POST")]).into_response(),
    };
    let (request, token) = match is_change {
        false => (request, None),
        // Read before a place is taken: a sender that is slow holds up nobody.
        true => match form::read(&asker.host, &path, request).await {
            Ok((request, token)) => (request, Some(token)),
            Err(refusal) => return plain(&refusal, lang),
        },
    };
    let pass = match app.gate.enter(site.id, &site.name).await {
        Ok(pass) => pass,
        Err(refusal) => return plain(&refusal, lang),
    };
    let scope = cookies::Scope {
        path: format!("{base}/"),
        is_secure: asker.is_secure,
    };
    let had_visitor = cookies::get(request.headers(), "visitor").filter(|value| is_visitor(value));
    let visitor = had_visitor.map_or_else(secret::random_hex, str::to_owned);
    let is_new = had_visitor.is_none();
    let wanted = Wanted {
        site,
        base,
        path,
        query: request.uri().query().map(str::to_owned),
        lang,
        visitor,
        client: asker.client,
        cookies: scope,
    };
    let visit = match open(&app, request.headers(), wanted).await {
        Ok(visit) => visit,
        Err(refusal) => return plain(&refusal, lang),
    };
    tracing::debug!(
        site = visit.site().name,
        client = %asker.client.map_or_else(|| "-".to_owned(), |client| client.to_string()),
        hops = asker.forwarded.hops(),
        method = %request.method(),
        "visited"
    );
    let response = within(&visit, sites, token, request).await;
    drop(pass);
    let mut response = finish(&visit, response).await;
    let headers = response.headers_mut();
    if is_new && !visit.inner.is_replaced(headers) {
        headers.append(
            SET_COOKIE,
            visit
                .inner
                .cookies
                .set("visitor", &visit.inner.visitor, None),
        );
    }
    if is_chosen {
        let name = if lang == Lang::Zh { "zh" } else { "en" };
        headers.append(
            SET_COOKIE,
            visit
                .inner
                .cookies
                .set("lang", name, Some(365 * 24 * 3_600)),
        );
    }
    if visit.db().has_written() && is_change {
        headers.append(
            SET_COOKIE,
            visit
                .inner
                .cookies
                .set("wrote", "1", Some(PINNED.as_secs())),
        );
    }
    if let Some(name) = visit.db().served_by() {
        headers.insert(DATABASE, HeaderValue::from_static(name));
    }
    response
}

/// What is known before the database is asked.
struct Wanted {
    site: Arc<Site>,
    base: String,
    path: String,
    query: Option<String>,
    lang: Lang,
    visitor: String,
    client: Option<IpAddr>,
    cookies: cookies::Scope,
}

/// The site's database, and who is logged in there.
async fn open(app: &App, headers: &HeaderMap, wanted: Wanted) -> Result<Visit, Refusal> {
    let wrote = cookies::get(headers, "wrote").is_some();
    let db = app.db(&wanted.site, wrote).await?;
    let session = cookies::get(headers, "owner").and_then(|text| text.parse::<SessionId>().ok());
    let mut owner = None;
    if let Some(id) = &session {
        // Nobody's connection: sessions of browsers are kept ones.
        let sessions = app.sessions.connection(Peer::new(None));
        if let Some(found) = sessions.verify(id).await? {
            owner = owners::of_session(&wanted.site, &db, &found).await?;
        }
    }
    let Wanted {
        site,
        base,
        path,
        query,
        lang,
        visitor,
        client,
        cookies,
    } = wanted;
    let inner = Inner {
        app: app.clone(),
        site,
        db,
        base,
        path,
        query,
        lang,
        owner,
        session,
        visitor,
        client,
        cookies,
    };
    Ok(Visit {
        inner: Arc::new(inner),
    })
}

/// The page itself.
async fn within(
    visit: &Visit,
    sites: Router,
    token: Option<form::Token>,
    mut request: Request,
) -> Response {
    // Verified here for every form but one that is read piece by piece: its handler cannot begin without doing it.
    let is_good = match token {
        Some(form::Token::Is(token)) => visit.is_token(&token),
        Some(form::Token::WithinFile) | None => true,
    };
    if !is_good {
        return Refusal::BadForm.into_response();
    }
    // Whatever a page there forgets.
    if is_of_owner(&visit.inner.path) && visit.inner.owner.is_none() {
        return Refusal::NotLoggedIn.into_response();
    }
    let query = request
        .uri()
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    match format!("{}{query}", visit.inner.path).parse::<Uri>() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(_) => return Refusal::NotFound.into_response(),
    }
    request.extensions_mut().insert(visit.clone());
    match sites.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The address of the owner's own pages.
fn is_of_owner(path: &str) -> bool {
    path == "/manage" || path.starts_with("/manage/")
}

/// An answer that refuses becomes a page that says so.
async fn finish(visit: &Visit, response: Response) -> Response {
    let Some(refusal) = response.extensions().get::<Arc<Refusal>>().cloned() else {
        return response;
    };
    if let Refusal::Internal(_) = &*refusal {
        let error = refusal.in_one_line();
        tracing::error!(site = visit.site().name, error, "a request failed");
    }
    let page = refused::page(visit, &refusal);
    with_refusal(&refusal, page)
}

/// The same where there is no site, or the site must not be asked.
fn plain(refusal: &Refusal, lang: Lang) -> Response {
    if let Refusal::Internal(_) = refusal {
        let error = refusal.in_one_line();
        tracing::error!(error, "a request failed");
    }
    with_refusal(refusal, refusal.text(lang).into_response())
}

fn with_refusal(refusal: &Refusal, mut response: Response) -> Response {
    *response.status_mut() = refusal.status();
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Left empty: the door knows the site and the language, and makes the page.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

fn is_visitor(text: &str) -> bool {
    text.len() == VISITOR && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Inner {
    /// Whether the answer gives the visitor another name already, as a login does.
    fn is_replaced(&self, headers: &HeaderMap) -> bool {
        let mut set = headers.get_all(SET_COOKIE).into_iter();
        set.any(|value| value.as_bytes().starts_with(b"visitor="))
    }
}
