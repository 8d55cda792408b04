//! Trace events: what they say, and that they never hold a value.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use packetboat_orm::{ModelExt, Result, Traced, begin, sql, transaction};
use serde_json::Value;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::fmt::MakeWriter;

use crate::common::bed::Bed;
use crate::common::models::{Author, author, authors};

/// What would be seen in a log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }

    /// The events of statements: level and fields.
    fn events(&self) -> Vec<(String, Value)> {
        let text = self.text();
        let events = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("an event"));
        events
            .filter(|event: &Value| event["target"] == "packetboat_orm::statement")
            .map(|event| {
                (
                    event["level"].as_str().expect("a level").to_owned(),
                    event["fields"].clone(),
                )
            })
            .collect()
    }
}

/// Runs some work, and returns the log of all that was told meanwhile, by the drivers too.
async fn logged(work: impl Future) -> Log {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    work.with_subscriber(subscriber).await;
    log
}

/// It would be in a log that holds a value.
const SECRET: &str = "tell-nobody-4711";

async fn each_statement_is_told(bed: impl Bed) {
    authors(bed.db(), &["ann", "bob"]).await;
    let db = Traced::new(bed.pool()).slow(Duration::from_secs(60));
    let others = Author::select().filter(author::name.ne(SECRET));
    let line = line!() + 2;
    let log = logged(async {
        let both = others.all(&db).await;
        assert_eq!(both.expect("both").len(), 2);
        Author::select()
            .filter(author::name.ne(SECRET))
            .update([author::born.set(1970)], &db)
            .await
            .expect("both");
        sql("SELECT name FROM author WHERE name = ?")
            .bind("ann")
            .one::<String>(&db)
            .await
            .expect("one");
    })
    .await;
    let events = log.events();
    let [(level, read), (_, update), (_, raw)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(level, "DEBUG");
    assert_eq!(read["message"], "statement");
    assert!(
        read["sql"].as_str().expect("SQL").starts_with("SELECT "),
        "{read}"
    );
    assert_eq!(read["kind"], "Select");
    assert_eq!(read["table"], "author");
    assert_eq!(read["rows"], 2);
    assert_eq!(read["outcome"], "ok");
    assert_eq!(
        read["fingerprint"].as_str().expect("a fingerprint").len(),
        16
    );
    let location = read["location"].as_str().expect("a location");
    assert!(
        location.starts_with(&format!("{}:{line}:", file!())),
        "{location}"
    );
    assert!(read["elapsed"].is_string(), "{read}");
    assert_eq!(
        (&update["kind"], &update["rows"]),
        (&"Update".into(), &2.into())
    );
    assert_eq!((&raw["table"], &raw["rows"]), (&Value::Null, &1.into()));
}

async fn no_event_holds_a_value(bed: impl Bed) {
    authors(bed.db(), &[SECRET]).await;
    let db = Traced::new(bed.pool()).slow(Duration::ZERO);
    let log = logged(async {
        // In every place that a value may stand in, and where the driver's error quotes it.
        Author::select()
            .filter(author::name.eq(SECRET))
            .one(&db)
            .await
            .expect("the author");
        Author::new(SECRET)
            .insert(&db)
            .await
            .expect_err("the name is taken");
        let mut rows = [Author::new("ann"), Author::new(SECRET)];
        Author::insert_all(&mut rows, &db)
            .await
            .expect_err("the name is taken");
        Author::select()
            .filter(author::name.eq(SECRET))
            .update([author::name.set(format!("{SECRET}-2"))], &db)
            .await
            .expect("an update");
        let cast = sql("SELECT CAST(? AS DECIMAL(5, 2)) / 0, missing FROM author").bind(SECRET);
        cast.all::<(f64, i64)>(&db)
            .await
            .expect_err("there is no such column");
        transaction(&db, async |tx| {
            sql("DELETE FROM author WHERE name = ?")
                .bind(SECRET)
                .exec(tx)
                .await
        })
        .await
        .expect("a transaction");
    })
    .await;
    let events = log.events();
    assert!(events.len() >= 8, "{events:?}");
    assert!(
        events.iter().all(|(level, _)| level == "WARN"),
        "all of them are slower than nothing"
    );
    let failed = events
        .iter()
        .filter(|(_, fields)| fields["outcome"] == "failed");
    assert_eq!(failed.count(), 3);
    let of_ours = events
        .iter()
        .map(|(_, fields)| fields.to_string())
        .collect::<String>();
    assert!(!of_ours.contains(SECRET), "{of_ours}");
    assert!(
        of_ours.contains("same name"),
        "the error in its own words: {of_ours}"
    );
}

async fn transactions_are_told_too(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let db = Traced::new(bed.pool());
    let log = logged(async {
        transaction(&db, async |tx| Author::new("ann").insert(tx).await)
            .await
            .expect("a transaction");
        let undone: Result<()> =
            transaction(&db, async |tx| Author::new("ann").insert(tx).await).await;
        undone.expect_err("the name is taken");
    })
    .await;
    let told: Vec<String> = log
        .events()
        .iter()
        .map(|(_, fields)| {
            format!(
                "{} {}",
                fields["sql"]
                    .as_str()
                    .expect("SQL")
                    .split(' ')
                    .next()
                    .expect("a word"),
                fields["outcome"].as_str().expect("an outcome")
            )
        })
        .collect();
    let expected = [
        "BEGIN ok",
        "INSERT ok",
        "COMMIT ok",
        "BEGIN ok",
        "INSERT failed",
        "ROLLBACK ok",
    ];
    assert_eq!(told, expected);
}

async fn a_statement_that_is_dropped_is_told(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let db = Traced::new(bed.pool());
    let log = logged(async {
        let mut tx = begin(&db).await.expect("a transaction");
        let mut author = Author::new("ann");
        let mut insert = pin!(author.insert(&mut tx));
        poll_fn(|context| {
            // Once: it has been sent, or not even that.
            let _ = insert.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    })
    .await;
    let events = log.events();
    assert_eq!(events.len(), 2);
    let outcome = &events[1].1["outcome"];
    assert!(outcome == "cancelled" || outcome == "ok", "{outcome}");
}

crate::common::on_every_database![
    each_statement_is_told,
    no_event_holds_a_value,
    transactions_are_told_too,
    a_statement_that_is_dropped_is_told,
];
