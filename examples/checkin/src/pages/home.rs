//! The first page: a teacher's courses, a student's classes.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::classes;
use crate::courses;
use crate::models::{Account, Role};
use crate::pages::view::{
    CourseItem, CoursesPage, Frame, HistoryItem, OpenItem, StudentPage, page,
};
use crate::pages::visit::Visit;
use crate::refusals::Fault;
use crate::signing;

pub(super) async fn home(State(app): State<App>, visit: Visit) -> Result<Response, Fault> {
    let who = visit.member()?;
    if who.role == Role::Student {
        return student(&app, &visit, who).await;
    }
    let mut items = Vec::new();
    for course in courses::of(&app.db, who).await? {
        let classes = classes::of_course(&app.db, course.id).await?;
        let open = classes
            .iter()
            .find(|class| class.closed.is_none())
            .map(|class| class.id);
        items.push(CourseItem { course, open });
    }
    page(&CoursesPage {
        f: Frame::of(&visit),
        courses: items,
        is_admin: who.role == Role::Admin,
    })
}

async fn student(app: &App, visit: &Visit, who: &Account) -> Result<Response, Fault> {
    let courses = courses::of(&app.db, who).await?;
    let names: HashMap<i64, &str> = courses.iter().map(|c| (c.id, c.name.as_str())).collect();
    let mut open = Vec::new();
    for class in signing::open_for(&app.db, who.id).await? {
        open.push(OpenItem {
            class: class.id,
            course: names
                .get(&class.course_id)
                .copied()
                .unwrap_or_default()
                .to_owned(),
            known: signing::known(&app.db, class.id, who.id).await?,
        });
    }
    let mut history = Vec::new();
    for course in &courses {
        let attended = classes::history(&app.db, who.id, course.id).await?;
        history.push(HistoryItem {
            course: course.clone(),
            attended,
        });
    }
    page(&StudentPage {
        f: Frame::of(visit),
        open,
        history,
    })
}
