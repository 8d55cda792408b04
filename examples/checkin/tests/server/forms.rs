//! Row I8: no page of another site changes anything, by whichever route.

use axum::http::Method;
use bytes::Bytes;
use checkin::client::Browser;
use checkin::models::{
    Account, Attendance, Class, Correction, Course, Enrolment, KeptSession, Role, Teaching,
};
use checkin::pages::{self, Page};
use packetboat_orm::ModelExt;

use crate::support::{Fixture, config};

/// The fields of every form: with them and a token, each of these routes does something.
const FIELDS: [(&str, &str); 12] = [
    ("name", "fresh"),
    ("display", "Fresh"),
    ("teachers", "ann"),
    ("password", "a password of some length"),
    ("again", "a password of some length"),
    ("csv", "number,name\nnew-1,New\n"),
    ("late", "10"),
    ("student", "5"),
    ("standing", "late"),
    ("reason", "forged"),
    ("code", "ABCDEF"),
    ("lang", "zh"),
];

/// What is sent: why it must be refused, its headers, its body.
type Case<'a> = (&'static str, Vec<(&'a str, &'a str)>, Bytes);

fn form(token: Option<&str>) -> Bytes {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(FIELDS).append_pair("theme", "dark");
    if let Some(token) = token {
        form.append_pair("csrf", token);
    }
    form.finish().into()
}

/// How many rows each table has, and what stands in those that a form changes in place.
async fn rows(fixture: &Fixture) -> String {
    let db = &fixture.app().db;
    let classes = Class::select().all(db).await.unwrap();
    let closed: Vec<_> = classes.iter().map(|class| class.closed).collect();
    let accounts = Account::select().all(db).await.unwrap();
    let invites: Vec<_> = accounts
        .iter()
        .map(|a| (a.invite.clone(), a.password.is_some()))
        .collect();
    let counts = [
        Course::select().count(db).await.unwrap(),
        Teaching::select().count(db).await.unwrap(),
        Enrolment::select().count(db).await.unwrap(),
        Attendance::select().count(db).await.unwrap(),
        Correction::select().count(db).await.unwrap(),
        KeptSession::select().count(db).await.unwrap(),
    ];
    format!("{counts:?} {closed:?} {invites:?}")
}

#[tokio::test]
async fn no_route_changes_anything_for_another_site() {
    let fixture = Fixture::with(config()).await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let mut admin = fixture.staff("root", Role::Admin).await;
    let course = fixture.course("C", &["ann"], 2).await;
    let class = fixture.open(&mut teacher, course).await;
    let (waiting, invite) =
        checkin::accounts::create(&fixture.app().db, "new", "New", Role::Teacher)
            .await
            .unwrap();
    assert!(waiting.invite.is_some());
    let mut student = fixture.student("C-1").await;
    let path = |path: &str| {
        path.replace("{course}", &course.to_string())
            .replace("{class}", &class.id.to_string())
            .replace("{student}", "5")
            .replace("{token}", &invite.0)
    };
    let before = rows(&fixture).await;
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let mut tried = 0;
    for Page {
        method,
        path: pattern,
        ..
    } in pages::pages()
    {
        if method != Method::POST {
            continue;
        }
        let path = path(pattern);
        for browser in [&mut teacher, &mut admin, &mut student] {
            let token = browser.get("/").await.unwrap().token().unwrap();
            let own = browser.origin();
            let stranger = Browser::new(fixture.addr)
                .get("/login")
                .await
                .unwrap()
                .token()
                .unwrap();
            let other_port = "http://127.0.0.1:1";
            let cases: [Case<'_>; 9] = [
                (
                    "foreign origin",
                    vec![form_type, ("origin", "https://evil.example")],
                    form(Some(&token)),
                ),
                (
                    "another port",
                    vec![form_type, ("origin", other_port)],
                    form(Some(&token)),
                ),
                (
                    "sandboxed page",
                    vec![form_type, ("origin", "null")],
                    form(Some(&token)),
                ),
                (
                    "cross-site fetch",
                    vec![form_type, ("sec-fetch-site", "cross-site")],
                    form(Some(&token)),
                ),
                ("no token", vec![form_type, ("origin", &own)], form(None)),
                ("no token, no origin", vec![form_type], form(None)),
                (
                    "a stranger's token",
                    vec![form_type, ("origin", &own)],
                    form(Some(&stranger)),
                ),
                (
                    "plain text",
                    vec![("content-type", "text/plain"), ("origin", &own)],
                    form(Some(&token)),
                ),
                (
                    "no content type",
                    vec![("origin", &own)],
                    form(Some(&token)),
                ),
            ];
            for (case, headers, body) in cases {
                let answer = browser
                    .send(Method::POST, &path, &headers, body)
                    .await
                    .unwrap();
                assert_eq!(answer.status, 403, "{path}: {case}: {}", answer.text());
                assert_eq!(
                    answer.refusal().as_deref(),
                    Some("form_expired"),
                    "{path}: {case}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried >= 12 * 27, "{tried} were tried");
    assert_eq!(rows(&fixture).await, before);
    // The same with the right token does something, so that it was the token.
    let token = admin.get("/").await.unwrap().token().unwrap();
    let headers = [form_type];
    let made = admin
        .send(
            Method::POST,
            "/admin/teachers",
            &headers,
            form(Some(&token)),
        )
        .await
        .unwrap();
    assert_eq!(made.status, 200, "{}", made.text());
    assert_ne!(rows(&fixture).await, before);
}

#[tokio::test]
async fn reading_changes_nothing_and_only_forms_are_sent() {
    let fixture = Fixture::with(config()).await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 2).await;
    let class = fixture.open(&mut teacher, course).await;
    let mut student = fixture.student("C-1").await;
    let before = rows(&fixture).await;
    for Page { method, path, .. } in pages::pages() {
        let path = path
            .replace("{course}", &course.to_string())
            .replace("{class}", &class.id.to_string())
            .replace("{student}", "2")
            .replace("{token}", "none");
        for browser in [&mut teacher, &mut student] {
            let answer = browser.get(&path).await.unwrap();
            if method == Method::POST {
                // Its path may have a page beside the form.
                assert!(
                    [200, 303, 403, 404, 405, 410].contains(&answer.status),
                    "{path}"
                );
            }
            for method in [Method::PUT, Method::DELETE, Method::PATCH] {
                let answer = browser
                    .send(method, &path, &[], Bytes::new())
                    .await
                    .unwrap();
                assert_eq!(answer.status, 403, "{path}");
            }
        }
    }
    assert_eq!(rows(&fixture).await, before);
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    let fixture = Fixture::with(config()).await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 0).await;
    let page = format!("/courses/{course}");
    let long = "x".repeat(pages::MAX_FORM_BYTES);
    let answer = teacher
        .submit(&page, &format!("{page}/roster"), &[("csv", &long)])
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.refusal().as_deref()),
        (400, Some("bad_request"))
    );
}
