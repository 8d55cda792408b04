//! A server of one's own per test, its companies, and their visitors.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use argon2::Params;
use axum::http::StatusCode;
use tempfile::TempDir;
use website::browser::{Browser, Page};
use website::config::ServerConfig;
use website::directory::{NewCompany, Site};
use website::plans::{Component, Plan};
use website::rates::RateLimits;
use website::server::{RunningServer, serve};

pub(crate) const PASSWORD: &str = "a password of a test";

/// More requests than a test sends.
pub(crate) const MANY: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

pub(crate) struct Fixture {
    pub(crate) server: RunningServer,
    pub(crate) folder: TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// With a configuration of its own.
    pub(crate) async fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = ServerConfig::default();
        config.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        config.domain = Some("sites.test".to_owned());
        config.data.data = Some(folder.path().to_owned());
        config.password_cost = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
        config.rates = RateLimits {
            requests: MANY,
            burst: MANY,
            writes: MANY,
        };
        change(&mut config);
        let server = serve(config).await.unwrap();
        Self { server, folder }
    }

    /// Takes in a company with everything.
    pub(crate) async fn company(&self, name: &str) -> Site {
        let all = Component::ALL.to_vec();
        self.company_on(name, Plan::Enterprise, all).await
    }

    pub(crate) async fn company_on(
        &self,
        name: &str,
        plan: Plan,
        components: Vec<Component>,
    ) -> Site {
        let new = NewCompany {
            name: name.to_owned(),
            title: format!("The {name}"),
            host: None,
            plan,
            components,
        };
        let operator = self.server.operator();
        operator
            .create(new, "owner", PASSWORD.to_owned())
            .await
            .unwrap()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// A visitor of a company's host.
    pub(crate) fn browser(&self, name: &str) -> Browser {
        Browser::new(self.addr(), &format!("{name}.sites.test"))
    }

    /// The owner of a site, who has logged in, and the token of his forms.
    pub(crate) async fn owner(&self, name: &str) -> (Browser, String) {
        let mut browser = self.browser(name);
        let page = browser.log_in("", "owner", PASSWORD).await.unwrap();
        is(&page, StatusCode::SEE_OTHER);
        let token = browser.get("/manage").await.unwrap().token();
        (browser, token)
    }
}

#[track_caller]
pub(crate) fn is(page: &Page, status: StatusCode) {
    assert_eq!(page.status, status, "{}", page.text());
}

/// Whether the long run is asked for.
pub(crate) fn is_long() -> bool {
    std::env::var_os("PACKETBOAT_LONG").is_some()
}
