//! Templates, and what all of them need.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use crate::classes::Attended;
use crate::courses::Link;
use crate::messages::{Line, Taken};
use crate::models::{Account, Class, Correction, Course, Standing};
use crate::pages::assets;
use crate::pages::visit::Visit;
use crate::refusals::{self, Fault, Refusal};
use crate::roster::{Mistake, Wrong};
use crate::sheet;
use crate::signing::SignedIn;
use crate::words::{Lang, Words};

/// What stands around every page.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) w: &'static Words,
    pub(super) lang: Lang,
    pub(super) theme: &'static str,
    pub(super) token: &'a str,
    pub(super) path: &'a str,
    pub(super) account: Option<&'a Account>,
    pub(super) css: &'static str,
    pub(super) js: &'static str,
    pub(super) icon: &'static str,
}

impl<'a> Frame<'a> {
    pub(super) fn of(visit: &'a Visit) -> Self {
        Self {
            w: visit.lang.words(),
            lang: visit.lang,
            theme: visit.theme,
            token: &visit.token,
            path: &visit.path,
            account: visit.account.as_ref(),
            css: assets::CSS.path(),
            js: assets::JS.path(),
            icon: assets::ICON.path(),
        }
    }

    /// What colours the browser's own parts have.
    fn scheme(&self) -> &'static str {
        match self.theme {
            "" => "light dark",
            theme => theme,
        }
    }

    fn other_lang(&self) -> &'static str {
        self.other().code()
    }

    fn other_lang_name(&self) -> &'static str {
        match self.other() {
            Lang::En => "English",
            Lang::Zh => "中文",
        }
    }

    fn other(&self) -> Lang {
        match self.lang {
            Lang::En => Lang::Zh,
            Lang::Zh => Lang::En,
        }
    }

    fn time(&self, time: &DateTime<Utc>) -> String {
        sheet::local(*time).format("%Y-%m-%d %H:%M").to_string()
    }

    fn clock(&self, time: &DateTime<Utc>) -> String {
        sheet::local(*time).format("%H:%M:%S").to_string()
    }

    fn say(&self, refusal: &Refusal) -> &'static str {
        refusal.text(self.lang)
    }

    fn roster_wrong(&self) -> &'static str {
        refusals::ROSTER_WRONG.text(self.lang)
    }

    fn mistake(&self, what: &Wrong) -> &'static str {
        what.text(self.lang)
    }

    fn of_standing(&self, standing: &Standing) -> &'static str {
        self.w.of(*standing)
    }

    /// A standing's name for the style.
    fn key(&self, standing: &Standing) -> &'static str {
        standing_key(*standing)
    }
}

/// A standing's name on the wire, and for the style.
pub(super) fn standing_key(standing: Standing) -> &'static str {
    match standing {
        Standing::Absent => "absent",
        Standing::Excused => "excused",
        Standing::Late => "late",
        Standing::Present => "present",
    }
}

/// What the script of a class's pages says, as JSON.
pub(super) fn script_texts(lang: Lang) -> Result<String, Fault> {
    let w = lang.words();
    let mut texts = serde_json::Map::new();
    for (name, text) in [
        ("live", w.live),
        ("reconnecting", w.reconnecting),
        ("closed", w.closed),
        ("absent", w.absent),
        ("excused", w.excused),
        ("late", w.late),
        ("present", w.present),
    ] {
        texts.insert(name.to_owned(), text.into());
    }
    for refusal in refusals::ALL {
        let text = refusal.text(lang);
        texts.insert(format!("refused_{}", refusal.code), text.into());
    }
    serde_json::to_string(&texts).map_err(|error| Fault::Broken(error.into()))
}

/// A page, done.
pub(super) fn page(template: &impl Template) -> Result<Response, Fault> {
    page_with(StatusCode::OK, template)
}

/// A page with another status.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Result<Response, Fault> {
    let kind = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    let mut answer = (status, kind, template.render()?).into_response();
    answer.extensions_mut().insert(Rendered);
    Ok(answer)
}

/// The mark of an answer that is a page already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rendered;

macro_rules! templates {
    ($($(#[$doc:meta])* $name:ident = $path:literal { $($field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Template)]
        #[template(path = $path)]
        pub(super) struct $name<'a> {
            pub(super) f: Frame<'a>,
            $(pub(super) $field: $type,)*
        })*
    };
}

templates! {
    /// Why something was not done.
    ErrorPage = "error.html" { refusal: Refusal, }
    /// Name and password.
    LoginPage = "login.html" {
        name: &'a str,
        next: &'a str,
        ready: bool,
        refusal: Option<Refusal>,
    }
    /// The first password.
    InvitePage = "invite.html" {
        account: &'a Account,
        invite: &'a str,
        differ: bool,
        refusal: Option<Refusal>,
    }
    /// A teacher's courses.
    CoursesPage = "courses.html" { courses: Vec<CourseItem>, is_admin: bool, }
    /// The links for first passwords, once.
    LinksPage = "links.html" {
        title: &'a str,
        students: Option<usize>,
        links: Vec<Link>,
        base: &'a str,
        back: String,
    }
    /// A course.
    CoursePage = "course.html" {
        course: &'a Course,
        classes: Vec<Class>,
        students: Vec<Account>,
        mistakes: Vec<Mistake>,
        csv: &'a str,
    }
    /// A class: who is there.
    ClassPage = "class.html" {
        class: &'a Class,
        course: &'a Course,
        lines: Vec<Line>,
        taken: Taken,
        texts: String,
    }
    /// The wall.
    ScreenPage = "screen.html" {
        class: &'a Class,
        course: &'a Course,
        taken: Taken,
        texts: String,
    }
    /// A student's own page.
    StudentPage = "student.html" { open: Vec<OpenItem>, history: Vec<HistoryItem>, }
    /// A student in a course, for its teacher.
    HistoryPage = "history.html" {
        course: &'a Course,
        student: &'a Account,
        attended: Vec<Attended>,
        corrections: Vec<(Correction, Class, Account)>,
    }
    /// The code, typed.
    SignPage = "sign.html" {
        class: &'a Class,
        course: &'a Course,
        code: &'a str,
        known: Option<SignedIn>,
        is_again: bool,
        refusal: Option<Refusal>,
    }
}

/// A course in a list.
#[derive(Debug)]
pub(super) struct CourseItem {
    pub(super) course: Course,
    pub(super) open: Option<i64>,
}

/// A class that is open for a student.
#[derive(Debug)]
pub(super) struct OpenItem {
    pub(super) class: i64,
    pub(super) course: String,
    pub(super) known: Option<SignedIn>,
}

/// A course in a student's history.
#[derive(Debug)]
pub(super) struct HistoryItem {
    pub(super) course: Course,
    pub(super) attended: Vec<Attended>,
}
