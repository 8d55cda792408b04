//! Rows I7 and I9: names are text, in pages, in pushes, and in the name of a file.

use checkin::accounts;
use checkin::courses;
use checkin::models::Role;
use checkin::roster;

use crate::support::{Fixture, config, sign_in, watch};

const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>";

#[tokio::test]
async fn markup_in_names_is_text_on_every_page() {
    let fixture = Fixture::with(config()).await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let app = fixture.app();
    let course = courses::create(&app.db, HOSTILE, &["ann"]).await.unwrap();
    let csv = format!("number,name\nS1,\"{}\"\n", HOSTILE.replace('"', "\"\""));
    let entries = roster::read(csv.as_bytes()).unwrap();
    let imported = courses::import(&app.db, course.id, &entries).await.unwrap();
    let password = checkin::secrets::Secret(crate::support::PASSWORD.to_owned());
    let token = &imported.links[0].token.0;
    // The page of the link shows the name before there is a password.
    let mut seen = vec![teacher.get(&format!("/join/{token}")).await.unwrap()];
    accounts::claim(&app.db, &app.passwords, token, password)
        .await
        .unwrap();
    let class = fixture.open(&mut teacher, course.id).await;
    let mut student = fixture.student("S1").await;
    let page = format!("/classes/{}", class.id);
    let roster = courses::roster(&app.db, course.id).await.unwrap();
    let id = roster[0].id.to_string();
    let fields = [
        ("student", id.as_str()),
        ("standing", "late"),
        ("reason", HOSTILE),
    ];
    seen.push(sign_in(&mut student, &class, HOSTILE).await);
    seen.push(
        teacher
            .submit(&page, &format!("{page}/correct"), &fields)
            .await
            .unwrap(),
    );
    for path in [
        "/".to_owned(),
        format!("/courses/{}", course.id),
        format!("/courses/{}/students/{id}", course.id),
        page.clone(),
        format!("{page}/screen"),
    ] {
        seen.push(teacher.get(&path).await.unwrap());
    }
    let wrong = format!("number,name\n{HOSTILE},x\n");
    let path = format!("/courses/{}", course.id);
    let roster_path = format!("{path}/roster");
    seen.push(
        teacher
            .submit(&path, &roster_path, &[("csv", &wrong)])
            .await
            .unwrap(),
    );
    for path in [
        "/".to_owned(),
        format!("/c/{}?code=%3Cscript%3Ealert(3)%3C/script%3E", class.id),
    ] {
        seen.push(student.get(&path).await.unwrap());
    }
    seen.push(student.log_in(HOSTILE, "not the password").await.unwrap());
    let mut shown = 0;
    for answer in seen {
        let text = answer.text();
        assert!(
            !text.contains("<img src=x") && !text.contains("<script>alert"),
            "{text}"
        );
        shown += usize::from(
            text.contains("&#60;script&#62;alert") || text.contains("&lt;script&gt;alert"),
        );
    }
    // It was there to be shown, and not left out.
    assert!(shown >= 8, "{shown}");

    // By push it is data, which the script of the page puts there as text.
    let (_, view) = watch(&teacher, &class).await;
    assert_eq!(view["lines"][0]["name"], HOSTILE);
    // As a file: one header, and a name that ends where it should.
    let sheet = teacher
        .get(&format!("/courses/{}/attendance.csv", course.id))
        .await
        .unwrap();
    let values: Vec<_> = sheet
        .headers
        .get_all("content-disposition")
        .iter()
        .collect();
    assert_eq!(values.len(), 1);
    let value = values[0].to_str().unwrap();
    assert!(
        value.starts_with("attachment; filename=\"") && value.matches('"').count() == 2,
        "{value}"
    );
    assert!(
        value.contains("filename*=UTF-8''%3Cimg%20src%3Dx"),
        "{value}"
    );
    assert_eq!(sheet.headers.get_all("set-cookie").iter().count(), 0);
}

#[tokio::test]
async fn names_with_line_ends_or_marks_are_refused_where_they_come_in() {
    let fixture = Fixture::with(config()).await;
    let mut admin = fixture.staff("root", Role::Admin).await;
    for name in ["a\r\nSet-Cookie: a=b", "a\0b", "a\u{202e}b", " "] {
        let fields = [("name", name), ("teachers", "")];
        let course = admin.submit("/", "/admin/courses", &fields).await.unwrap();
        assert_eq!(
            (course.status, course.refusal().as_deref()),
            (400, Some("bad_name")),
            "{name:?}"
        );
        let fields = [("name", "fresh"), ("display", name)];
        let teacher = admin.submit("/", "/admin/teachers", &fields).await.unwrap();
        assert_eq!(
            (teacher.status, teacher.refusal().as_deref()),
            (400, Some("bad_name")),
            "{name:?}"
        );
    }
}
