//! What a page that was refused looks like.

use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::pages::view::{self, ErrorPage, Frame};
use crate::pages::visit::Visit;
use crate::refusals::{Fault, INTERNAL, NOT_FOUND, NOT_LOGGED_IN, Refusal};

/// For what has no page.
pub(super) async fn nothing_here() -> Fault {
    NOT_FOUND.into()
}

/// The status, with the refusal beside it for `dressed`, which knows who reads it.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let refusal = match self {
            Self::Refused(refusal) => refusal,
            Self::Broken(error) => {
                tracing::error!(error = &*error as &dyn std::error::Error, "a page failed");
                INTERNAL
            }
        };
        let mut answer = status(refusal).into_response();
        answer.extensions_mut().insert(refusal);
        answer
    }
}

/// A refusal's status.
pub(super) fn status(refusal: Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The answer as it was; or a page that says why there is none, or where to log in.
pub(super) fn dressed(answer: Response, visit: &Visit, is_read: bool) -> Response {
    let refusal = answer.extensions().get::<Refusal>().copied();
    let refusal = match (refusal, answer.status()) {
        (Some(refusal), _) => refusal,
        // What axum itself refuses: a path without a number in it, a form without a field.
        (None, StatusCode::NOT_FOUND) if !is_made(&answer) => NOT_FOUND,
        (None, status) if status.is_client_error() && !is_made(&answer) => Refusal {
            status: status.as_u16(),
            ..crate::refusals::BAD_REQUEST
        },
        _ => return answer,
    };
    if is_socket(&answer) {
        return (status(refusal), refusal.text(visit.lang)).into_response();
    }
    if refusal == NOT_LOGGED_IN && is_read {
        let next = utf8_percent_encode(&visit.path, NON_ALPHANUMERIC);
        let mut answer = StatusCode::SEE_OTHER.into_response();
        let to = HeaderValue::from_str(&format!("/login?next={next}"));
        answer
            .headers_mut()
            .insert(LOCATION, to.expect("percent-encoded text is ASCII"));
        return answer;
    }
    let page = ErrorPage {
        f: Frame::of(visit),
        refusal,
    };
    view::page_with(status(refusal), &page).unwrap_or_else(|_| status(INTERNAL).into_response())
}

/// The mark of an answer to who asks for a WebSocket: no page is of use there.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForSocket;

fn is_socket(answer: &Response) -> bool {
    answer.extensions().get::<ForSocket>().is_some()
}

/// Whether a page, or what opens WebSockets, has said itself what there is to say.
fn is_made(answer: &Response) -> bool {
    is_socket(answer) || answer.extensions().get::<view::Rendered>().is_some()
}
