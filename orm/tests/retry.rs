//! SQLite's own refusals are tried again: a lock that another holds, a snapshot that another has overtaken.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use packetboat_orm::{DbPool, Error, Finish as _, Model, ModelExt, Result, Retry, begin, retry};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use tempfile::TempDir;

#[derive(Debug, Model)]
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

/// A pool whose connections do not wait for a lock.
async fn impatient() -> (TempDir, DbPool) {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("test.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::ZERO);
    let db = DbPool::from(SqlitePool::connect_with(options).await.unwrap());
    Note::create_table(&db).await.unwrap();
    (folder, db)
}

#[tokio::test]
async fn a_lock_that_is_held_is_waited_for() {
    let (_folder, db) = impatient().await;
    let mut holds = begin(&db).await.unwrap();
    note("first").insert(&mut holds).await.unwrap();
    // Refused at BEGIN, before the closure runs.
    let refused = Retry::new()
        .retries(0)
        .transaction(&db, async |tx| note("never").insert(tx).await);
    let refused: Error = refused.await.unwrap_err();
    assert!(refused.is_transient(), "{refused:?}");
    let runs = AtomicU32::new(0);
    let second = retry(&db, async |tx| {
        runs.fetch_add(1, Ordering::Relaxed);
        note("second").insert(tx).await
    });
    let release = async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        holds.commit().await
    };
    let (second, release) = tokio::join!(second, release);
    release.unwrap();
    second.unwrap();
    assert_eq!(runs.into_inner(), 1);
    assert_eq!(Note::select().count(&db).await.unwrap(), 2);
}

#[tokio::test]
async fn a_snapshot_that_was_overtaken_is_taken_anew() {
    let (_folder, db) = impatient().await;
    let mut attempts = 0;
    let mut retry = Retry::new();
    let count = loop {
        let outcome: Result<u64> = async {
            attempts += 1;
            // Reads first, and so cannot begin with the write lock.
            let mut tx = db.begin_read().await?;
            let count = Note::select().count(&mut tx).await?;
            if attempts < 3 {
                note("in between").insert(&db).await?;
            }
            // SQLITE_BUSY_SNAPSHOT, where another has written meanwhile.
            note("at last").insert(&mut tx).await?;
            tx.commit().await?;
            Ok(count)
        }
        .await;
        match outcome {
            Ok(count) => break count,
            Err(error) => {
                assert!(matches!(error, Error::Busy { .. }), "{error:?}");
                retry.after(error).await.unwrap();
            }
        }
    };
    assert_eq!((attempts, count), (3, 2));
    assert_eq!(Note::select().count(&db).await.unwrap(), 3);
}
