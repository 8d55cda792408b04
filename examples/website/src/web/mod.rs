//! The door for browsers: HTTP, as a router for the server's port.

mod assets;
mod cookies;
mod disposition;
mod door;
mod headers;
mod pages;
mod routes;
mod status;
mod visit;

use axum::Router;
use axum::routing::get;

use crate::app::App;

pub use self::visit::Visit;

/// Everything that is served by HTTP.
pub fn router(app: &App) -> Router {
    let sites = pages::routes().into_router();
    Router::new()
        .route("/status", get(status::status))
        .route(assets::ROUTE, get(assets::asset))
        .fallback({
            let app = app.clone();
            move |request| door::enter(app.clone(), sites.clone(), request)
        })
        .with_state(app.clone())
        .layer(axum::middleware::from_fn(headers::secure))
}

/// The address of every form, as a site has it: all that changes something.
pub fn forms() -> Vec<&'static str> {
    pages::routes().forms().to_vec()
}
