//! Migrations made from models: applied and undone with rows inside, by many nodes, and killed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use packetboat_orm::migrate::{Error, Made, Make, Migrations, Models, State};
use packetboat_orm::test::Database;
use packetboat_orm::{DbPool, Dialect, Executor as _, ModelExt as _, sql};
use tempfile::TempDir;

use crate::common::bed::Bed;

/// The models as they were.
mod before {
    use packetboat_orm::Model;

    #[derive(Clone, Debug, Model)]
    pub(super) struct Writer {
        pub(super) id: i64,
        #[model(unique, size = 40)]
        pub(super) name: String,
        #[model(size = 20)]
        pub(super) nick: Option<String>,
        pub(super) age: i32,
    }

    #[derive(Clone, Debug, Model)]
    pub(super) struct Book {
        pub(super) id: i64,
        #[model(references(Writer, on_delete = cascade), index)]
        pub(super) writer_id: i64,
        #[model(size = 50)]
        pub(super) title: String,
        #[model(check = "pages > 0")]
        pub(super) pages: i16,
        #[model(scale = 2)]
        pub(super) price: rust_decimal::Decimal,
    }
}

/// The models as they are: renamed, added, dropped, longer, wider, bound by more.
mod after {
    use packetboat_orm::Model;

    #[derive(Clone, Debug, Model)]
    #[model(was = "writer")]
    pub(super) struct Author {
        pub(super) id: i64,
        #[model(unique, size = 60, was = "name")]
        pub(super) full_name: String,
        #[model(size = 20, default = "none")]
        pub(super) nick: String,
    }

    #[derive(Clone, Debug, Model)]
    #[model(unique(writer_id, title))]
    pub(super) struct Book {
        pub(super) id: i64,
        #[model(references(Author, on_delete = cascade), index)]
        pub(super) writer_id: i64,
        #[model(size = 80)]
        pub(super) title: String,
        #[model(check = "pages >= 0")]
        pub(super) pages: i32,
        #[model(scale = 4)]
        pub(super) price: rust_decimal::Decimal,
        #[model(index)]
        pub(super) year: Option<i32>,
        #[model(default = 3, check = "rating BETWEEN 0 AND 5")]
        pub(super) rating: i32,
        #[model(generated = "pages * 2")]
        pub(super) sides: Option<i32>,
    }

    #[derive(Clone, Debug, Model)]
    pub(super) struct Loan {
        pub(super) id: i64,
        #[model(references = Book)]
        pub(super) book_id: i64,
        #[model(default = now)]
        pub(super) begun: chrono::DateTime<chrono::Utc>,
    }
}

fn old(folder: &Path) -> Migrations {
    Models::new()
        .add::<before::Writer>()
        .add::<before::Book>()
        .folder(folder)
}

