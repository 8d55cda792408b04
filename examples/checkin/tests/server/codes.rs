//! Row A18: codes that are stale, guessed, foreign or shared.

use std::time::Duration;

use checkin::codes::{self, Code};
use checkin::models::Role;
use checkin::refusals::Fault;
use checkin::signing;
use packetboat_orm::{Dialect, ModelExt};

use crate::support::{Fixture, config, sign_in, standing};

on_each_database! {
    no_more_than_five_codes_a_minute_are_looked_at
}

#[tokio::test]
async fn a_thousand_stale_codes_open_nothing() {
    let mut config = config();
    config.every = Duration::from_secs(8);
    config.grace = Duration::from_secs(2);
    let fixture = Fixture::with(config).await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    let class = fixture.open(&mut teacher, course).await;
    let app = fixture.app();
    let student = courses_student(&fixture, course).await;
    // Of the last two hours, each of which was on the wall once.
    let now = app.clock.millis();
    let newest = codes::counter(&class, now - class.grace_ms) - 1;
    let mut refusals = [0, 0];
    for back in 0..1_000 {
        let stale = Code::at(&class, newest - back);
        let refused = signing::sign_in(app, &student, class.id, stale.as_str(), "a device").await;
        match refused.expect_err("a stale code") {
            Fault::Refused(refusal) if refusal.code == "code_expired" => refusals[0] += 1,
            Fault::Refused(refusal) if refusal.code == "code_wrong" => refusals[1] += 1,
            other => panic!("{other:?}"),
        }
        // Who waits a minute may try again: in fast motion.
        forget_attempts(&fixture).await;
    }
    // Those of the last ten minutes are told from those that never were.
    assert!((70..=75).contains(&refusals[0]), "{refusals:?}");
    assert_eq!(refusals[0] + refusals[1], 1_000);
    assert_eq!(fixture.rows(&class).await.len(), 0);
}

async fn courses_student(fixture: &Fixture, course: i64) -> checkin::models::Account {
    let roster = checkin::courses::roster(&fixture.app().db, course)
        .await
        .unwrap();
    roster.into_iter().next().unwrap()
}

async fn forget_attempts(fixture: &Fixture) {
    use checkin::models::Attempt;
    Attempt::select().delete(&fixture.app().db).await.unwrap();
}

async fn no_more_than_five_codes_a_minute_are_looked_at(kind: Dialect) {
    let Some(fixture) = Fixture::on(kind, config()).await else {
        return;
    };
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 2).await;
    let class = fixture.open(&mut teacher, course).await;
    let student = courses_student(&fixture, course).await;
    // Forty at once, as a program guesses.
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (app, student, id) = (fixture.app().clone(), student.clone(), class.id);
        guesses.spawn(async move {
            match signing::sign_in(&app, &student, id, "AAAAAA", "a device").await {
                Err(Fault::Refused(refusal)) => refusal.code,
                other => panic!("{other:?}"),
            }
        });
    }
    let codes = guesses.join_all().await;
    let looked_at = codes.iter().filter(|code| **code == "code_wrong").count();
    assert!(looked_at <= 5, "{looked_at} were looked at");
    assert!(
        codes
            .iter()
            .all(|code| matches!(*code, "code_wrong" | "too_many_attempts"))
    );
    // Fill up what is left of the minute; then even the right code has to wait.
    let mut phone = fixture.student("C-1").await;
    for _ in looked_at..5 {
        let wrong = sign_in(&mut phone, &class, "AAAAAA").await;
        assert_eq!(wrong.refusal().as_deref(), Some("code_wrong"));
    }
    let right = sign_in(&mut phone, &class, &fixture.code(&class)).await;
    assert_eq!(
        (right.status, right.refusal().as_deref()),
        (429, Some("too_many_attempts"))
    );
    // It is this student's minute and nobody else's.
    let mut other = fixture.student("C-2").await;
    let right = sign_in(&mut other, &class, &fixture.code(&class)).await;
    assert_eq!(standing(&right).as_deref(), Some("present"));
    // A minute later.
    forget_attempts(&fixture).await;
    let right = sign_in(&mut phone, &class, &fixture.code(&class)).await;
    assert_eq!(standing(&right).as_deref(), Some("present"));
}

#[tokio::test]
async fn each_kind_of_wrong_code_is_told_in_its_own_words() {
    let fixture = Fixture::new().await;
    let mut ann = fixture.staff("ann", Role::Teacher).await;
    let mut bob = fixture.staff("bob", Role::Teacher).await;
    let one = fixture.course("A", &["ann"], 3).await;
    let two = fixture.course("B", &["bob"], 0).await;
    let three = fixture.course("X", &["bob"], 1).await;
    let (class, other) = (
        fixture.open(&mut ann, one).await,
        fixture.open(&mut bob, two).await,
    );
    let strange = fixture.open(&mut bob, three).await;
    // The first student of A is on the roster of B, too, and on no other.
    let app = fixture.app();
    let entries = checkin::roster::read(b"number,name\nA-1,Student 1\n").unwrap();
    checkin::courses::import(&app.db, two, &entries)
        .await
        .unwrap();
    let mut student = fixture.student("A-1").await;
    for (code, refusal) in [
        (fixture.code(&other), "code_of_another_class"),
        // Of a class that is none of theirs nothing is told.
        (fixture.code(&strange), "code_wrong"),
        ("ABCDEF".to_owned(), "code_wrong"),
        (String::from("7"), "code_wrong"),
    ] {
        let answer = sign_in(&mut student, &class, &code).await;
        assert_eq!(
            (answer.status, answer.refusal().as_deref()),
            (422, Some(refusal)),
            "{code}"
        );
    }
    student.lang = "zh";
    let answer = sign_in(&mut student, &class, "ABCDEF").await;
    assert!(answer.text().contains("签到码不正确"));
    assert_eq!(fixture.rows(&class).await.len(), 0);

    // Another student on the same device, whatever their session is.
    let mut first = fixture.student("A-2").await;
    let code = fixture.code(&class);
    assert!(standing(&sign_in(&mut first, &class, &code).await).is_some());
    let mut second = fixture.student("A-3").await;
    second
        .cookies
        .insert("device".to_owned(), first.cookies["device"].clone());
    let shared = sign_in(&mut second, &class, &code).await;
    assert_eq!(
        (shared.status, shared.refusal().as_deref()),
        (409, Some("device_used"))
    );
    assert_eq!(fixture.rows(&class).await.len(), 1);
    // The device is not the same text in another class: nobody can follow it.
    let rows = fixture.rows(&class).await;
    assert_ne!(
        rows[0].device.as_deref(),
        Some(first.cookies["device"].as_str())
    );
}
