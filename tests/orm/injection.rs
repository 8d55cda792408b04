//! SQL injection: every text field, by every way in, with a corpus of payloads.

use packetboat_orm::{Executor, Model, ModelExt, Sql, sql};

use crate::bed::Bed;
use crate::models::{Bystander, bystander};

/// Payloads against the three databases: quotes of each kind, comments, stacked statements, escapes, wide characters
/// that some decoders turn into quotes, placeholders of each dialect, and names of our own tables.
const CORPUS: &[&str] = &[
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "\\\\'",
    "';",
    "' --",
    "' #",
    "'/*",
    "*/ '",
    "' OR '1'='1",
    "' OR 1=1 --",
    "\" OR \"\"=\"",
    "` OR 1=1 #",
    "') OR ('1'='1",
    "')) OR 1=1 --",
    "admin' --",
    "'; DROP TABLE bystander; --",
    "\"; DROP TABLE \"bystander\"; --",
    "`; DROP TABLE `bystander`; #",
    "1; DELETE FROM bystander",
    "'; UPDATE bystander SET secret = 'gone'; --",
    "x'); INSERT INTO bystander (secret) VALUES ('new'); --",
    "' UNION SELECT id, secret, secret FROM bystander --",
    "' UNION ALL SELECT NULL, NULL, NULL --",
    "'||(SELECT secret FROM bystander LIMIT 1)||'",
    "' AND (SELECT COUNT(*) FROM bystander) > 0 --",
    "' AND SLEEP(5) --",
    "'; SELECT pg_sleep(5) --",
    "' AND randomblob(1000000000) --",
    "$1",
    "$1$2$$x$$",
    "?",
    "??",
    "?1",
    ":name",
    "@name",
    "{0}",
    "%s %d %n",
    "%",
    "_",
    "[a-z]",
    "$$; DROP TABLE bystander; $$",
    "E'\\047'",
    "0x27",
    "CHAR(39)",
    "\u{2019}",
    "\u{ff07} OR 1=1 --",
    "\u{02bc}",
    "\u{bf}\u{27}",
    "\u{bf}\u{5c}\u{27} OR 1=1 --",
    "\r\n'; COMMIT; DROP TABLE bystander; --",
    "\t'\u{b}OR\u{c}1=1",
    "'; ROLLBACK; --",
    "BEGIN; DROP TABLE bystander; COMMIT;",
    "/*!50000 DROP TABLE bystander */",
    "/*M! DROP TABLE bystander */",
    "'; ATTACH DATABASE '/x' AS x; --",
    "'; COPY bystander TO STDOUT; --",
    "' INTO OUTFILE '/x' --",
    "NULL",
    "DEFAULT",
    "true",
    "🛥'; DROP TABLE bystander; --",
];

/// A model of nothing but text: a plain field, one that may be missing, one with an index, and one named by a keyword.
#[derive(Clone, Debug, Model, PartialEq)]
#[model(table = "order")]
struct Victim {
    id: i64,
    text: String,
    maybe: Option<String>,
    #[model(unique)]
    name: String,
    select: String,
}

impl Victim {
    fn of(payload: &str, number: usize) -> Self {
        Self {
            id: 0,
            text: payload.to_owned(),
            maybe: Some(payload.to_owned()),
            name: format!("{payload}{number}"),
            select: payload.to_owned(),
        }
    }
}

async fn tables(db: impl Executor + Copy) -> Vec<Bystander> {
    Victim::create_table(db).await.expect("a table");
    Bystander::create_table(db).await.expect("a table");
    for number in 0..3 {
        Bystander {
            id: 0,
            secret: format!("secret {number}"),
        }
        .insert(db)
        .await
        .expect("a row");
    }
    bystanders(db).await
}

async fn bystanders(db: impl Executor) -> Vec<Bystander> {
    Bystander::select()
        .order_by(bystander::id.asc())
        .all(db)
        .await
        .expect("the other table is there")
}