fn new(folder: &Path) -> Migrations {
    Models::new()
        .add::<after::Author>()
        .add::<after::Book>()
        .add::<after::Loan>()
        .folder(folder)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Two writers, with a book each, and the key of a third that was deleted.
async fn fill(db: &DbPool) -> i64 {
    let mut last = 0;
    for (name, nick) in [("ann", None), ("bob", Some("b")), ("eve", None)] {
        let mut writer = before::Writer {
            id: 0,
            name: name.to_owned(),
            nick: nick.map(str::to_owned),
            age: 50,
        };
        writer.insert(db).await.expect("a writer");
        let mut book = before::Book {
            id: 0,
            writer_id: writer.id,
            title: format!("of {name}"),
            pages: 7,
            price: "12.34".parse().expect("a price"),
        };
        book.insert(db).await.expect("a book");
        last = writer.id;
        if name == "eve" {
            writer.delete(db).await.expect("eve leaves");
        }
    }
    last
}

async fn a_change_is_applied_and_undone_with_rows_inside(bed: impl Bed) {
    let db = bed.other().await;
    let folder = folder();
    let (old, new) = (old(folder.path()), new(folder.path()));
    old.make("begin").expect("the first migration");
    assert_eq!(old.up(&db).await.expect("up"), ["0001_begin"]);
    let report = old.check(&db).await.expect("a report");
    assert!(report.is_clean(), "{report}");
    let last = fill(&db).await;

    let refused = new.make("grow").expect_err("it loses the ages");
    let said = refused.to_string();
    assert!(said.contains("drops column age of table author"), "{said}");
    let made = new.make(Make::new("grow").allow_loss()).expect("files");
    let Made::Files { files, losses } = made else {
        panic!("{made}");
    };
    assert_eq!(losses.len(), 2, "{losses:?}");
    for file in &files {
        let text = fs::read_to_string(file).expect("a file");
        assert!(!text.is_empty(), "{}", file.display());
        let statements = text.matches(";\n").count();
        if file
            .parent()
            .is_some_and(|folder| folder.ends_with("mysql"))
        {
            assert_eq!(statements, 1, "{}: {text}", file.display());
        }
    }
    assert_eq!(new.up(&db).await.expect("up"), ["0002_grow"]);
    let report = new.check(&db).await.expect("a report");
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.notes(), [], "{report}");
    assert_eq!(new.make("nothing").expect("an answer"), Made::Nothing);

    let authors = after::Author::select()
        .order_by(after::author::id.asc())
        .all(&db)
        .await
        .expect("authors");
    let names: Vec<(&str, &str)> = authors
        .iter()
        .map(|author| (author.full_name.as_str(), author.nick.as_str()))
        .collect();
    assert_eq!(names, [("ann", "none"), ("bob", "b")]);
    let books = after::Book::select().all(&db).await.expect("books");
    assert_eq!(
        books.len(),
        2,
        "no book went with a table that was built anew"
    );
    for book in &books {
        assert_eq!((book.pages, book.year, book.rating), (7, None, 3));
        assert_eq!(book.sides, Some(14));
        assert_eq!(book.price.to_string().trim_end_matches('0'), "12.34");
    }
    let mut carl = after::Author {
        id: 0,
        full_name: "carl".to_owned(),
        nick: String::new(),
    };
    carl.insert(&db).await.expect("another author");
    assert!(carl.id > last, "a key is never given twice");

    assert_eq!(new.down(&db, 1).await.expect("down"), ["0002_grow"]);
    let report = old.check(&db).await.expect("a report");
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.notes(), [], "{report}");
    let writers = before::Writer::select().all(&db).await.expect("writers");
    assert_eq!(writers.len(), 3);
    assert!(
        writers.iter().all(|writer| writer.age == 0),
        "the ages are lost"
    );
    assert_eq!(before::Book::select().count(&db).await.expect("a count"), 2);

    assert_eq!(new.up(&db).await.expect("up again"), ["0002_grow"]);
    let report = new.check(&db).await.expect("a report");
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        new.down(&db, 9).await.expect("all down"),
        ["0002_grow", "0001_begin"]
    );
    assert_eq!(new.up(&db).await.expect("all up").len(), 2);
}

/// A model whose every change has no right answer.
mod refused {
    use packetboat_orm::Model;

    #[derive(Model)]
    pub(super) struct Writer {
        pub(super) id: i64,
        #[model(unique, size = 40)]
        pub(super) name: String,
        #[model(size = 20)]
        pub(super) nick: Option<String>,
        pub(super) age: String,
        pub(super) born: i32,
    }

    #[derive(Model)]
    pub(super) struct Book {
        pub(super) id: i64,
        #[model(references(Writer, on_delete = cascade), index)]
        pub(super) writer_id: i64,
        #[model(size = 50, key)]
        pub(super) title: String,
        #[model(check = "pages > 0")]
        pub(super) pages: i16,
        #[model(scale = 2)]
        pub(super) price: rust_decimal::Decimal,
    }
}

#[test]
fn what_has_no_right_answer_is_refused_in_words() {
    let folder = folder();
    old(folder.path())
        .make("begin")
        .expect("the first migration");
    let before = files_of(folder.path());
    let refused = Models::new()
        .add::<refused::Writer>()
        .add::<refused::Book>()
        .folder(folder.path())
        .make(Make::new("wrong").allow_loss())
        .expect_err("three reasons");
    let Error::Refused { reasons } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(reasons.len(), 3, "{reasons:#?}");
    for words in [
        "column born of table writer is new and must not be NULL",
        "column age of table writer changes from I32 to Text",
        "table book gets another primary key",
    ] {
        assert!(
            reasons.iter().any(|reason| reason.contains(words)),
            "{words}: {reasons:#?}"
        );
    }
    assert_eq!(files_of(folder.path()), before, "nothing was written");
    let unnamed = old(folder.path()).make("../x").expect_err("no name");
    assert!(matches!(unnamed, Error::Refused { .. }), "{unnamed:?}");
}

