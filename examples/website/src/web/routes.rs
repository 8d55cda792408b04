//! The addresses of a site, and which of them change something.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{get, post};

use crate::refusals::Refusal;
use crate::web::Visit;
use crate::web::pages::{MANAGE, then};

/// A router that keeps the list of its forms, so that no test of them misses one.
pub(super) struct Routes {
    router: Router,
    pages: Vec<&'static str>,
    forms: Vec<&'static str>,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self {
            router: Router::new(),
            pages: Vec::new(),
            forms: Vec::new(),
        }
    }

    /// A page. It answers GET and HEAD.
    pub(super) fn page<H: Handler<T, ()>, T: 'static>(
        mut self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.router = self.router.route(path, get(handler));
        self.pages.push(path);
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

    /// What is only a form's leads a browser that opens it to the owner's page: the answer to a form that was refused
    /// has that address, and links to itself in the other language.
    pub(super) fn into_router(self) -> Router {
        let Self {
            mut router,
            pages,
            forms,
        } = self;
        for path in forms.into_iter().filter(|path| !pages.contains(path)) {
            let manage = async |visit: Visit| then(visit.to(MANAGE));
            router = router.route(path, get(manage));
        }
        router.fallback(async || Refusal::NotFound)
    }
}