async fn payloads_are_written_and_read_as_they_are(bed: impl Bed) {
    let db = bed.db();
    let before = tables(db).await;
    let mut rows = Vec::new();
    for (number, payload) in CORPUS.iter().enumerate() {
        let mut row = Victim::of(payload, number);
        row.insert(db).await.expect("an insert");
        row.save(db).await.expect("a save");
        row.update(db).await.expect("an update");
        assert_eq!(
            Victim::find(row.id, db).await.expect("a query").as_ref(),
            Some(&row),
            "{payload}"
        );
        rows.push(row);
    }
    assert_eq!(
        Victim::select()
            .order_by(victim::id.asc())
            .all(db)
            .await
            .expect("a query"),
        rows
    );
    let mut again = CORPUS
        .iter()
        .enumerate()
        .map(|(number, payload)| Victim::of(payload, number + 1000))
        .collect::<Vec<_>>();
    assert_eq!(
        Victim::insert_all(&mut again, db).await.expect("a batch"),
        CORPUS.len() as u64
    );
    assert_eq!(bystanders(db).await, before);
}

async fn payloads_in_filters_find_themselves_alone(bed: impl Bed) {
    let db = bed.db();
    let before = tables(db).await;
    let mut rows = CORPUS
        .iter()
        .enumerate()
        .map(|(number, payload)| Victim::of(payload, number))
        .collect::<Vec<_>>();
    Victim::insert_all(&mut rows, db).await.expect("a batch");
    for (row, payload) in rows.iter().zip(CORPUS) {
        let raw = |text: &'static str| -> Sql { sql(text).bind(*payload) };
        let quoted = match db.dialect() {
            packetboat_orm::Dialect::MySql => raw("`text` = ?"),
            _ => raw("\"text\" = ?"),
        };
        let queries = [
            Victim::select().filter(victim::text.eq(*payload)),
            Victim::select().filter(victim::maybe.eq(*payload)),
            Victim::select().filter(victim::name.eq(&row.name)),
            Victim::select().filter(victim::select.eq(*payload)),
            Victim::select().filter(victim::text.is_in([*payload, "never there"])),
            Victim::select().filter(victim::text.ge(*payload) & victim::text.le(*payload)),
            Victim::select().filter(quoted),
        ];
        for query in queries {
            let said = format!("{query:?}");
            let found = query
                .all(db)
                .await
                .unwrap_or_else(|error| panic!("{said}: {error}"));
            assert_eq!(
                found
                    .iter()
                    .map(|row| row.text.as_str())
                    .collect::<Vec<_>>(),
                [*payload],
                "{said}"
            );
        }
    }
    assert_eq!(bystanders(db).await, before);
}

async fn payloads_in_updates_and_deletes_touch_one_row(bed: impl Bed) {
    let db = bed.db();
    let before = tables(db).await;
    let mut rows = CORPUS
        .iter()
        .enumerate()
        .map(|(number, payload)| Victim::of(payload, number))
        .collect::<Vec<_>>();
    Victim::insert_all(&mut rows, db).await.expect("a batch");
    for payload in CORPUS {
        let update = Victim::select()
            .filter(victim::select.eq(*payload))
            .update([victim::maybe.set(*payload)], db);
        assert_eq!(update.await.expect("an update"), 1, "{payload}");
    }
    for (left, payload) in (0..CORPUS.len() as u64).rev().zip(CORPUS) {
        let delete = Victim::select()
            .filter(victim::text.eq(*payload))
            .delete(db);
        assert_eq!(delete.await.expect("a delete"), 1, "{payload}");
        assert_eq!(Victim::select().count(db).await.expect("a count"), left);
    }
    assert_eq!(bystanders(db).await, before);
}

crate::on_every_database![
    payloads_are_written_and_read_as_they_are,
    payloads_in_filters_find_themselves_alone,
    payloads_in_updates_and_deletes_touch_one_row,
];
