//! The owner's page, and what is sent from it.

use askama::Template;
use axum::extract::{Form, Query};
use serde::Deserialize;

use crate::models::{Entry, Login, Notice, Question, StoredFile};
use crate::plans::{Component, Plan};
use crate::refusals::Refusal;
use crate::site::{files, guest_book, notices, owners, pages, questions};
use crate::web::Visit;
use crate::web::pages::{Answer, render, then};
use crate::web::visit::Frame;

/// The address that every form here leads back to.
const MANAGE: &str = "/manage";

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
    entries: Option<Vec<Entry>>,
    questions: Option<Vec<Question>>,
    files: Option<Vec<StoredFile>>,
    logins: Vec<Login>,
}

/// `None` where the component is off.
fn if_on<T>(rows: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    match rows {
        Ok(rows) => Ok(Some(rows)),
        Err(Refusal::ComponentOff(_)) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

pub(super) async fn overview(visit: Visit) -> Answer {
    visit.owner()?;
    let (site, db) = (visit.site(), visit.db());
    let own = pages::contents(site, db).await?;
    render(&Overview {
        plan: site.plan,
        on: site.components.len(),
        components: Component::ALL
            .map(|component| (component, site.has(component)))
            .to_vec(),
        pages: site.has(Component::Pages).then_some(own),
        notices: if_on(notices::newest(site, db).await)?,
        entries: if_on(guest_book::waiting(site, db).await)?,
        questions: if_on(questions::waiting(site, db).await)?,
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
    slug: String,
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
        let [slug, title, body] = [const { String::new() }; 3];
        return render(&Edit {
            frame,
            slug,
            title,
            body,
        });
    }
    let page = pages::page(visit.site(), visit.db(), &which.slug).await?;
    render(&Edit {
        frame,
        slug: page.slug,
        title: page.title,
        body: page.body,
    })
}

#[derive(Deserialize)]
pub(super) struct WrittenPage {
    slug: String,
    title: String,
    body: String,
}

pub(super) async fn write_page(visit: Visit, Form(form): Form<WrittenPage>) -> Answer {
    visit.owner()?;
    pages::write(
        visit.site(),
        visit.db(),
        &form.slug,
        &form.title,
        &form.body,
    )
    .await?;
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
