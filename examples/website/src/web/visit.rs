//! One request of a browser at one site: which site, whose session, which language.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use packetboat_dispatch::SessionId;

use crate::app::App;
use crate::directory::Site;
use crate::models::Owner;
use crate::plans::Component;
use crate::refusals::Refusal;
use crate::storage::Db;
use crate::web::{assets, cookies};
use crate::words::{Lang, Words};

/// What the door found out about a request. Handlers take it as an argument; clones are the same.
#[derive(Clone, Debug)]
pub struct Visit {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) app: App,
    pub(super) site: Arc<Site>,
    pub(super) db: Db,
    /// What stands before each address: nothing, or `/t/NAME`.
    pub(super) base: String,
    /// The address within the site.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) lang: Lang,
    pub(super) owner: Option<Owner>,
    pub(super) session: Option<SessionId>,
    /// Whom the forms are made for.
    pub(super) visitor: String,
    pub(super) client: Option<IpAddr>,
    pub(super) cookies: cookies::Scope,
}

impl Visit {
    pub(super) fn app(&self) -> &App {
        &self.inner.app
    }

    /// The site that is visited.
    pub fn site(&self) -> &Site {
        &self.inner.site
    }

    /// Its database, in the scope of this request.
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub(super) fn client(&self) -> Option<IpAddr> {
        self.inner.client
    }

    /// The owner whose session was shown.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotLoggedIn`].
    pub fn owner(&self) -> Result<&Owner, Refusal> {
        self.inner.owner.as_ref().ok_or(Refusal::NotLoggedIn)
    }

    /// Counts an entry, a question or a login against its address.
    pub(super) fn writes(&self) -> Result<(), Refusal> {
        let counted = self.app().rates.write(self.site().id, self.client());
        counted.inspect_err(|_| self.app().gate.throttled(self.site().id, &self.site().name))
    }

    /// The token of every form of this visitor on this site.
    pub(super) fn token(&self) -> String {
        let Inner {
            app, site, visitor, ..
        } = &*self.inner;
        app.key.sign(&["form", site.key.as_str(), visitor])
    }

    /// Whether a form's token is that.
    pub(super) fn is_token(&self, token: &str) -> bool {
        let Inner {
            app, site, visitor, ..
        } = &*self.inner;
        app.key.verify(&["form", site.key.as_str(), visitor], token)
    }

    /// An address within the site.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}", self.inner.base)
    }

    /// What stands around every page.
    pub(super) fn frame(&self) -> Frame {
        let Inner {
            site,
            base,
            path,
            query,
            lang,
            owner,
            ..
        } = &*self.inner;
        let words = lang.words();
        let linked = [
            (Component::Notices, "/notices"),
            (Component::GuestBook, "/guests"),
            (Component::Files, "/files"),
            (Component::Questions, "/questions"),
        ];
        let mut links = vec![("/".to_owned(), words.home.to_owned())];
        links.extend(
            linked
                .into_iter()
                .filter(|(component, _)| site.has(*component))
                .map(|(component, path)| (path.to_owned(), words.component(&component).to_owned())),
        );
        Frame {
            words,
            site: site.title.clone(),
            base: base.clone(),
            here: path.clone(),
            in_other_lang: in_lang(query.as_deref(), words.other_lang),
            links,
            is_owner: owner.is_some(),
            token: self.token(),
            css: assets::style(),
            icon: assets::icon(),
        }
    }

    /// [`frame`](Self::frame), with the site's own pages among the links.
    pub(super) async fn full_frame(&self) -> Result<Frame, Refusal> {
        let pages = crate::site::pages::contents(self.site(), self.db()).await?;
        let mut frame = self.frame();
        let own = pages.into_iter().filter(|(slug, _)| slug != HOME);
        let own = own.map(|(slug, title)| (format!("/p/{slug}"), title));
        frame.links.splice(1..1, own);
        Ok(frame)
    }
}

/// The page that the front page shows.
pub(super) const HOME: &str = "home";

/// What stands around every page.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) words: &'static Words,
    pub(super) site: String,
    pub(super) base: String,
    pub(super) here: String,
    /// The query of the same page in the other language.
    pub(super) in_other_lang: String,
    pub(super) links: Vec<(String, String)>,
    pub(super) is_owner: bool,
    pub(super) token: String,
    pub(super) css: String,
    pub(super) icon: String,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| Refusal::internal("a page of a site without the door before it"))
    }
}

/// A query, with this language in it in place of another.
fn in_lang(query: Option<&str>, lang: &str) -> String {
    let pairs = query.unwrap_or_default().split('&');
    let kept = pairs.filter(|pair| !pair.is_empty() && !pair.starts_with("lang="));
    let kept: String = kept.map(|pair| format!("{pair}&")).collect();
    format!("?{kept}lang={lang}")
}

/// The language: what the query says, what was chosen before, what the browser asks for.
pub(super) fn lang(query: Option<&str>, headers: &HeaderMap) -> (Lang, bool) {
    let pairs = query.unwrap_or_default().split('&');
    let mut asked = pairs
        .filter_map(|pair| pair.strip_prefix("lang="))
        .filter_map(Lang::named);
    if let Some(lang) = asked.next() {
        return (lang, true);
    }
    let chosen = cookies::get(headers, "lang").and_then(Lang::named);
    (chosen.unwrap_or_else(|| Lang::asked(headers)), false)
}
