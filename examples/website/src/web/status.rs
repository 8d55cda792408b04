//! What the operator sees: who is at work, who waits, who was sent away.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde::Serialize;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::gate::LaneStatus;
use crate::refusals::Refusal;

/// The state of the server.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// Requests of all sites at work.
    working: usize,
    /// Databases that are open.
    databases: usize,
    /// Each site that was visited since the start.
    sites: Vec<LaneStatus>,
}

/// Answers whoever shows the operator's token, and to everybody else there is no such page.
pub(super) async fn status(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<Status>, Refusal> {
    let shown = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = shown
        .and_then(|text| text.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !bool::from(token.as_bytes().ct_eq(app.operator.as_bytes())) {
        return Err(Refusal::NotFound);
    }
    Ok(Json(Status {
        working: app.gate.working(),
        databases: app.tenants.open(),
        sites: app.gate.status(),
    }))
}
