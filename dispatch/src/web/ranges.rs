//! What tower-http leaves open of RFC 9110's ranges.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

/// A layer around tower-http's `ServeFile` and `ServeDir`, which then answer ranges as RFC 9110 has it.
///
/// By themselves they look at no `If-Range`, so that a client which goes on with a download gets the
/// rest of another file than it has begun; and they refuse several ranges at once, and a request for
/// the last bytes of which there are fewer, where both are to be answered. With this layer all three
/// get the whole file. The rest is theirs.
///
/// ```
/// use axum::{Router, middleware::from_fn};
/// use packetboat_dispatch::web;
/// use tower_http::services::ServeDir;
///
/// let router: Router = Router::new()
///     .nest_service("/files", ServeDir::new("public"))
///     .layer(from_fn(web::ranges));
/// ```
pub async fn ranges(mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(range) = headers.get(RANGE).cloned() else {
        return next.run(request).await;
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    if range.as_bytes().contains(&b',') {
        request.headers_mut().remove(RANGE);
        return next.run(request).await;
    }
    let whole = without_range(&request);
    let condition = headers.get(IF_RANGE).cloned();
    let response = next.clone().run(request).await;
    let is_part = matches!(
        response.status(),
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
    );
    let is_other = condition.is_some_and(|condition| !is_same(&condition, response.headers()));
    if is_part && (is_other || is_short(&range, &response)) {
        return next.run(whole).await;
    }
    response
}

/// The same request for the whole.
fn without_range(request: &Request) -> Request {
    let mut whole = Request::new(Body::empty());
    *whole.method_mut() = request.method().clone();
    *whole.uri_mut() = request.uri().clone();
    *whole.version_mut() = request.version();
    *whole.headers_mut() = request.headers().clone();
    *whole.extensions_mut() = request.extensions().clone();
    whole.headers_mut().remove(RANGE);
    whole
}

/// RFC 9110, 13.1.5: a strong tag that is the same, or the very time of the last change.
fn is_same(condition: &HeaderValue, found: &HeaderMap) -> bool {
    let is_tag = condition.as_bytes().starts_with(b"\"");
    let name = if is_tag { ETAG } else { LAST_MODIFIED };
    found.get(name) == Some(condition)
}

/// RFC 9110, 14.1.2: the last bytes were asked for, more than there are.
fn is_short(range: &HeaderValue, response: &Response) -> bool {
    let asked = range
        .to_str()
        .ok()
        .and_then(|range| range.strip_prefix("bytes=-"));
    let there = response.headers().get(CONTENT_RANGE);
    let there = there.and_then(|there| there.to_str().ok()?.strip_prefix("bytes */"));
    let (Some(asked), Some(there)) = (asked, there) else {
        return false;
    };
    let is_number = !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit());
    let (asked, there) = (asked.parse::<u64>(), there.parse::<u64>());
    // A number that is too long for one is more than there are.
    is_number && there.is_ok_and(|there| there > 0 && asked.map_or(true, |asked| asked > there))
}
