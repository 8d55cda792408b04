//! Who is on stage: two teachers, one of another course, and sixty students with phones.

use packetboat_orm::ModelExt;

use crate::accounts;
use crate::app::App;
use crate::client::{Browser, ClientError};
use crate::courses;
use crate::demo::teller::Broken;
use crate::models::Role;
use crate::roster;

/// Students of the class.
pub(super) const STUDENTS: usize = 60;

const PASSWORD: &str = "correct horse battery staple";

const FAMILY: [&str; 10] = [
    "王", "李", "张", "刘", "陈", "Smith", "Okafor", "García", "Nguyen", "Kowalska",
];
const GIVEN: [&str; 6] = ["芳", "伟", "Ada", "Ben", "Chidi", "Dora"];

/// Everybody, logged in, each with a browser of their own.
pub(super) struct Cast {
    pub(super) course: i64,
    /// Of the course.
    pub(super) alice: Browser,
    /// Of the course, too.
    pub(super) bob: Browser,
    /// Of another one.
    pub(super) mallory: Browser,
    pub(super) students: Vec<Browser>,
}

/// The roster of the course, as a teacher would upload it.
pub(super) fn roster() -> String {
    let mut csv = "number,name\n".to_owned();
    for at in 0..STUDENTS {
        let (family, given) = (FAMILY[at % FAMILY.len()], GIVEN[at / FAMILY.len()]);
        csv += &format!("S{:03},{family} {given}\n", at + 1);
    }
    csv
}

/// Makes everybody and logs them in. What takes long are the passwords, one for each.
pub(super) async fn assemble(app: &App, addr: std::net::SocketAddr) -> Result<Cast, Broken> {
    let fault = |fault| Broken::new(format!("{fault:?}"));
    for (name, display) in [("alice", "Alice"), ("bob", "Bob"), ("mallory", "Mallory")] {
        let made = accounts::create(&app.db, name, display, Role::Teacher).await;
        let (_, token) = made.map_err(fault)?;
        claim(app, &token.0).await?;
    }
    let course = courses::create(&app.db, "Navigation", &["alice", "bob"])
        .await
        .map_err(fault)?;
    courses::create(&app.db, "Piracy", &["mallory"])
        .await
        .map_err(fault)?;
    let entries = roster::read(roster().as_bytes())
        .map_err(|mistakes| Broken::new(format!("{mistakes:?}")))?;
    let imported = courses::import(&app.db, course.id, &entries)
        .await
        .map_err(|not| Broken::new(format!("{not:?}")))?;
    for link in &imported.links {
        claim(app, &link.token.0).await?;
    }
    let mut tasks = Vec::new();
    let names = ["alice", "bob", "mallory"].map(str::to_owned);
    for name in names
        .into_iter()
        .chain(entries.into_iter().map(|entry| entry.number))
    {
        tasks.push(tokio::spawn(async move {
            let mut browser = Browser::new(addr);
            let answer = browser.log_in(&name, PASSWORD).await?;
            if answer.status != 303 {
                return Err(ClientError::Refused(answer.status));
            }
            Ok(browser)
        }));
    }
    let mut browsers = Vec::new();
    for task in tasks {
        browsers.push(task.await??);
    }
    let students = browsers.split_off(3);
    let [alice, bob, mallory] =
        <[Browser; 3]>::try_from(browsers).map_err(|_| Broken::new("somebody is missing"))?;
    Ok(Cast {
        course: course.id,
        alice,
        bob,
        mallory,
        students,
    })
}

async fn claim(app: &App, token: &str) -> Result<(), Broken> {
    let password = crate::secrets::Secret(PASSWORD.to_owned());
    let claimed = accounts::claim(&app.db, &app.passwords, token, password).await;
    claimed.map_err(|fault| Broken::new(format!("{fault:?}")))
}

/// Rows of the class's attendance, as the database has them.
pub(super) async fn rows(app: &App, class: i64) -> Result<u64, Broken> {
    use crate::models::{Attendance, attendance};
    let rows = Attendance::select()
        .filter(attendance::class_id.eq(class))
        .count(&app.db)
        .await;
    rows.map_err(|error| Broken::new(error.to_string()))
}
