//! Who visits: the cookies of a request, read before its page; and the headers of every answer.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY as CSP, COOKIE, HOST, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use packetboat_dispatch::SessionId;

use crate::app::App;
use crate::guards::{self, Shown};
use crate::models::{Account, Role};
use crate::pages::{forms, refused};
use crate::refusals::{FORBIDDEN, FORM_EXPIRED, Fault, NOT_LOGGED_IN};
use crate::secrets::{self, Secret};
use crate::words::Lang;

/// The cookie with the session.
pub const SESSION_COOKIE: &str = "session";

/// The cookie that says which device it is.
pub const DEVICE_COOKIE: &str = "device";

/// Everything from here, nothing inline, nobody's frame.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'; object-src 'none'";

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// A year: a phone is the same device for a whole term.
const YEAR: u32 = 365 * 24 * 60 * 60;

/// What is known of a request before its page looks at it.
#[derive(Clone, Debug)]
pub(super) struct Visit(Arc<Known>);

/// What a [`Visit`] holds.
#[derive(Debug)]
pub(super) struct Known {
    /// Who is logged in.
    pub(super) account: Option<Account>,
    /// The session of the cookie; it may be over.
    pub(super) session: Option<SessionId>,
    /// The device.
    pub(super) device: String,
    /// The language of the page.
    pub(super) lang: Lang,
    /// `light`, `dark`, or nothing for the device's own.
    pub(super) theme: &'static str,
    /// What a form of this session on this device has to send along.
    pub(super) token: String,
    /// The page, for a form that comes back to it.
    pub(super) path: String,
    /// Where this server is found, for links that leave the page.
    pub(super) base: String,
}

impl std::ops::Deref for Visit {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.0
    }
}

impl Known {
    /// Whoever is logged in.
    pub(super) fn member(&self) -> Result<&Account, Fault> {
        self.account.as_ref().ok_or_else(|| NOT_LOGGED_IN.into())
    }

    /// A teacher, or an admin.
    pub(super) fn teacher(&self) -> Result<&Account, Fault> {
        match self.member()? {
            account if account.role == Role::Student => Err(FORBIDDEN.into()),
            account => Ok(account),
        }
    }

    /// An admin.
    pub(super) fn admin(&self) -> Result<&Account, Fault> {
        match self.member()? {
            account if account.role == Role::Admin => Ok(account),
            _ => Err(FORBIDDEN.into()),
        }
    }

    /// A student.
    pub(super) fn student(&self) -> Result<&Account, Fault> {
        match self.member()? {
            account if account.role == Role::Student => Ok(account),
            _ => Err(FORBIDDEN.into()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| Fault::Broken("the page stands before the visit".into()))
    }
}

/// Reads the cookies, refuses a change that comes from elsewhere, and dresses the answer.
pub(super) async fn visit(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let known_device = cookie(headers, DEVICE_COOKIE).filter(|device| is_device(device));
    let is_new = known_device.is_none();
    let visit = match known(&app, headers, request.uri().path(), known_device).await {
        Ok(visit) => visit,
        Err(fault) => return fault.into_response(),
    };
    let is_read = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let mut answer = match admit(&app, &visit, is_read, request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    };
    answer = refused::dressed(answer, &visit, is_read);
    let headers = answer.headers_mut();
    if is_new {
        headers.append(
            SET_COOKIE,
            set_cookie(&app, DEVICE_COOKIE, &visit.device, YEAR),
        );
    }
    for (name, value) in [
        (CSP, CONTENT_SECURITY_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Paths with tokens for first passwords stay here.
        (REFERRER_POLICY, "same-origin"),
        (
            PERMISSIONS_POLICY,
            "camera=(), geolocation=(), microphone=()",
        ),
        // Names and attendance are in no cache of a shared machine.
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The request with the visit in it, if it may go on.
async fn admit(
    app: &App,
    visit: &Visit,
    is_read: bool,
    request: Request,
) -> Result<Request, Response> {
    let mut request = if is_read {
        request
    } else if is_own(app, request.headers()) {
        forms::checked(request, &visit.token).await?
    } else {
        return Err(Fault::from(FORM_EXPIRED).into_response());
    };
    if let (Some(session), Some(_)) = (&visit.session, &visit.account) {
        request.extensions_mut().insert(Shown {
            session: session.clone(),
            device: visit.device.clone(),
        });
    }
    request.extensions_mut().insert(visit.clone());
    Ok(request)
}

async fn known(
    app: &App,
    headers: &HeaderMap,
    path: &str,
    device: Option<&str>,
) -> Result<Visit, Fault> {
    let session: Option<SessionId> = cookie(headers, SESSION_COOKIE).and_then(|id| id.parse().ok());
    let account = match &session {
        Some(session) => match guards::who(app, session).await {
            Ok(account) => Some(account),
            Err(Fault::Refused(_)) => None,
            Err(broken) => return Err(broken),
        },
        None => None,
    };
    let device = device.map_or_else(|| secrets::random::<16>().0, str::to_owned);
    let accept = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|accept| accept.to_str().ok());
    let lang = cookie(headers, "lang").and_then(Lang::of);
    let theme = match cookie(headers, "theme") {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "",
    };
    let of = session
        .as_ref()
        .filter(|_| account.is_some())
        .map(SessionId::expose);
    Ok(Visit(Arc::new(Known {
        token: form_token(&app.form_key, &device, of.as_deref().unwrap_or_default()),
        account,
        session,
        device,
        lang: lang.unwrap_or_else(|| Lang::preferred(accept.unwrap_or_default())),
        theme,
        path: path.to_owned(),
        base: base(app, headers),
    })))
}

/// What a form has to send along: another site's page can send a form with the cookies of its
/// visitor, but cannot read what stands in ours.
fn form_token(key: &Secret, device: &str, session: &str) -> String {
    let mac = secrets::mac(key, &[b"form", device.as_bytes(), session.as_bytes()]);
    secrets::hex(&mac[..16])
}

/// Whether a request comes from a page of this server, as far as its browser says so. One that
/// says nothing needs the token all the same.
fn is_own(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let is_same_site = match text(HeaderName::from_static("sec-fetch-site")) {
        None | Some("same-origin" | "none") => true,
        Some(_) => false,
    };
    let is_same_origin = match text(HeaderName::from_static("origin")) {
        None => true,
        Some(origin) => {
            let host = text(HOST).unwrap_or_default();
            let is_host = |scheme| origin.strip_prefix(scheme).is_some_and(|of| of == host);
            let is_host = !host.is_empty() && (is_host("http://") || is_host("https://"));
            is_host || app.rules.origins.iter().any(|own| own == origin)
        }
    };
    is_same_site && is_same_origin
}

fn base(app: &App, headers: &HeaderMap) -> String {
    if let Some(origin) = app.rules.origins.first() {
        return origin.clone();
    }
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let scheme = if app.rules.is_secure { "https" } else { "http" };
    format!("{scheme}://{host}")
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// A cookie that no script reads, and that goes along when a link leads here, but not with a form
/// of another site.
///
/// # Panics
///
/// If the value is not of letters, digits and `-`.
pub(super) fn set_cookie(app: &App, name: &str, value: &str, max_age: u32) -> HeaderValue {
    let secure = if app.rules.is_secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("ids and names of languages are ASCII")
}

fn is_device(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
