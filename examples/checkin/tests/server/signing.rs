//! Row E5: once per student, to one's own class, with a clear text.

use std::time::{Duration, Instant};

use checkin::models::{Attempt, Class, Role, class};
use checkin::refusals::{CLASS_CLOSED, Fault};
use checkin::signing;
use packetboat_orm::{Dialect, Finish, ModelExt, begin};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{Fixture, config, sign_in, standing, watch};

on_each_database! {
    the_same_student_ten_times_is_one_row
    nobody_signs_in_after_the_class_was_closed
}

async fn the_same_student_ten_times_is_one_row(kind: Dialect) {
    let Some(fixture) = Fixture::on(kind, config()).await else {
        return;
    };
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 2).await;
    let class = fixture.open(&mut teacher, course).await;
    let code = fixture.code(&class);
    // Four at once, as a form that is sent twice by two fingers, and then one after the other.
    let roster = checkin::courses::roster(&fixture.app().db, course)
        .await
        .unwrap();
    let mut phones = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (app, student) = (fixture.app().clone(), roster[0].clone());
        let (id, code) = (class.id, code.clone());
        phones.spawn(async move { signing::sign_in(&app, &student, id, &code, "a device").await });
    }
    let first = phones
        .join_all()
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    assert_eq!(
        first.iter().filter(|signed| !signed.is_known).count(),
        1,
        "{first:?}"
    );
    let mut phone = fixture.student("C-1").await;
    for _ in 0..6 {
        // Whatever is typed: it is done already, and no attempt is counted.
        let again = sign_in(&mut phone, &class, "WRONG").await;
        assert_eq!(
            (again.status, standing(&again).as_deref()),
            (200, Some("present"))
        );
        assert!(again.text().contains("signed in already"));
    }
    assert_eq!(fixture.rows(&class).await.len(), 1);
}

async fn nobody_signs_in_after_the_class_was_closed(kind: Dialect) {
    let Some(fixture) = Fixture::on(kind, config()).await else {
        return;
    };
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    let class = fixture.open(&mut teacher, course).await;
    let app = fixture.app().clone();
    let student = checkin::courses::roster(&app.db, course)
        .await
        .unwrap()
        .remove(0);
    let mut closing = begin(&app.db).await.unwrap();
    let changes = [
        class::closed.set(Some(app.clock.now())),
        class::open_course_id.set(None),
    ];
    let own = Class::select().filter(class::id.eq(class.id));
    own.update(changes, &mut closing).await.unwrap();
    let (id, code) = (class.id, fixture.code(&class));
    let signing = tokio::spawn({
        let app = app.clone();
        async move { signing::sign_in(&app, &student, id, &code, "a device").await }
    });
    // Its attempt is written down after it has found the class open. On SQLite it waits for that.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        if Attempt::select().count(&app.db).await.unwrap() > 0 {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    // As long as it takes to come to the row, on a database that lets it wait there.
    sleep(Duration::from_millis(100)).await;
    closing.commit().await.unwrap();
    let refused = signing.await.unwrap();
    assert!(
        matches!(refused, Err(Fault::Refused(CLASS_CLOSED))),
        "{refused:?}"
    );
    assert_eq!(fixture.rows(&class).await.len(), 0);
}

#[tokio::test]
async fn what_a_teacher_has_noted_is_no_sign_in() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    let class = fixture.open(&mut teacher, course).await;
    let mut student = fixture.student("C-1").await;
    let (mut wall, view) = watch(&teacher, &class).await;
    let id = &view["lines"][0]["student"];
    for (lang, noted) in [("en", "Your teacher has noted"), ("zh", "老师已登记")] {
        student.cookies.insert("lang".to_owned(), lang.to_owned());
        for standing in ["absent", "excused"] {
            let correct = json!({"type": "correct", "class": class.id, "student": id,
                "standing": standing, "reason": "not seen"});
            let line = wall.call(correct).await.unwrap().unwrap();
            assert!(line["arrived"].is_null(), "{line}");
            let own = student.get("/").await.unwrap().text();
            let form = student
                .get(&format!("/c/{}", class.id))
                .await
                .unwrap()
                .text();
            let sent = sign_in(&mut student, &class, &fixture.code(&class)).await;
            assert_eq!(self::standing(&sent).as_deref(), Some(standing));
            for page in [own, form, sent.text()] {
                assert!(page.contains(noted), "{page}");
                assert!(!page.contains("note good") && !page.contains("✓"), "{page}");
            }
        }
    }
    // Nobody has come, and no time says so.
    let list = format!("/classes/{}", class.id);
    let shown = teacher.get(&list).await.unwrap().text();
    assert!(shown.contains("<td data-arrived></td>"), "{shown}");
    let sheet = teacher
        .get(&format!("{list}/attendance.csv"))
        .await
        .unwrap();
    assert!(sheet.text().ends_with("Excused,\r\n"), "{}", sheet.text());
}

