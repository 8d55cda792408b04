//! The notices.

use askama::Template;

use crate::markup;
use crate::models::Notice;
use crate::site::notices as site;
use crate::web::Visit;
use crate::web::pages::{Answer, render};
use crate::web::visit::Frame;

#[derive(Template)]
#[template(path = "notices.html")]
struct Page {
    frame: Frame,
    notices: Vec<(Notice, String)>,
}

pub(super) async fn notices(visit: Visit) -> Answer {
    let newest = site::newest(visit.site(), visit.db()).await?;
    let notices = newest.into_iter().map(|notice| {
        let html = markup::to_html(&notice.body);
        (notice, html)
    });
    render(&Page {
        notices: notices.collect(),
        frame: visit.full_frame().await?,
    })
}
