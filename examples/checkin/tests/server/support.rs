//! A server in this process, its rows, and who visits it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of one program of tests"
)]

use std::net::SocketAddr;
use std::time::Duration;

use checkin::accounts;
use checkin::app::App;
use checkin::client::{Answer, Browser, Socket};
use checkin::config::ServerConfig;
use checkin::courses;
use checkin::models::{Attendance, Class, Role, attendance};
use checkin::roster;
use checkin::secrets::Secret;
use checkin::server::{self, RunningServer};
use packetboat_orm::{Dialect, ModelExt, test};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const PASSWORD: &str = "a password of some length";

/// Longer than anything takes, on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A test on every database: `on_sqlite`, `on_postgres`, `on_mysql`.
macro_rules! on_each_database {
    ($($test:ident)*) => {$(
        mod $test {
            use packetboat_orm::Dialect;

            #[tokio::test]
            async fn on_sqlite() {
                super::$test(Dialect::Sqlite).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                super::$test(Dialect::Postgres).await;
            }

            #[tokio::test]
            async fn on_mysql() {
                super::$test(Dialect::MySql).await;
            }
        }
    )*};
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Fixture {
    pub server: RunningServer,
    pub addr: SocketAddr,
    pub config: ServerConfig,
    pub dir: TempDir,
    // Last: it goes when nothing uses it any more.
    _database: Option<test::Database>,
}

/// The options that most tests want: cheap passwords, and codes that stand for long.
pub fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.every = Duration::from_secs(60);
    config.password_cost = argon2::Params::new(argon2::Params::MIN_M_COST, 1, 1, None).unwrap();
    config.per_address = 2_000;
    config
}

impl Fixture {
    /// On SQLite, with the usual options.
    pub async fn new() -> Self {
        Self::with(config()).await
    }

    /// On SQLite.
    pub async fn with(config: ServerConfig) -> Self {
        Self::on(Dialect::Sqlite, config).await.unwrap()
    }

    /// On any database; `None` when there is no server of this kind, which is said.
    pub async fn on(kind: Dialect, mut config: ServerConfig) -> Option<Self> {
        // What the server complains of stands beside a test that fails.
        let log = tracing_subscriber::fmt()
            .with_test_writer()
            .with_env_filter("warn");
        let _already_set = log.try_init();
        let dir = tempfile::tempdir().unwrap();
        let database = match kind {
            Dialect::Sqlite => None,
            kind => Some(test::Database::fresh(kind).await?),
        };
        config.place.data = dir.path().to_owned();
        config.place.database = database.as_ref().map(|of| Secret(of.url().to_owned()));
        let server = server::serve(config.clone()).await.unwrap();
        Some(Self {
            addr: server.local_addr(),
            server,
            config,
            dir,
            _database: database,
        })
    }

    pub fn app(&self) -> &App {
        self.server.app()
    }

    /// A teacher or an admin, logged in.
    pub async fn staff(&self, name: &str, role: Role) -> Browser {
        let (_, token) = accounts::create(&self.app().db, name, name, role)
            .await
            .unwrap();
        self.claimed(name, &token.0).await
    }

    /// A course of these teachers, with `s1`, `s2`, .. on its roster.
    pub async fn course(&self, name: &str, teachers: &[&str], students: usize) -> i64 {
        let course = courses::create(&self.app().db, name, teachers)
            .await
            .unwrap();
        let mut csv = "number,name\n".to_owned();
        for at in 1..=students {
            csv += &format!("{name}-{at},Student {at}\n");
        }
        if students > 0 {
            let entries = roster::read(csv.as_bytes()).unwrap();
            let imported = courses::import(&self.app().db, course.id, &entries)
                .await
                .unwrap();
            assert_eq!(imported.links.len(), students);
            for link in imported.links {
                self.claim(&link.token.0).await;
            }
        }
        course.id
    }

    /// The student of this number, logged in with a browser that is new.
    pub async fn student(&self, number: &str) -> Browser {
        self.log_in(number).await
    }

    pub async fn log_in(&self, name: &str) -> Browser {
        let mut browser = Browser::new(self.addr);
        let answer = browser.log_in(name, PASSWORD).await.unwrap();
        assert_eq!(answer.status, 303, "{name}: {:?}", answer.refusal());
        browser
    }

    async fn claimed(&self, name: &str, token: &str) -> Browser {
        self.claim(token).await;
        self.log_in(name).await
    }

    async fn claim(&self, token: &str) {
        let app = self.app();
        let password = Secret(PASSWORD.to_owned());
        accounts::claim(&app.db, &app.passwords, token, password)
            .await
            .unwrap();
    }

    /// Opens a class by the page of its course.
    pub async fn open(&self, teacher: &mut Browser, course: i64) -> Class {
        let page = format!("/courses/{course}");
        let action = format!("{page}/classes");
        let opened = teacher
            .submit(&page, &action, &[("late", "10")])
            .await
            .unwrap();
        let id = opened
            .location()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .parse::<i64>()
            .unwrap();
        Class::find(id, &self.app().db).await.unwrap().unwrap()
    }

    /// The code that is on the wall of a class now.
    pub fn code(&self, class: &Class) -> String {
        checkin::codes::current(class, self.app().clock.millis())
            .as_str()
            .to_owned()
    }

    pub async fn rows(&self, class: &Class) -> Vec<Attendance> {
        let own = Attendance::select().filter(attendance::class_id.eq(class.id));
        own.order_by(attendance::id.asc())
            .all(&self.app().db)
            .await
            .unwrap()
    }
}

/// Types a code on the page of a class.
pub async fn sign_in(student: &mut Browser, class: &Class, code: &str) -> Answer {
    let page = format!("/c/{}", class.id);
    student
        .submit(&page, &page, &[("code", code)])
        .await
        .unwrap()
}

/// What the page says of the student who signed in.
pub fn standing(answer: &Answer) -> Option<String> {
    answer.attribute("data-standing=\"")
}

/// Opens the wall of a class: its WebSocket, and the class as it is.
pub async fn watch(teacher: &Browser, class: &Class) -> (Socket, Value) {
    let mut socket = teacher
        .socket(&format!("/classes/{}/socket", class.id))
        .await
        .unwrap();
    let view = socket
        .call(json!({"type": "watch_class", "class": class.id}))
        .await
        .unwrap();
    (socket, view.unwrap())
}

pub async fn next_code(socket: &mut Socket) -> String {
    let code = socket.push_of("code", PATIENCE).await.unwrap();
    code.as_str().unwrap().to_owned()
}

/// Waits until it holds, and says how long that took.
pub async fn until(mut holds: impl FnMut() -> bool) -> Duration {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never held");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}
