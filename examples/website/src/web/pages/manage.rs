//! The owner's page, and what is sent from it.

use askama::Template;
use axum::extract::{Form, Query};
use serde::Deserialize;

use crate::models::{Entry, Login, Notice, Question, StoredFile};
use crate::plans::{Component, Plan};
use crate::refusals::Refusal;
use crate::site::{files, guest_book, notices, older, owners, pages, questions};
use crate::web::Visit;
use crate::web::pages::{Answer, MANAGE, render, then};
use crate::web::visit::Frame;

#[derive(Template)]
#[template(path = "manage.html")]
struct Overview {
    frame: Frame,
    plan: Plan,
    /// How many are on.
    on: usize,
    components: Vec<(Component, bool)>,
    pages: Option<Vec<(String, String)>>,
    notices: Option<Vec<Notice>>,
    entries: Option<(Vec<Entry>, Vec<Entry>)>,
    questions: Option<(Vec<Question>, Vec<Question>)>,
    files: Option<Vec<StoredFile>>,
    logins: Vec<Login>,
}

impl Overview {
    fn older_notices(&self) -> Option<i64> {
        self.notices
            .as_ref()
            .and_then(|rows| older(rows, |row| row.id))
    }

    fn older_entries(&self) -> Option<i64> {
        self.entries
            .as_ref()
            .and_then(|(_, rows)| older(rows, |row| row.id))
    }

    fn older_questions(&self) -> Option<i64> {
        self.questions
            .as_ref()
            .and_then(|(_, rows)| older(rows, |row| row.id))
    }
}

/// Where the lists of what is public begin: before these numbers, or with the newest.
#[derive(Deserialize)]
pub(super) struct Before {
    #[serde(default = "newest")]
    notices: i64,
    #[serde(default = "newest")]
    entries: i64,
    #[serde(default = "newest")]
    questions: i64,
}

const fn newest() -> i64 {
    i64::MAX
}

/// `None` where the component is off.
fn if_on<T>(rows: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    match rows {
        Ok(rows) => Ok(Some(rows)),
        Err(Refusal::ComponentOff(_)) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

pub(super) async fn overview(visit: Visit, Query(before): Query<Before>) -> Answer {
    visit.owner()?;
    let (site, db) = (visit.site(), visit.db());
    let own = pages::contents(site, db).await?;
    let shown = if_on(guest_book::shown_before(site, db, before.entries).await)?;
    let answered = if_on(questions::answered_before(site, db, before.questions).await)?;
    render(&Overview {
        plan: site.plan,
        on: site.components.len(),
        components: Component::ALL
            .map(|component| (component, site.has(component)))
            .to_vec(),
        pages: site.has(Component::Pages).then_some(own),
        notices: if_on(notices::before(site, db, before.notices).await)?,
        entries: if_on(guest_book::waiting(site, db).await)?.zip(shown),
        questions: if_on(questions::waiting(site, db).await)?.zip(answered),
        files: if_on(files::newest(site, db).await)?,
        logins: owners::logins(db).await?,
        frame: visit.full_frame().await?,
    })
}

#[derive(Deserialize)]
pub(super) struct Switch {
    component: String,
    on: bool,
}

pub(super) async fn switch(visit: Visit, Form(form): Form<Switch>) -> Answer {
    visit.owner()?;
    let component = form.component.parse().map_err(|_| Refusal::NotFound)?;
    visit
        .app()
        .directory
        .switch(visit.site().id, component, form.on)
        .await?;
    Ok(then(visit.to(MANAGE)))
}

#[derive(Template)]
#[template(path = "edit.html")]
struct Edit {
    frame: Frame,
    /// What it began from: an address, and a time in microseconds; nothing where the page is new.
    was: String,
    seen: i64,
    title: String,
    body: String,
}

#[derive(Deserialize)]
pub(super) struct WhichPage {
    #[serde(default)]
    slug: String,
}

pub(super) async fn edit(visit: Visit, Query(which): Query<WhichPage>) -> Answer {
    visit.owner()?;
    let frame = visit.full_frame().await?;
    if which.slug.is_empty() {
        let [was, title, body] = [const { String::new() }; 3];
        return render(&Edit {
            frame,
            was,
            seen: 0,
            title,
            body,
        });
    }
    let page = pages::page(visit.site(), visit.db(), &which.slug).await?;
    render(&Edit {
        frame,
        was: page.slug,
        seen: page.updated.timestamp_micros(),
        title: page.title,
        body: page.body,
    })
}

#[derive(Deserialize)]
pub(super) struct WrittenPage {
    #[serde(default)]
    was: String,
    #[serde(default)]
    seen: i64,
    slug: String,
    title: String,
    body: String,
}

pub(super) async fn write_page(visit: Visit, Form(form): Form<WrittenPage>) -> Answer {
    visit.owner()?;
    let seen = (!form.was.is_empty()).then_some(pages::Seen {
        slug: form.was,
        updated: form.seen,
    });
    let written = (&*form.slug, &*form.title, &*form.body);
    pages::write(visit.site(), visit.db(), seen.as_ref(), written).await?;
    Ok(then(visit.to(MANAGE)))
}

pub(super) async fn delete_page(visit: Visit, Form(which): Form<WhichPage>) -> Answer {
    visit.owner()?;
    pages::delete(visit.site(), visit.db(), &which.slug).await?;
    Ok(then(visit.to(MANAGE)))
}

#[derive(Deserialize)]
pub(super) struct Published {
    title: String,
    body: String,
}

pub(super) async fn publish(visit: Visit, Form(form): Form<Published>) -> Answer {
    visit.owner()?;
    notices::publish(visit.site(), visit.db(), &form.title, &form.body).await?;
    Ok(then(visit.to(MANAGE)))
}

#[derive(Deserialize)]
pub(super) struct Which {
    id: i64,
}

pub(super) async fn delete_notice(visit: Visit, Form(which): Form<Which>) -> Answer {
    visit.owner()?;
    notices::delete(visit.site(), visit.db(), which.id).await?;
    Ok(then(visit.to(MANAGE)))
}

pub(super) async fn show_entry(visit: Visit, Form(which): Form<Which>) -> Answer {
    visit.owner()?;
    guest_book::show(visit.site(), visit.db(), which.id).await?;
    Ok(then(visit.to(MANAGE)))
}

pub(super) async fn delete_entry(visit: Visit, Form(which): Form<Which>) -> Answer {
    visit.owner()?;
    guest_book::delete(visit.site(), visit.db(), which.id).await?;
    Ok(then(visit.to(MANAGE)))
}

#[derive(Deserialize)]
pub(super) struct Answered {
    id: i64,
    answer: String,
}

pub(super) async fn answer(visit: Visit, Form(form): Form<Answered>) -> Answer {
    visit.owner()?;
    questions::answer(visit.site(), visit.db(), form.id, &form.answer).await?;
    Ok(then(visit.to(MANAGE)))
}

pub(super) async fn delete_question(visit: Visit, Form(which): Form<Which>) -> Answer {
    visit.owner()?;
    questions::delete(visit.site(), visit.db(), which.id).await?;
    Ok(then(visit.to(MANAGE)))
}
