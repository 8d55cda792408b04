//! A form: from this site's own pages, read whole, with its token taken out.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use serde::Deserialize;
use tokio::time::timeout;

use crate::refusals::Refusal;
use crate::web::pages::UPLOAD;

/// Bytes of a form at most: the longest text, 16,000 characters, may take three times as many, thrice escaped.
const LONGEST: usize = 256 * 1024;

/// How long a form may take to arrive; a file has the time that its rate allows.
const TIME: Duration = Duration::from_secs(10);

/// What a form shows.
pub(super) enum Token {
    /// This, which must be the visitor's.
    Is(String),
    /// Its first field, before a file. The handler of uploads reads and checks it.
    WithinFile,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    token: String,
}

/// Reads a form that is sent to this host.
pub(super) async fn read(
    host: &str,
    path: &str,
    request: Request,
) -> Result<(Request, Token), Refusal> {
    if !is_own(request.headers(), host) {
        return Err(Refusal::BadForm);
    }
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if path == UPLOAD && kind.eq_ignore_ascii_case("multipart/form-data") {
        return Ok((request, Token::WithinFile));
    }
    // Neither JSON nor plain text, which a page of another site may send without asking.
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refusal::WrongKind);
    }
    let (parts, body) = request.into_parts();
    let bytes = timeout(TIME, to_bytes(body, LONGEST)).await;
    let bytes = bytes
        .map_err(|_| Refusal::BadForm)?
        .map_err(|_| Refusal::TooLarge)?;
    let copy = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    let shown = Form::<Shown>::from_request(copy, &()).await;
    let Form(Shown { token }) = shown.map_err(|_| Refusal::BadForm)?;
    Ok((
        Request::from_parts(parts, Body::from(bytes)),
        Token::Is(token),
    ))
}

/// Whether the page that sends the form is this host's. Every browser of today says so in one header or the other; a
/// program that is no browser says neither, and has the token to show.
fn is_own(headers: &HeaderMap, host: &str) -> bool {
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        return authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host));
    }
    match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin" || site == "none",
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_origin_is_not_ours() {
        let with = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a value"));
            is_own(&headers, "shop.example:80")
        };
        assert!(is_own(&HeaderMap::new(), "shop.example:80"));
        assert!(with("origin", "http://SHOP.example:80"));
        for foreign in [
            "null",
            "",
            "http://shop.example",
            "http://evil.example",
            "http://shop.example:80.evil",
            "shop.example:80",
            "ftp://shop.example:80",
        ] {
            assert!(!with("origin", foreign), "{foreign}");
        }
        assert!(with("sec-fetch-site", "same-origin"));
        for foreign in ["cross-site", "same-site"] {
            assert!(!with("sec-fetch-site", foreign), "{foreign}");
        }
    }
}