fn files_of(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_of(&path));
        } else {
            files.push(path.display().to_string());
        }
    }
    files.sort();
    files
}

/// Migrations written by hand, each of which adds a column: 1 to `COLUMNS`.
fn by_hand(folder: &Path, dialect: Dialect) -> Migrations {
    let (name, column) = match dialect {
        Dialect::MySql => (
            "mysql",
            "ADD COLUMN c{n} INTEGER NOT NULL DEFAULT 1, ADD INDEX c{n}_idx (c{n});",
        ),
        Dialect::Postgres | Dialect::Sqlite => (
            if dialect == Dialect::Sqlite {
                "sqlite"
            } else {
                "postgres"
            },
            "ADD COLUMN c{n} INTEGER NOT NULL DEFAULT 1;\nCREATE INDEX c{n}_idx ON grown (c{n});",
        ),
    };
    let drop_index = match dialect {
        Dialect::MySql => "",
        Dialect::Postgres | Dialect::Sqlite => "DROP INDEX c{n}_idx;\n",
    };
    let path = folder.join(name);
    fs::create_dir_all(&path).expect("a folder");
    for n in 1..=COLUMNS {
        let at = |text: &str| text.replace("{n}", &n.to_string());
        let (up, down) = (
            at(&format!("ALTER TABLE grown {column}\n")),
            at(&format!(
                "{drop_index}ALTER TABLE grown DROP COLUMN c{{n}};\n"
            )),
        );
        fs::write(path.join(format!("{n:04}_grow.up.sql")), up).expect("a file");
        fs::write(path.join(format!("{n:04}_grow.down.sql")), down).expect("a file");
    }
    Models::new().folder(folder)
}

const COLUMNS: usize = 3;

async fn grown(db: &DbPool, rows: u32) {
    let create = match db.dialect() {
        Dialect::MySql => {
            "CREATE TABLE grown (id INTEGER AUTO_INCREMENT PRIMARY KEY, body VARCHAR(99))"
        }
        Dialect::Postgres => "CREATE TABLE grown (id SERIAL PRIMARY KEY, body TEXT)",
        Dialect::Sqlite => "CREATE TABLE grown (id INTEGER PRIMARY KEY, body TEXT)",
    };
    sql(create).exec(db).await.expect("a table");
    sql("INSERT INTO grown (body) VALUES ('x')")
        .exec(db)
        .await
        .expect("a row");
    for _ in 0..rows.ilog2() {
        sql("INSERT INTO grown (body) SELECT body FROM grown")
            .exec(db)
            .await
            .expect("as many again");
    }
}

async fn has_column(db: &DbPool, n: usize) -> bool {
    // What cannot be selected is not there.
    let select: &'static str = format!("SELECT COUNT(c{n}) FROM grown").leak();
    sql(select).one::<i64>(db).await.is_ok()
}

async fn nodes_that_start_at_once_take_turns(bed: impl Bed) {
    let db = bed.other().await;
    grown(&db, 64).await;
    let folder = folder();
    let migrations = by_hand(folder.path(), db.dialect());
    migrations.up(&db).await.expect("up");
    // One stays, so that each node reads the same list before any writes to it.
    migrations.down(&db, COLUMNS - 1).await.expect("down");
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let (node, migrations) = (bed.other().await, migrations.clone());
        // A task of its own, so the future is one that can move.
        nodes.push(tokio::spawn(
            async move { migrations.up(&node).await.map(drop) },
        ));
    }
    for node in nodes {
        node.await.expect("no panic").expect("its turn");
    }
    let status = migrations.status(&db).await.expect("a status");
    let states: Vec<State> = status.migrations().map(|(.., state)| state).collect();
    assert_eq!(states, [State::Applied; COLUMNS], "{status}");
}

