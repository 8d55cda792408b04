//! Rosters in, attendance out, history and corrections.

use checkin::accounts;
use checkin::client::Browser;
use checkin::models::{Correction, Role, Standing, correction};
use checkin::refusals::{FORBIDDEN, Fault};
use packetboat_orm::{Dialect, ModelExt};
use serde_json::json;

use crate::support::{Fixture, PASSWORD, PATIENCE, config, sign_in, standing, watch};

on_each_database! {
    a_roster_becomes_a_class_and_a_table
    corrections_at_once_are_one_history
}

async fn a_roster_becomes_a_class_and_a_table(kind: Dialect) {
    let Some(fixture) = Fixture::on(kind, config()).await else {
        return;
    };
    let mut admin = fixture.staff("root", Role::Admin).await;
    // The admin makes a teacher, who takes the link.
    let fields = [("name", "ann"), ("display", "Ann Teacher")];
    let made = admin.submit("/", "/admin/teachers", &fields).await.unwrap();
    let link = made.text().split("/join/").nth(1).unwrap()[..32].to_owned();
    let mut ann = Browser::new(fixture.addr);
    let join = format!("/join/{link}");
    let short = [("password", "short"), ("again", "short")];
    let refused = ann.submit(&join, &join, &short).await.unwrap();
    assert_eq!(refused.refusal().as_deref(), Some("bad_password"));
    let differ = [("password", PASSWORD), ("again", "another password")];
    let refused = ann.submit(&join, &join, &differ).await.unwrap();
    assert_eq!(refused.refusal().as_deref(), Some("passwords_differ"));
    let fields = [("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(ann.submit(&join, &join, &fields).await.unwrap().status, 303);
    assert_eq!(ann.get(&join).await.unwrap().status, 410);
    assert_eq!(ann.log_in("ann", PASSWORD).await.unwrap().status, 303);
    let fields = [("name", "数学 101"), ("teachers", "ann")];
    let course = admin.submit("/", "/admin/courses", &fields).await.unwrap();
    let page = course.location().unwrap().to_owned();
    // A course of nobody's is refused, and leaves nothing.
    let fields = [("name", "Other"), ("teachers", "ann nobody")];
    let refused = admin.submit("/", "/admin/courses", &fields).await.unwrap();
    assert_eq!(refused.status, 404);

    // The roster.
    let roster = format!("{page}/roster");
    let wrong = "学号,姓名\nS1,李雷\nS1,韩梅梅\n";
    let refused = ann.submit(&page, &roster, &[("csv", wrong)]).await.unwrap();
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .text()
            .contains("Line 3: this number is on an earlier line")
    );
    let right = "学号,姓名\nS1,李雷\nS2,韩梅梅\nS3,=1+1\n";
    let imported = ann.submit(&page, &roster, &[("csv", right)]).await.unwrap();
    assert_eq!(imported.status, 200, "{}", imported.text());
    let text = imported.text();
    let links: Vec<&str> = text
        .split("/join/")
        .skip(1)
        .map(|rest| &rest[..32])
        .collect();
    assert_eq!(links.len(), 3);
    // Again: nobody is new, and nobody stands there twice.
    let again = ann.submit(&page, &roster, &[("csv", right)]).await.unwrap();
    assert_eq!(again.text().split("/join/").count(), 1);
    let other = "number,name\nS1,Somebody Else\n";
    let refused = ann.submit(&page, &roster, &[("csv", other)]).await.unwrap();
    assert!(
        refused
            .text()
            .contains("Line 2: this number belongs to somebody else")
    );
    let mut students = Vec::new();
    for (at, link) in links.iter().enumerate() {
        let mut student = Browser::new(fixture.addr);
        let join = format!("/join/{link}");
        let fields = [("password", PASSWORD), ("again", PASSWORD)];
        assert_eq!(
            student.submit(&join, &join, &fields).await.unwrap().status,
            303
        );
        student
            .log_in(&format!("S{}", at + 1), PASSWORD)
            .await
            .unwrap();
        students.push(student);
    }

    // A class: one is there, one is corrected, one is not.
    let id = page.rsplit('/').next().unwrap().parse().unwrap();
    let class = fixture.open(&mut ann, id).await;
    let (mut wall, view) = watch(&ann, &class).await;
    let signed = sign_in(&mut students[0], &class, &fixture.code(&class)).await;
    assert_eq!(standing(&signed).as_deref(), Some("present"));
    let student = view["lines"][1]["student"].as_i64().unwrap();
    let list = format!("/classes/{}", class.id);
    let number = student.to_string();
    let fields = [
        ("student", number.as_str()),
        ("standing", "excused"),
        ("reason", " "),
    ];
    let refused = ann
        .submit(&list, &format!("{list}/correct"), &fields)
        .await
        .unwrap();
    assert_eq!(refused.refusal().as_deref(), Some("bad_reason"));
    let correct = json!({"type": "correct", "class": class.id, "student": student,
        "standing": "excused", "reason": "a doctor's note"});
    wall.call(correct).await.unwrap().unwrap();
    let pushed = wall.push_of("arrival", PATIENCE).await.unwrap();
    assert_eq!(pushed["line"]["number"], "S1");
    let pushed = wall.push_of("arrival", PATIENCE).await.unwrap();
    assert_eq!(
        (&pushed["line"]["standing"], &pushed["here"]),
        (&json!("excused"), &json!(1))
    );
    let kept = Correction::select().all(&fixture.app().db).await.unwrap();
    assert_eq!(
        (kept[0].was, kept[0].became),
        (Standing::Absent, Standing::Excused)
    );
    assert_eq!(kept[0].reason, "a doctor's note");
    ann.submit(&list, &format!("{list}/close"), &[])
        .await
        .unwrap();

    let sheet = ann.get(&format!("{list}/attendance.csv")).await.unwrap();
    assert_eq!(sheet.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<String> = sheet.text().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "\u{feff}Student number,Name,Status,Arrived");
    assert!(lines[1].starts_with("S1,李雷,Present,20"), "{lines:?}");
    assert_eq!(lines[2], "S2,韩梅梅,Excused,");
    assert_eq!(lines[3], "S3,'=1+1,Absent,");
    let whole = ann
        .get(&format!("{page}/attendance.csv"))
        .await
        .unwrap()
        .text();
    assert!(
        whole.lines().nth(1).unwrap().ends_with("Present"),
        "{whole}"
    );
    // The history, as the teacher and as the student have it.
    let history = ann
        .get(&format!("{page}/students/{student}"))
        .await
        .unwrap()
        .text();
    assert!(
        history.contains("a doctor&#39;s note") && history.contains("Ann Teacher"),
        "{history}"
    );
    for (student, standing) in students.iter_mut().zip(["Present", "Excused", "Absent"]) {
        assert!(student.get("/").await.unwrap().text().contains(standing));
    }
}

async fn corrections_at_once_are_one_history(kind: Dialect) {
    let Some(fixture) = Fixture::on(kind, config()).await else {
        return;
    };
    fixture.staff("ann", Role::Teacher).await;
    fixture.staff("bob", Role::Teacher).await;
    let course = fixture.course("C", &["ann", "bob"], 1).await;
    let mut ann = fixture.log_in("ann").await;
    let class = fixture.open(&mut ann, course).await;
    let (_, view) = watch(&ann, &class).await;
    let mut teachers = tokio::task::JoinSet::new();
    for (name, standings) in [("ann", ["late", "absent"]), ("bob", ["present", "excused"])] {
        let (mut wall, _) = watch(&fixture.log_in(name).await, &class).await;
        let (id, student) = (class.id, view["lines"][0]["student"].clone());
        teachers.spawn(async move {
            for standing in standings.iter().cycle().take(20) {
                let correct = json!({"type": "correct", "class": id, "student": student,
                    "standing": standing, "reason": "seen"});
                wall.call(correct).await.unwrap().unwrap();
            }
        });
    }
    teachers.join_all().await;
    let all = Correction::select().order_by(correction::id.asc());
    let all = all.all(&fixture.app().db).await.unwrap();
    assert_eq!(all.len(), 40);
    // Each says what the one before it has made of it, and the last one what stands there.
    let mut was = Standing::Absent;
    for kept in &all {
        assert_eq!(kept.was, was, "{all:?}");
        was = kept.became;
    }
    assert_eq!(fixture.rows(&class).await[0].standing, was);
}

#[tokio::test]
async fn a_new_link_is_for_who_has_no_password() {
    let fixture = Fixture::new().await;
    let mut ann = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    let db = &fixture.app().db;
    let entries = checkin::roster::read(b"number,name\nN-1,New\n").unwrap();
    let imported = checkin::courses::import(db, course, &entries)
        .await
        .unwrap();
    let roster = checkin::courses::roster(db, course).await.unwrap();
    let page = |at: usize| format!("/courses/{course}/students/{}", roster[at].id);
    // C-1 has one; a teacher who could take it away could become C-1.
    let refused = ann
        .submit(&page(0), &format!("{}/link", page(0)), &[])
        .await
        .unwrap();
    assert_eq!(
        (refused.status, refused.refusal().as_deref()),
        (403, Some("forbidden"))
    );
    // Nor one who sets it after the teacher's request has looked.
    let refused = accounts::invite_first(db, roster[0].id).await;
    assert!(
        matches!(refused, Err(Fault::Refused(FORBIDDEN))),
        "{refused:?}"
    );
    fixture.log_in("C-1").await;
    let given = ann
        .submit(&page(1), &format!("{}/link", page(1)), &[])
        .await
        .unwrap();
    let link = given.text().split("/join/").nth(1).unwrap()[..32].to_owned();
    let mut student = Browser::new(fixture.addr);
    let old = format!("/join/{}", imported.links[0].token.0);
    assert_eq!(student.get(&old).await.unwrap().status, 410);
    assert_eq!(
        student.get(&format!("/join/{link}")).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn a_course_is_its_teachers_alone() {
    let fixture = Fixture::new().await;
    let mut ann = fixture.staff("ann", Role::Teacher).await;
    let mut bob = fixture.staff("bob", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    fixture.course("D", &["bob"], 0).await;
    let class = fixture.open(&mut ann, course).await;
    let mut student = fixture.student("C-1").await;
    for path in [
        format!("/courses/{course}"),
        format!("/courses/{course}/attendance.csv"),
        format!("/courses/{course}/students/2"),
        format!("/classes/{}", class.id),
        format!("/classes/{}/screen", class.id),
        format!("/classes/{}/qr.svg?code=ABCDEF", class.id),
        format!("/classes/{}/attendance.csv", class.id),
        // What does not exist is the same to them.
        "/courses/99".to_owned(),
        "/classes/99".to_owned(),
    ] {
        for browser in [&mut bob, &mut student] {
            let answer = browser.get(&path).await.unwrap();
            assert_eq!(
                (answer.status, answer.refusal().as_deref()),
                (403, Some("forbidden")),
                "{path}"
            );
        }
        let answer = Browser::new(fixture.addr).get(&path).await.unwrap();
        assert!(
            answer
                .location()
                .is_some_and(|to| to.starts_with("/login?next=%2F")),
            "{path}"
        );
    }
    let token = bob.get("/").await.unwrap().token().unwrap();
    for path in [
        format!("/courses/{course}/classes"),
        format!("/courses/{course}/roster"),
        format!("/classes/{}/close", class.id),
        format!("/classes/{}/correct", class.id),
        "/admin/teachers".to_owned(),
        "/admin/courses".to_owned(),
    ] {
        let fields = [
            ("late", "1"),
            ("csv", "x"),
            ("student", "2"),
            ("standing", "late"),
            ("reason", "x"),
            ("name", "x"),
            ("display", "x"),
            ("teachers", "bob"),
        ];
        let answer = bob.post(&path, &token, &fields).await.unwrap();
        assert_eq!(
            (answer.status, answer.refusal().as_deref()),
            (403, Some("forbidden")),
            "{path}"
        );
    }
}
