//! The front page and the pages in Markdown.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;

use crate::markup;
use crate::models::Notice;
use crate::plans::Component;
use crate::refusals::Refusal;
use crate::site::{counter, notices, pages};
use crate::web::Visit;
use crate::web::pages::{Answer, render};
use crate::web::visit::{Frame, HOME};

/// Notices on the front page.
const NOTICES: usize = 3;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    page: Option<String>,
    notices: Vec<Notice>,
    visits: Option<i64>,
}

pub(super) async fn home(visit: Visit, method: Method) -> Answer {
    let (site, db) = (visit.site(), visit.db());
    let visits = match (site.has(Component::Counter), method == Method::GET) {
        (true, true) => Some(counter::visit(site, db).await?),
        (true, false) => Some(counter::count(db).await?),
        (false, _) => None,
    };
    let page = match pages::page(site, db, HOME).await {
        Ok(page) => Some(markup::to_html(&page.body)),
        Err(Refusal::NotFound | Refusal::ComponentOff(_)) => None,
        Err(refusal) => return Err(refusal),
    };
    let mut newest = match site.has(Component::Notices) {
        true => notices::newest(site, db).await?,
        false => Vec::new(),
    };
    newest.truncate(NOTICES);
    render(&HomePage {
        frame: visit.full_frame().await?,
        page,
        notices: newest,
        visits,
    })
}

#[derive(Template)]
#[template(path = "page.html")]
struct TextPage {
    frame: Frame,
    title: String,
    html: String,
}

pub(super) async fn page(visit: Visit, Path(slug): Path<String>) -> Answer {
    let page = pages::page(visit.site(), visit.db(), &slug).await?;
    render(&TextPage {
        frame: visit.full_frame().await?,
        title: page.title,
        html: markup::to_html(&page.body),
    })
}