async fn what_is_wrong_with_a_migration_is_named(bed: impl Bed) {
    let db = bed.other().await;
    grown(&db, 2).await;
    let folder = folder();
    let migrations = by_hand(folder.path(), db.dialect());
    let path = folder.path().join(match db.dialect() {
        Dialect::MySql => "mysql",
        Dialect::Postgres => "postgres",
        Dialect::Sqlite => "sqlite",
    });
    let third = path.join("0002_grow.up.sql");
    let text = fs::read_to_string(&third).expect("a file");

    fs::write(&third, "ALTER TABLE nowhere ADD COLUMN x INTEGER;").expect("a file");
    let failed = migrations.up(&db).await.expect_err("no such table");
    assert!(
        matches!(&failed, Error::Failed { name, .. } if name == "0002_grow"),
        "{failed:?}"
    );
    fs::write(&third, &text).expect("a file");
    migrations.up(&db).await.expect("mended");

    fs::write(&third, format!("{text}-- changed\n")).expect("a file");
    let changed = migrations.up(&db).await.expect_err("it was applied");
    assert!(
        matches!(&changed, Error::Changed { name } if name == "0002_grow"),
        "{changed:?}"
    );
    let status = migrations.status(&db).await.expect("a status").to_string();
    assert!(
        status.contains("0002_grow: applied, and changed since"),
        "{status}"
    );
    fs::write(&third, &text).expect("a file");

    let down = path.join("0003_grow.down.sql");
    let down_text = fs::read_to_string(&down).expect("a file");
    fs::remove_file(&down).expect("no way back");
    let stuck = migrations.down(&db, 1).await.expect_err("no way back");
    assert!(
        matches!(&stuck, Error::NoDown { name } if name == "0003_grow"),
        "{stuck:?}"
    );
    fs::write(&down, down_text).expect("a file");

    sql("UPDATE _sqlx_migrations SET success = FALSE WHERE version = 3")
        .exec(&db)
        .await
        .expect("as a kill leaves it");
    let dirty = migrations.up(&db).await.expect_err("it is dirty");
    assert!(
        matches!(&dirty, Error::Dirty { name } if name == "0003_grow"),
        "{dirty:?}"
    );
    assert!(migrations.mark_applied(&db).await.expect("marked"));
    assert!(!migrations.mark_applied(&db).await.expect("nothing to mark"));
    assert_eq!(migrations.up(&db).await.expect("all there"), [""; 0]);

    for file in ["0003_grow.up.sql", "0003_grow.down.sql"] {
        fs::remove_file(path.join(file)).expect("gone");
    }
    let missing = migrations.up(&db).await.expect_err("a newer program's");
    assert!(
        matches!(missing, Error::Missing { version: 3 }),
        "{missing:?}"
    );
}

async fn tables_made_without_migrations_are_adopted(bed: impl Bed) {
    let db = bed.other().await;
    let folder = folder();
    let migrations = old(folder.path());
    migrations.make("begin").expect("the first migration");
    assert!(
        !migrations.adopt(&db).await.expect("an answer"),
        "it is empty"
    );
    migrations.models().create(&db).await.expect("tables");
    assert!(migrations.adopt(&db).await.expect("adopted"));
    assert!(
        !migrations.adopt(&db).await.expect("an answer"),
        "it has been"
    );
    assert_eq!(migrations.up(&db).await.expect("nothing to do"), [""; 0]);
    new(folder.path())
        .make(Make::new("grow").allow_loss())
        .expect("files");
    assert_eq!(migrations.up(&db).await.expect("up"), ["0002_grow"]);
}

async fn tables_that_differ_are_not_adopted(bed: impl Bed) {
    let db = bed.other().await;
    let folder = folder();
    let migrations = old(folder.path());
    migrations.make("begin").expect("the first migration");
    before::Writer::create_table(&db)
        .await
        .expect("one of two tables");
    let refused = migrations.adopt(&db).await.expect_err("one is missing");
    let Error::Differs(report) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(report.to_string().matches("\n- ").count(), 1, "{report}");
    let status = migrations.status(&db).await.expect("a status");
    assert_eq!(status.pending().collect::<Vec<_>>(), ["0001_begin"]);
}

