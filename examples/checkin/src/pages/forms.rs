//! Forms: read once, before their page, so that no page can forget to look at the token.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::refusals::{BAD_REQUEST, FORM_EXPIRED, Fault};
use crate::roster;
use crate::secrets;

/// Bytes of a form at most: a roster of which every byte is percent-encoded.
pub const MAX_FORM_BYTES: usize = 3 * roster::MAX_BYTES + 4_096;

/// The request with its body in memory, if its form has the token.
pub(super) async fn checked(request: Request, token: &str) -> Result<Request, Response> {
    let refused = |fault: Fault| fault.into_response();
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    if !kind
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err(refused(FORM_EXPIRED.into()));
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_FORM_BYTES).await else {
        return Err(refused(BAD_REQUEST.into()));
    };
    let mut fields = form_urlencoded::parse(&body);
    let sent = fields
        .find(|(name, _)| name == "csrf")
        .map(|(_, value)| value);
    if !sent.is_some_and(|sent| secrets::same(&sent, token)) {
        return Err(refused(FORM_EXPIRED.into()));
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}
