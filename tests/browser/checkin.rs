//! The check-in system: teachers and students in windows of their own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use packetboat_tests::child::{Child, path_of};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::chrome::{Driver, Window};

const PASSWORD: &str = "a password of some length";

/// Some names as they are.
pub(crate) fn names() -> Vec<&'static str> {
    vec![
        "李雷",
        "韩梅梅",
        "Ada Okafor",
        "Björn García-Nguyen",
        "王芳",
        "A",
        "Wolfeschlegelsteinhausenbergerdorff",
    ]
}

/// A server with a course, its teachers `ann` and `bob`, and students.
#[derive(Debug)]
pub(crate) struct School {
    server: Option<Child>,
    pub(crate) students: Vec<String>,
    /// The token of somebody who has no password yet.
    pub(crate) waiting: String,
    addr: String,
    folder: TempDir,
}

impl School {
    /// Makes everybody, by the operator's commands and the pages for first passwords.
    pub(crate) async fn open(names: &[&str]) -> Self {
        let folder = TempDir::with_prefix("school-").unwrap();
        let mut people = vec!["ann".to_owned(), "bob".to_owned()];
        for teacher in &people {
            admin(folder.path(), &["create", "teacher", teacher], "").await;
        }
        admin(
            folder.path(),
            &["course", "Navigation 导航", "ann", "bob"],
            "",
        )
        .await;
        let mut csv = "number,name\n".to_owned();
        for (at, name) in names.iter().enumerate() {
            csv += &format!("S{},\"{}\"\n", at + 1, name.replace('"', "\"\""));
        }
        let roster = folder.path().join("roster.csv");
        std::fs::write(&roster, csv).unwrap();
        let roster = roster.to_str().unwrap();
        let said = admin(folder.path(), &["roster", "Navigation 导航", roster], "").await;
        let waiting = said.trim_end().rsplit('/').next().unwrap().to_owned();
        let students: Vec<String> = (1..names.len()).map(|at| format!("S{at}")).collect();
        people.extend(students.iter().cloned());
        for name in &people {
            admin(folder.path(), &["password", name], PASSWORD).await;
        }
        let server = serve(folder.path(), "127.0.0.1:0").await;
        Self {
            addr: server.addr().to_string(),
            server: Some(server),
            students,
            waiting,
            folder,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(crate) async fn log_in(&self, window: &Window, name: &str) {
        window.open(&self.url("/login")).await;
        window.fill("#name", name).await;
        window.fill("#password", PASSWORD).await;
        window.click("main button").await;
        window.until("return location.pathname === '/'").await;
    }

    /// Opens a class by the page of the course, and gives its number.
    pub(crate) async fn open_class(&self, teacher: &Window) -> i64 {
        teacher.open(&self.url("/courses/1")).await;
        teacher.click("form[action$='/classes'] button").await;
        let path = teacher
            .until("return location.pathname.startsWith('/classes/') && location.pathname")
            .await;
        path.as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// The code on the wall.
    pub(crate) async fn code(&self, wall: &Window) -> String {
        let script = "const code = document.querySelector('[data-code]'); \
            return /^[2-9A-Z]{6}$/.test(code.textContent) && !code.classList.contains('old') && code.textContent";
        wall.until(script).await.as_str().unwrap().to_owned()
    }

    /// The code that comes next, with all of its time before it.
    pub(crate) async fn next_code(&self, wall: &Window) -> String {
        let now = self.code(wall).await;
        let script = format!(
            "const code = document.querySelector('[data-code]').textContent; return code !== '{now}' && code"
        );
        wall.until(&script).await.as_str().unwrap().to_owned()
    }

    pub(crate) async fn sign_in(&self, student: &Window, class: i64, code: &str) {
        student.open(&self.url(&format!("/c/{class}"))).await;
        student.fill("#code", code).await;
        student.click("main button").await;
        student
            .until("return document.querySelector('[data-standing], [data-code]') !== null")
            .await;
    }

    /// Kills the server, in mid-sentence.
    async fn power_cut(&mut self) {
        self.server.take().unwrap().kill().await.unwrap();
    }

    /// Starts it again, where it was.
    async fn power_back(&mut self) {
        self.server = Some(serve(self.folder.path(), &self.addr).await);
    }
}

async fn serve(folder: &Path, listen: &str) -> Child {
    let arguments = ["server", "--listen", listen, "--every", "3s", "--data"];
    let arguments = arguments
        .map(PathBuf::from)
        .into_iter()
        .chain([folder.to_owned()]);
    Child::spawn("checkin", arguments, &folder.join("log"))
        .await
        .unwrap()
}

async fn admin(folder: &Path, arguments: &[&str], typed: &str) -> String {
    let mut command = Command::new(path_of("checkin").unwrap());
    command
        .args(["admin", "--data"])
        .arg(folder)
        .args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = command.kill_on_drop(true).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // One that reads nothing may have ended.
    let _ = stdin.write_all(format!("{typed}\n").as_bytes()).await;
    drop(stdin);
    let output = process.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_in_two_browsers() {
    let Some(driver) = Driver::start().await else {
        return;
    };
    let school = School::open(&names()).await;
    let (teacher, student) = (
        driver.window("teacher").await,
        driver.window("student").await,
    );
    school.log_in(&teacher, "ann").await;
    school.log_in(&student, &school.students[0]).await;
    let class = school.open_class(&teacher).await;
    // The list in one tab, the wall in another.
    let list = teacher.driver.window().await.unwrap();
    let wall = teacher.driver.new_tab().await.unwrap();
    teacher.driver.switch_to_window(wall.clone()).await.unwrap();
    teacher
        .open(&school.url(&format!("/classes/{class}/screen")))
        .await;
    teacher.until("const qr = document.querySelector('[data-qr]'); return qr.complete && qr.naturalWidth > 0").await;
    let code = school.next_code(&teacher).await;
    // By small letters and a space, as somebody types it.
    school
        .sign_in(
            &student,
            class,
            &format!("{} {}", &code[..3].to_lowercase(), &code[3..]),
        )
        .await;
    assert!(student.text("main").await.contains("Present"));
    teacher
        .until("return document.querySelector('[data-here]').textContent === '1'")
        .await;
    teacher
        .until("return document.querySelector('[data-latest]').textContent === '李雷'")
        .await;

    // The list has it too, and was not loaded again; a correction goes by the same WebSocket.
    teacher.driver.switch_to_window(list).await.unwrap();
    teacher
        .until("return document.querySelector('tbody tr .chip').textContent === 'Present'")
        .await;
    teacher.run("window.stayed = true").await;
    teacher.click("tbody tr:nth-child(2) summary").await;
    teacher
        .click("tbody tr:nth-child(2) option[value=excused]")
        .await;
    teacher
        .fill(
            "tbody tr:nth-child(2) input[name=reason]",
            "a doctor's note",
        )
        .await;
    teacher.click("tbody tr:nth-child(2) form button").await;
    teacher.until("return document.querySelector('tbody tr:nth-child(2) .chip').textContent === 'Excused'").await;
    assert_eq!(teacher.run("return window.stayed").await, json!(true));

    // A reload loses nothing, and a student who comes again is told so.
    teacher.driver.switch_to_window(wall.clone()).await.unwrap();
    teacher.driver.refresh().await.unwrap();
    school.code(&teacher).await;
    assert_eq!(teacher.text("[data-here]").await, "1");
    student.open(&school.url(&format!("/c/{class}"))).await;
    assert!(student.text("main").await.contains("signed in already"));

    // Closed in one window, over in the other.
    let bob = driver.window("bob").await;
    school.log_in(&bob, "bob").await;
    bob.open(&school.url(&format!("/classes/{class}"))).await;
    bob.until("return document.querySelector('[data-state]').textContent === 'Live'")
        .await;
    bob.click("form[action$='/close'] button").await;
    for window in [&teacher, &bob] {
        window
            .until("return document.querySelector('[data-state]').textContent === 'Closed'")
            .await;
    }
    // Who has not come by now was not there, in the list that is open and in one that is opened.
    let third = "return document.querySelector('tbody tr:nth-child(3) .chip').textContent";
    assert_eq!(bob.run(third).await, json!("Absent"));
    bob.driver.refresh().await.unwrap();
    // The script writes the class of the state anew, with nothing at its end.
    bob.until("return document.querySelector('[data-state]').className === 'chip state '")
        .await;
    assert_eq!(bob.run(third).await, json!("Absent"));
    assert_eq!(
        teacher
            .run("return document.querySelector('[data-qr]').hidden")
            .await,
        json!(true)
    );
    for window in [teacher, student, bob] {
        window.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_comes_back_after_its_server_has_gone() {
    let Some(driver) = Driver::start().await else {
        return;
    };
    let mut school = School::open(&names()).await;
    let (ann, bob) = (driver.window("ann").await, driver.window("bob").await);
    let student = driver.window("student").await;
    school.log_in(&ann, "ann").await;
    school.log_in(&bob, "bob").await;
    school.log_in(&student, &school.students[1]).await;
    let class = school.open_class(&ann).await;
    for window in [&ann, &bob] {
        window
            .open(&school.url(&format!("/classes/{class}/screen")))
            .await;
        school.code(window).await;
    }
    let code = school.next_code(&ann).await;
    school.sign_in(&student, class, &code).await;
    school.power_cut().await;
    for window in [&ann, &bob] {
        window.until("return document.querySelector('[data-state]').textContent.startsWith('Reconnecting')").await;
        // A code that is no longer taken is not shown as if it were.
        window
            .until(
                "return document.querySelectorAll('[data-code].old, [data-qr].old').length === 2",
            )
            .await;
    }
    ann.picture("screen-cut").await;
    school.power_back().await;
    for window in [&ann, &bob] {
        window
            .until("return document.querySelector('[data-state]').textContent === 'Live'")
            .await;
        school.code(window).await;
        assert_eq!(window.text("[data-here]").await, "1");
    }
    // Both show the same, as soon as the next code has come to both.
    let code = school.next_code(&ann).await;
    bob.until(&format!(
        "return document.querySelector('[data-code]').textContent === '{code}'"
    ))
    .await;
    // One leaves; the other goes on.
    ann.close().await;
    school.next_code(&bob).await;
    school.next_code(&bob).await;
    bob.close().await;
    student.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_names_runs_nowhere() {
    let Some(driver) = Driver::start().await else {
        return;
    };
    let hostile = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(2)>",
        "\"'><svg/onload=alert(3)>",
        "</textarea><script>alert(4)</script>",
        "javascript:alert(5)",
        "last",
    ];
    let school = School::open(&hostile).await;
    let (teacher, student) = (
        driver.window("teacher").await,
        driver.window("student").await,
    );
    school.log_in(&teacher, "ann").await;
    let class = school.open_class(&teacher).await;
    teacher
        .open(&school.url(&format!("/classes/{class}/screen")))
        .await;
    for number in &school.students {
        school.log_in(&student, number).await;
        // Each on a device of their own.
        student.driver.delete_cookie("device").await.unwrap();
        let code = school.next_code(&teacher).await;
        student.open(&school.url("/")).await;
        school.log_in(&student, number).await;
        school.sign_in(&student, class, &code).await;
        if student
            .run("return document.querySelector('[data-standing]') === null")
            .await
            == json!(true)
        {
            let code = school.next_code(&teacher).await;
            school.sign_in(&student, class, &code).await;
        }
        assert!(student.text("main").await.contains("Present"), "{number}");
        quiet(&student).await;
        student.driver.delete_cookie("session").await.unwrap();
    }
    // They came by push, and stand on the wall as text.
    let latest = teacher.until("return document.querySelector('[data-latest]').textContent.includes('alert(5)') && document.querySelector('[data-latest]').textContent").await;
    assert!(
        latest
            .as_str()
            .unwrap()
            .contains("<img src=x onerror=alert(2)>")
    );
    quiet(&teacher).await;
    for path in [
        "/courses/1".to_owned(),
        format!("/classes/{class}"),
        "/courses/1/students/3".to_owned(),
    ] {
        teacher.open(&school.url(&path)).await;
        assert!(teacher.text("main").await.contains("alert("), "{path}");
        quiet(&teacher).await;
    }
    teacher.close().await;
    student.close().await;
}

/// No dialog stands on the page, nothing in it is somebody's markup, and its policy had nothing to refuse.
async fn quiet(window: &Window) {
    assert!(
        window.driver.get_alert_text().await.is_err(),
        "a dialog is open"
    );
    assert_eq!(
        window
            .run("return document.querySelectorAll('main script, main svg, img[src=x]').length")
            .await,
        json!(0)
    );
    assert_eq!(window.violations().await, Value::Array(Vec::new()));
}