/// On SQLite they are off while migrations are applied, since a table that is built anew is dropped on the way.
#[tokio::test]
async fn rows_that_refer_to_nothing_are_found_before_they_are_kept() {
    let database = Database::fresh(Dialect::Sqlite).await.expect("a folder");
    let db = database.pool().await.expect("a pool");
    let folder = folder();
    let migrations = old(folder.path());
    migrations.make("begin").expect("the first migration");
    migrations.up(&db).await.expect("up");
    fill(&db).await;
    let wrong = folder.path().join("sqlite/0002_wrong.sql");
    fs::write(&wrong, "DELETE FROM writer WHERE name = 'ann';").expect("a file");
    let broken = migrations.up(&db).await.expect_err("her book is left");
    assert!(
        matches!(&broken, Error::ForeignKeys { table } if table == "book"),
        "{broken:?}"
    );
    assert_eq!(
        before::Writer::select().count(&db).await.expect("a count"),
        2
    );
    // They are on again.
    fs::remove_file(&wrong).expect("gone");
    migrations.up(&db).await.expect("nothing to do");
    let mut lost = before::Book {
        id: 0,
        writer_id: 99,
        title: String::new(),
        pages: 1,
        price: 1.into(),
    };
    lost.insert(&db).await.expect_err("no such writer");
}

#[tokio::test]
async fn a_folder_without_this_database_is_no_folder_without_work() {
    let database = Database::fresh(Dialect::Sqlite).await.expect("a folder");
    let db = database.pool().await.expect("a pool");
    let folder = folder();
    let absent = old(folder.path())
        .up(&db)
        .await
        .expect_err("nothing is there");
    assert!(
        matches!(
            absent,
            Error::Absent {
                dialect: Dialect::Sqlite
            }
        ),
        "{absent:?}"
    );
}

/// Not a test of its own: what the next one kills.
#[tokio::test]
#[ignore = "run as a process by the test that kills it"]
async fn a_process_that_migrates() {
    let variable = |name| std::env::var(name).expect("a variable of the test that runs this");
    let db = DbPool::connect(&variable("MIGRATE_URL"))
        .await
        .expect("a pool");
    let folder = variable("MIGRATE_FOLDER");
    let _ = Models::new().folder(folder).up(&db).await;
}

async fn twenty_kills_leave_nothing_half_done(bed: impl Bed) {
    let db = bed.other().await;
    grown(&db, 4096).await;
    let folder = folder();
    let migrations = by_hand(folder.path(), db.dialect());
    let start = || {
        tokio::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "migrate::a_process_that_migrates", "--ignored"])
            .env("MIGRATE_URL", bed.url())
            .env("MIGRATE_FOLDER", folder.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a process")
    };
    let begun = Instant::now();
    start().wait().await.expect("it ends");
    let whole = begun.elapsed();
    assert_eq!(
        migrations.down(&db, COLUMNS).await.expect("down").len(),
        COLUMNS
    );

    let (mut kills, mut dirty, mut tries) = (0, 0, 0_u32);
    while kills < 20 {
        tries += 1;
        assert!(
            tries < 200,
            "only {kills} of {tries} processes were still running"
        );
        let mut process = start();
        // Over the whole of its run, in steps that hit each part of it.
        let share = f64::from(tries * 13 % 32) / 32.0;
        tokio::time::sleep(whole.mul_f64(share)).await;
        if process.try_wait().expect("its state").is_none() {
            process.kill().await.expect("a kill");
            kills += 1;
        }
        loop {
            match migrations.up(&db).await {
                Ok(_) => break,
                // Only where a change of tables is no part of a transaction.
                Err(Error::Dirty { name }) if db.dialect() == Dialect::MySql => {
                    dirty += 1;
                    let n = name[..4].parse().expect("its number");
                    let marked = if has_column(&db, n).await {
                        migrations.mark_applied(&db).await
                    } else {
                        migrations.mark_unapplied(&db).await
                    };
                    assert!(marked.expect("marked"));
                }
                Err(error) => panic!("after {kills} kills: {error:?}"),
            }
        }
        for n in 1..=COLUMNS {
            assert!(has_column(&db, n).await, "column {n} after {kills} kills");
        }
        let status = migrations.status(&db).await.expect("a status");
        assert_eq!(status.pending().count(), 0, "{status}");
        assert_eq!(
            migrations.down(&db, COLUMNS).await.expect("down").len(),
            COLUMNS
        );
        assert!(!has_column(&db, 1).await);
    }
    println!("{kills} kills of {tries} processes, {dirty} named as dirty");
}

crate::on_each_server!(
    a_change_is_applied_and_undone_with_rows_inside,
    nodes_that_start_at_once_take_turns,
    tables_made_without_migrations_are_adopted,
    tables_that_differ_are_not_adopted,
    twenty_kills_leave_nothing_half_done,
    what_is_wrong_with_a_migration_is_named,
);
