//! `sqlite::open`: one writer, several readers, and what survives.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::time::Duration;

use packetboat_orm::{
    Connection, DbPool, Error, Executor, Finish, Model, ModelExt, Statement, sql, sqlite,
    transaction,
};

#[derive(Clone, Debug, Model, PartialEq)]
struct Note {
    id: i64,
    text: String,
}

fn note(text: &str) -> Note {
    Note {
        id: 0,
        text: text.to_owned(),
    }
}

async fn open() -> (tempfile::TempDir, sqlite::Pool) {
    let folder = tempfile::tempdir().unwrap();
    let db = sqlite::open(folder.path().join("test.db")).await.unwrap();
    Note::create_table(&db).await.unwrap();
    (folder, db)
}

async fn pragma<T: packetboat_orm::Decode>(mut db: &sqlx::SqlitePool, text: &'static str) -> T {
    db.one::<T>(&Statement::read(text), ()).await.unwrap()
}

#[tokio::test]
async fn profile_is_durable_and_checks_foreign_keys() {
    let (_folder, db) = open().await;
    for pool in [db.writer(), db.readers()] {
        assert_eq!(pragma::<String>(pool, "PRAGMA journal_mode").await, "wal");
        // FULL: every commit is synced.
        assert_eq!(pragma::<i64>(pool, "PRAGMA synchronous").await, 2);
        assert_eq!(pragma::<i64>(pool, "PRAGMA foreign_keys").await, 1);
        assert_eq!(pragma::<i64>(pool, "PRAGMA busy_timeout").await, 5000);
    }
    assert_eq!(pragma::<i64>(db.writer(), "PRAGMA query_only").await, 0);
    assert_eq!(pragma::<i64>(db.readers(), "PRAGMA query_only").await, 1);
    let folder = tempfile::tempdir().unwrap();
    let relaxed = sqlite::Options::new(folder.path().join("test.db")).relaxed();
    let relaxed = relaxed.open().await.unwrap();
    assert_eq!(
        pragma::<i64>(relaxed.writer(), "PRAGMA synchronous").await,
        1
    );
}

#[tokio::test]
async fn reads_go_on_while_a_transaction_writes() {
    let (_folder, db) = open().await;
    let mut tx = db.begin().await.unwrap();
    note("a").insert(&mut tx).await.unwrap();
    // The writer is taken; this is a reader, and sees what is committed.
    assert_eq!(Note::select().count(&db).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(Note::select().count(&db).await.unwrap(), 1);
}

#[tokio::test]
async fn insert_with_returning_goes_to_the_writer() {
    let (_folder, db) = open().await;
    let returned = sql("INSERT INTO note (text) VALUES (?) RETURNING id")
        .bind("a")
        .one::<(i64,)>(&db);
    assert_eq!(returned.await.unwrap(), (1,));
    // What is called a read, and is none, is refused by the reader.
    let lie = Statement::read("INSERT INTO note (text) VALUES ('b')");
    assert!(matches!(
        (&db).exec(&lie, ()).await,
        Err(Error::Database { .. })
    ));
}

#[tokio::test]
async fn begin_read_sees_one_state_and_refuses_writes() {
    let (_folder, db) = open().await;
    let db = DbPool::from(db);
    let mut read = db.begin_read().await.unwrap();
    assert_eq!(Note::select().count(&mut read).await.unwrap(), 0);
    note("a").insert(&db).await.unwrap();
    assert_eq!(Note::select().count(&mut read).await.unwrap(), 0);
    assert!(matches!(
        note("b").insert(&mut read).await,
        Err(Error::Database { .. })
    ));
    read.rollback().await.unwrap();
    assert_eq!(Note::select().count(&db).await.unwrap(), 1);
}

#[tokio::test]
async fn database_in_memory_outlives_a_cancelled_transaction() {
    let db = DbPool::connect("sqlite::memory:").await.unwrap();
    Note::create_table(&db).await.unwrap();
    note("a").insert(&db).await.unwrap();
    for wait in 0..50 {
        let work = transaction(&db, async |tx| {
            note("b").insert(&mut *tx).await?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        });
        let _ = tokio::time::timeout(Duration::from_micros(wait * 40), work).await;
        assert_eq!(
            Note::select().all(&db).await.unwrap(),
            [Note { id: 1, ..note("a") }]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_wait_for_each_other() {
    let (_folder, db) = open().await;
    note("0").insert(&db).await.unwrap();
    let tasks = (0..50).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            transaction(&db, async |tx| {
                // Read, then write: BEGIN IMMEDIATE is what makes this wait and not fail.
                let mut note = Note::find(1, &mut *tx)
                    .await?
                    .ok_or(Error::NotFound { table: "note" })?;
                note.text = (note.text.parse::<u32>().unwrap() + 1).to_string();
                note.update(tx).await
            })
            .await
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    assert_eq!(Note::find(1, &db).await.unwrap().unwrap().text, "50");
}

#[tokio::test]
async fn a_begin_that_was_refused_costs_no_connection() {
    let (folder, db) = open().await;
    let holder = db.begin().await.unwrap();
    // Another process, as it were, that has no patience.
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("test.db"))
        .busy_timeout(Duration::ZERO);
    let pool = sqlx::sqlite::SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options);
    let mut connection = Connection::acquire(&pool.await.unwrap()).await.unwrap();
    let refused = connection.enter().await.map(drop);
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    holder.rollback().await.unwrap();
    connection.enter().await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn keys_are_not_given_twice() {
    let (_folder, db) = open().await;
    let mut first = note("a");
    first.insert(&db).await.unwrap();
    first.delete(&db).await.unwrap();
    let mut second = note("b");
    second.insert(&db).await.unwrap();
    assert_eq!((first.id, second.id), (1, 2));
}

#[tokio::test]
async fn what_stands_in_a_column_and_does_not_fit_is_named() {
    let (_folder, db) = open().await;
    sql("INSERT INTO note (text) VALUES (X'ff')")
        .exec(&db)
        .await
        .unwrap();
    assert!(matches!(
        Note::select().all(&db).await,
        Err(Error::Decode {
            table: "note",
            column: "text",
            ..
        })
    ));
}

#[test]
fn dynamic_sql_passes_one_module_only() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut modules = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(source)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path)
                .unwrap()
                .contains("AssertSqlSafe")
            {
                modules.push(path.file_name().unwrap().to_owned());
            }
        }
    }
    assert_eq!(modules, ["statement.rs"]);
}
