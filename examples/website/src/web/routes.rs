//! The addresses of a site, and which of them change something.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{get, post};

/// A router that keeps the list of its forms, so that no test of them misses one.
pub(super) struct Routes {
    router: Router,
    forms: Vec<&'static str>,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self {
            router: Router::new(),
            forms: Vec::new(),
        }
    }

    /// A page. It answers GET and HEAD.
    pub(super) fn page<H: Handler<T, ()>, T: 'static>(mut self, path: &str, handler: H) -> Self {
        self.router = self.router.route(path, get(handler));
        self
    }

    /// What a form is sent to.
    pub(super) fn form<H: Handler<T, ()>, T: 'static>(
        mut self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.router = self.router.route(path, post(handler));
        self.forms.push(path);
        self
    }

    pub(super) fn forms(&self) -> &[&'static str] {
        &self.forms
    }

    pub(super) fn into_router(self) -> Router {
        self.router
            .fallback(async || crate::refusals::Refusal::NotFound)
    }
}
