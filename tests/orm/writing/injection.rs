//! SQL injection: every text field, by every way in, with a corpus of payloads.

use packetboat_orm::{Dialect, Error, Executor, Model, ModelExt, Sql, Unfit, sql};

use crate::common::bed::Bed;
use crate::common::models::{Bystander, bystander};

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

/// A row of each payload, in one batch.
async fn victims(db: impl Executor) -> Vec<Victim> {
    let of = |(number, payload): (usize, &&'static str)| Victim::of(payload, number);
    let mut rows = CORPUS.iter().enumerate().map(of).collect::<Vec<_>>();
    Victim::insert_all(&mut rows, db).await.expect("a batch");
    rows
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
    let rows = victims(db).await;
    for (row, payload) in rows.iter().zip(CORPUS) {
        let raw = |text: &'static str| -> Sql { sql(text).bind(*payload) };
        let quoted = match db.dialect() {
            Dialect::MySql => raw("`text` = ?"),
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
    victims(db).await;
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

/// What a text matches, said once more in plain Rust.
fn matches(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| matches(&text[skipped..], rest)),
        ['_', rest @ ..] => !text.is_empty() && matches(&text[1..], rest),
        ['\\', c @ ('%' | '_' | '\\'), rest @ ..] | [c, rest @ ..] => {
            text.first() == Some(c) && matches(&text[1..], rest)
        }
    }
}

async fn payloads_in_patterns_match_what_they_say(bed: impl Bed) {
    let db = bed.db();
    let before = tables(db).await;
    victims(db).await;
    // Beside the corpus, what means something to one database's patterns or to another's.
    let special = [
        "*", "[a-z]*", "[!a]", "!", "!%", "\\%", "a\\_b", "^", "]", "", "🛥", "\u{202e}",
    ];
    for part in CORPUS.iter().chain(&special) {
        let texts = |holds: &dyn Fn(&str) -> bool| {
            let mut texts = CORPUS.iter().filter(|text| holds(text)).collect::<Vec<_>>();
            texts.sort_unstable();
            texts
                .into_iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let pattern = part.chars().collect::<Vec<_>>();
        let cases = [
            (
                victim::text.contains(part),
                texts(&|text| text.contains(part)),
            ),
            (
                victim::text.starts_with(part),
                texts(&|text| text.starts_with(part)),
            ),
            (
                victim::text.ends_with(part),
                texts(&|text| text.ends_with(part)),
            ),
            (
                victim::text.like(*part),
                texts(&|text| matches(&text.chars().collect::<Vec<_>>(), &pattern)),
            ),
            (
                !victim::maybe.contains(part),
                texts(&|text| !text.contains(part)),
            ),
        ];
        for (filter, expected) in cases {
            let said = format!("{part:?}: {filter:?}");
            let found = Victim::select()
                .filter(filter)
                .columns(victim::text)
                .all(db)
                .await;
            let mut found = found.unwrap_or_else(|error| panic!("{said}: {error:?}"));
            found.sort_unstable();
            assert_eq!(found, expected, "{said}");
        }
    }
    assert_eq!(bystanders(db).await, before);
}

/// SQLite's patterns end at NUL: one that began with it would match every text. It refuses them, as PostgreSQL does.
async fn a_pattern_with_nul_matches_no_more_than_it_says(bed: impl Bed) {
    let db = bed.db();
    tables(db).await;
    for text in ["", "a", "ab"] {
        Victim::of(text, text.len())
            .insert(db)
            .await
            .expect("a row");
    }
    for part in ["\0", "a\0", "\0b", "a\0b"] {
        for filter in [
            victim::text.contains(part),
            victim::text.starts_with(part),
            victim::text.ends_with(part),
            victim::text.like(part),
        ] {
            let said = format!("{filter:?}");
            match Victim::select().filter(filter).all(db).await {
                Ok(found) => {
                    assert_eq!(db.dialect(), Dialect::MySql, "{said}");
                    assert_eq!(found, [], "{said}");
                }
                Err(Error::Encode {
                    reason: Unfit::Nul, ..
                }) => {
                    assert_ne!(db.dialect(), Dialect::MySql, "{said}");
                }
                Err(error) => panic!("{said}: {error:?}"),
            }
        }
    }
}

#[derive(Clone, Debug, Model, PartialEq)]
#[model(has_many(pets: Pet, by = owner_code))]
struct Owner {
    #[model(key, size = 200)]
    code: String,
}

#[derive(Clone, Debug, Model, PartialEq)]
#[model(belongs_to(owner: Owner, by = owner_code))]
struct Pet {
    id: i64,
    #[model(size = 200)]
    owner_code: String,
}

async fn payloads_as_keys_of_relations_find_their_own(bed: impl Bed) {
    let db = bed.db();
    let before = tables(db).await;
    Owner::create_table(db).await.expect("a table");
    Pet::create_table(db).await.expect("a table");
    let mut codes = CORPUS.to_vec();
    if db.dialect() != Dialect::Postgres {
        codes.extend(["a", "a\0", "a\0b", "\0"]);
    }
    let mut owners = codes
        .iter()
        .map(|code| Owner {
            code: (*code).to_owned(),
        })
        .collect::<Vec<_>>();
    let mut pets = codes
        .iter()
        .map(|code| Pet {
            id: 0,
            owner_code: (*code).to_owned(),
        })
        .collect::<Vec<_>>();
    Owner::insert_all(&mut owners, db).await.expect("owners");
    Pet::insert_all(&mut pets, db).await.expect("pets");
    let loaded = Owner::select()
        .with(owner::pets)
        .all(db)
        .await
        .expect("owners and pets");
    assert_eq!(loaded.len(), codes.len());
    for (owner, pets) in loaded {
        let [pet] = pets.as_slice() else {
            panic!("{:?} has {} pets", owner.code, pets.len());
        };
        assert_eq!(pet.owner_code, owner.code);
    }
    for one in &owners {
        let pets = owner::pets
            .load(std::slice::from_ref(one), db)
            .await
            .expect("pets");
        assert_eq!(pets.len(), 1);
        assert!(pets[0].iter().all(|pet| pet.owner_code == one.code) && pets[0].len() == 1);
    }
    for (pet, owner) in Pet::select()
        .with(pet::owner)
        .all(db)
        .await
        .expect("pets and owners")
    {
        assert_eq!(owner.code, pet.owner_code);
    }
    assert_eq!(bystanders(db).await, before);
}

async fn payloads_in_larger_queries_stay_values(bed: impl Bed) {
    let db = bed.db();
    let before = tables(db).await;
    let rows = victims(db).await;
    for (row, payload) in rows.iter().zip(CORPUS) {
        let own = || Victim::select().filter(victim::name.eq(&row.name));
        let found = Victim::select()
            .filter(victim::id.is_in(own().columns(victim::id)))
            .columns((
                victim::text,
                victim::maybe.coalesce("nothing"),
                victim::select,
            ))
            .order_by(victim::text.desc())
            .distinct()
            .all(db)
            .await
            .unwrap_or_else(|error| panic!("{payload}: {error:?}"));
        let said = (*payload).to_owned();
        assert_eq!(found, [(said.clone(), said.clone(), said.clone())]);
        let counted = Victim::select()
            .filter(victim::text.between(*payload, *payload))
            .group_by(victim::text)
            .columns((victim::text, victim::id.count()))
            .having(victim::text.max().eq(Some(said.clone())))
            .all(db)
            .await
            .unwrap_or_else(|error| panic!("{payload}: {error:?}"));
        assert_eq!(counted, [(said, 1)]);
    }
    assert_eq!(bystanders(db).await, before);
}

async fn payloads_in_cursors_lead_through_every_row_once(bed: impl Bed) {
    let db = bed.db();
    let before = tables(db).await;
    victims(db).await;
    let query = || Victim::select().order_by(victim::text.desc());
    let mut cursor = None;
    let mut texts = Vec::new();
    loop {
        let page = query()
            .page(3, cursor.as_deref(), db)
            .await
            .expect("a page");
        texts.extend(page.rows.into_iter().map(|row| row.text));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut expected = CORPUS
        .iter()
        .map(|text| (*text).to_owned())
        .collect::<Vec<_>>();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    texts.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(texts, expected);
    for payload in CORPUS {
        let refused = query().page(3, Some(payload), db).await;
        assert!(
            matches!(refused, Err(Error::InvalidCursor { table: "order" })),
            "{payload}: {refused:?}"
        );
    }
    assert_eq!(bystanders(db).await, before);
}

async fn payloads_in_upserts_and_tracked_rows_touch_one_row(bed: impl Bed) {
    let db = bed.db();
    let before = tables(db).await;
    for (number, payload) in CORPUS.iter().enumerate() {
        let mut row = Victim::of(payload, number);
        row.upsert(victim::name).run(db).await.expect("an insert");
        let mut again = Victim {
            select: "again".to_owned(),
            ..row.clone()
        };
        again.id = 0;
        again
            .upsert(victim::name)
            .update(victim::select)
            .run(db)
            .await
            .expect("an update");
        assert_eq!(again.id, row.id, "{payload}");
        let mut tracked = again.tracked();
        tracked.select = (*payload).to_owned();
        tracked.maybe = Some(format!("{payload}{payload}"));
        assert!(tracked.update(db).await.expect("an update"), "{payload}");
        let expected = tracked.into_inner();
        assert_eq!(
            Victim::find(row.id, db).await.expect("a query"),
            Some(expected),
            "{payload}"
        );
    }
    assert_eq!(
        Victim::select().count(db).await.expect("a count"),
        CORPUS.len() as u64
    );
    assert_eq!(bystanders(db).await, before);
}

crate::common::on_every_database![
    a_pattern_with_nul_matches_no_more_than_it_says,
    payloads_as_keys_of_relations_find_their_own,
    payloads_in_cursors_lead_through_every_row_once,
    payloads_in_larger_queries_stay_values,
    payloads_in_patterns_match_what_they_say,
    payloads_in_upserts_and_tracked_rows_touch_one_row,
    payloads_are_written_and_read_as_they_are,
    payloads_in_filters_find_themselves_alone,
    payloads_in_updates_and_deletes_touch_one_row,
];
