//! The pages: which there are, and what stands before all of them.

mod admin;
mod assets;
mod class;
mod course;
mod forms;
mod home;
mod login;
mod refused;
mod settings;
mod sign;
mod socket;
mod view;
mod visit;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use crate::app::App;

pub use forms::MAX_FORM_BYTES;
pub use visit::{CONTENT_SECURITY_POLICY, DEVICE_COOKIE, SESSION_COOKIE};

/// A page: how it is asked for, where, and by what it is answered.
#[derive(Clone, Debug)]
pub struct Page {
    /// GET reads; POST changes, and needs the token of its form.
    pub method: Method,
    /// The path, as axum writes one.
    pub path: &'static str,
    answer: MethodRouter<App>,
}

/// Every page. The router is made of this list, so that a test that walks it has missed none.
pub fn pages() -> Vec<Page> {
    let read = |path, answer| Page {
        method: Method::GET,
        path,
        answer,
    };
    let change = |path, answer| Page {
        method: Method::POST,
        path,
        answer,
    };
    vec![
        read("/", get(home::home)),
        read("/login", get(login::form)),
        change("/login", post(login::log_in)),
        change("/logout", post(login::log_out)),
        read("/join/{token}", get(login::invited)),
        change("/join/{token}", post(login::claim)),
        change("/lang", post(settings::lang)),
        change("/theme", post(settings::theme)),
        change("/admin/teachers", post(admin::teacher)),
        change("/admin/courses", post(admin::course)),
        read("/courses/{course}", get(course::course)),
        change("/courses/{course}/roster", post(course::import)),
        change("/courses/{course}/classes", post(course::open)),
        read("/courses/{course}/attendance.csv", get(course::sheet)),
        read("/courses/{course}/students/{student}", get(course::student)),
        change(
            "/courses/{course}/students/{student}/link",
            post(course::link),
        ),
        read("/classes/{class}", get(class::list)),
        read("/classes/{class}/screen", get(class::screen)),
        read("/classes/{class}/qr.svg", get(class::qr)),
        read("/classes/{class}/attendance.csv", get(class::sheet)),
        change("/classes/{class}/close", post(class::close)),
        change("/classes/{class}/correct", post(class::correct)),
        read("/c/{class}", get(sign::form)),
        change("/c/{class}", post(sign::sign_in)),
    ]
}

/// The router: pages and WebSockets behind the visit, and what never changes.
pub fn router(app: &App) -> Router {
    let mut router = Router::new();
    for Page { path, answer, .. } in pages() {
        router = router.route(path, answer);
    }
    router
        .merge(socket::sockets(app))
        .fallback(refused::nothing_here)
        .layer(from_fn_with_state(app.clone(), visit::visit))
        .merge(assets::router())
        .with_state(app.clone())
}
