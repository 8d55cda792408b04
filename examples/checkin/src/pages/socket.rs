//! The WebSockets: who may open one is decided before there is one.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use packetboat_dispatch::web::{self, SocketOptions};

use crate::app::App;
use crate::classes;
use crate::guards::Shown;
use crate::pages::refused::ForSocket;
use crate::pages::visit::Visit;
use crate::refusals::Fault;

/// `/classes/{class}/socket` for the pages of its teachers, `/socket` for whoever is logged in: for
/// programs, too, which say no origin. A browser says one with every WebSocket, whichever page opens
/// it, and no page keeps it from that.
pub(super) fn sockets(app: &App) -> Router<App> {
    let options = || {
        let own = app.rules.origins.iter();
        own.fold(SocketOptions::new().carry::<Shown>(), |options, origin| {
            options.origin(origin)
        })
    };
    let of_class = web::socket(options()).layer(from_fn_with_state(app.clone(), teacher));
    let of_all = web::socket(options().without_origin()).layer(from_fn(member));
    Router::new()
        .route("/classes/{class}/socket", of_class)
        .route("/socket", of_all)
}

async fn teacher(
    State(app): State<App>,
    Path(id): Path<i64>,
    visit: Visit,
    request: Request,
    next: Next,
) -> Response {
    let may = async {
        let teacher = visit.teacher()?;
        classes::run_by(&app.db, teacher, id).await.map(drop)
    };
    answer(may.await, request, next).await
}

async fn member(visit: Visit, request: Request, next: Next) -> Response {
    let may = visit.member().map(drop);
    answer(may, request, next).await
}

async fn answer(may: Result<(), Fault>, request: Request, next: Next) -> Response {
    let mut answer = match may {
        Ok(()) => next.run(request).await,
        Err(fault) => fault.into_response(),
    };
    answer.extensions_mut().insert(ForSocket);
    answer
}