#[tokio::test]
async fn who_is_late_is_marked_as_that() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 2).await;
    let class = fixture.open(&mut teacher, course).await;
    let (mut socket, _) = watch(&teacher, &class).await;
    let mut one = fixture.student("C-1").await;
    assert_eq!(
        standing(&sign_in(&mut one, &class, &fixture.code(&class)).await).unwrap(),
        "present"
    );
    let own = Class::select().filter(class::id.eq(class.id));
    own.update([class::late_after.set(0)], &fixture.app().db)
        .await
        .unwrap();
    let mut two = fixture.student("C-2").await;
    assert_eq!(
        standing(&sign_in(&mut two, &class, &fixture.code(&class)).await).unwrap(),
        "late"
    );
    for (number, standing, here) in [("C-1", "present", 1), ("C-2", "late", 2)] {
        let arrival = socket
            .push_of("arrival", crate::support::PATIENCE)
            .await
            .unwrap();
        assert_eq!(arrival["line"]["number"], number);
        assert_eq!(arrival["line"]["standing"], standing);
        assert_eq!(
            (&arrival["here"], &arrival["total"]),
            (&here.into(), &2.into())
        );
    }
}

#[tokio::test]
async fn what_is_not_ones_own_leaves_no_row() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    fixture.course("D", &["ann"], 1).await;
    let class = fixture.open(&mut teacher, course).await;
    let code = fixture.code(&class);
    let mut stranger = fixture.student("D-1").await;
    // Another course's class, and one that does not exist, are the same to them.
    for id in [class.id, class.id + 1] {
        let path = format!("/c/{id}");
        let read = stranger.get(&path).await.unwrap();
        assert_eq!(
            (read.status, read.refusal().as_deref()),
            (403, Some("not_on_roster"))
        );
        let token = stranger.get("/").await.unwrap().token().unwrap();
        let sent = stranger
            .post(&path, &token, &[("code", &code)])
            .await
            .unwrap();
        assert_eq!(
            (sent.status, sent.refusal().as_deref()),
            (403, Some("not_on_roster"))
        );
    }
    // A teacher is no student.
    let token = teacher.get("/").await.unwrap().token().unwrap();
    let path = format!("/c/{}", class.id);
    let sent = teacher
        .post(&path, &token, &[("code", &code)])
        .await
        .unwrap();
    assert_eq!(sent.status, 403);
    // A class that is over.
    let mut own = fixture.student("C-1").await;
    let list = format!("/classes/{}", class.id);
    let closed = teacher
        .submit(&list, &format!("{list}/close"), &[])
        .await
        .unwrap();
    assert_eq!(closed.status, 303);
    let late = sign_in(&mut own, &class, &code).await;
    assert_eq!(
        (late.status, late.refusal().as_deref()),
        (409, Some("class_closed"))
    );
    assert_eq!(fixture.rows(&class).await.len(), 0);
}

#[tokio::test]
async fn reading_a_link_with_a_good_code_signs_nobody_in() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    let class = fixture.open(&mut teacher, course).await;
    let mut student = fixture.student("C-1").await;
    let code = fixture.code(&class);
    let page = student
        .get(&format!("/c/{}?code={code}", class.id))
        .await
        .unwrap();
    assert!(page.text().contains(&format!("value=\"{code}\"")));
    assert_eq!(fixture.rows(&class).await.len(), 0);
}
