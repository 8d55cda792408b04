//! Version, times, soft delete, tenant: every public operation, on every kind of row.
//!
//! One table says for each operation whether it may see or change a row that is there, one that is deleted, and one of
//! another tenant. What it may change is compared with the table before, row by row.

use chrono::{DateTime, Utc};
use packetboat_orm::{Done, Error, Executor, Model, ModelExt, Result, Tenant, count, exists, sql};

use crate::common::bed::Bed;

const MINE: i64 = 7;
const THEIRS: i64 = 8;

/// A row with every role.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(has_many(tags: Tag))]
struct Note {
    id: i64,
    #[model(tenant)]
    owner: i64,
    #[model(unique)]
    title: String,
    text: String,
    #[model(version)]
    version: i32,
    #[model(created)]
    created: DateTime<Utc>,
    #[model(updated)]
    updated: Option<DateTime<Utc>>,
    #[model(deleted)]
    deleted: Option<DateTime<Utc>>,
}

/// Everybody's, and beside every note.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(belongs_to(note: Note))]
struct Tag {
    id: i64,
    note_id: i64,
}

impl Note {
    fn new(id: i64, title: &str) -> Self {
        Self {
            id,
            owner: 0,
            title: title.to_owned(),
            text: "old".to_owned(),
            version: 0,
            created: DateTime::UNIX_EPOCH,
            updated: None,
            deleted: None,
        }
    }
}

const LIVE: i64 = 1001;
const DELETED: i64 = 1002;
const OTHERS: i64 = 1003;

/// A note that is there, one that is deleted, one of another tenant; and a tag on each.
async fn notes(db: impl Executor + Copy) -> Vec<Note> {
    Note::create_table(db).await.expect("a table");
    Tag::create_table(db).await.expect("a table");
    refill(db).await
}

async fn refill(db: impl Executor + Copy) -> Vec<Note> {
    for table in ["DELETE FROM note", "DELETE FROM tag"] {
        sql(table).exec(db).await.expect("an empty table");
    }
    let (mut mine, mut theirs) = (Tenant::new(db, MINE), Tenant::new(db, THEIRS));
    let mut notes = [LIVE, DELETED, OTHERS].map(|id| Note::new(id, &format!("note {id}")));
    notes[0].insert(&mut mine).await.expect("a note");
    notes[1].insert(&mut mine).await.expect("a note");
    assert!(notes[1].delete(&mut mine).await.expect("a delete"));
    notes[2].insert(&mut theirs).await.expect("a note");
    for id in [LIVE, DELETED, OTHERS] {
        Tag { id, note_id: id }.insert(db).await.expect("a tag");
    }
    notes.to_vec()
}

/// What is in the table, past everything that hides rows.
async fn dump(db: impl Executor) -> Vec<Note> {
    let all =
        "SELECT id, owner, title, text, version, created, updated, deleted FROM note ORDER BY id";
    sql(all).all(db).await.expect("all rows")
}

/// Done as far as somebody who looks can see.
const fn found(found: bool) -> Result<bool> {
    Ok(found)
}

/// Does it to one row, whose struct says all but the tenant; says whether it saw or changed it.
async fn perform(what: &str, row: &Note, db: &mut impl Executor) -> Result<bool> {
    let mut row = Note {
        owner: 0,
        ..row.clone()
    };
    let id = row.id;
    let this = || Note::select().filter(note::id.eq(id));
    let tagged = || Tag::select().filter(tag::note_id.eq(id));
    let text = [note::text.set("new")];
    row.text = "new".to_owned();
    match what {
        "find" => found(Note::find(id, db).await?.is_some()),
        "all" => found(!this().all(db).await?.is_empty()),
        "all, unfiltered" => {
            let all = Note::select().all(db).await?;
            found(all.iter().any(|note| note.id == id))
        }
        "one" => match this().one(db).await {
            Err(Error::NotFound { .. }) => found(false),
            outcome => outcome.map(|_| true),
        },
        "optional" => found(this().optional(db).await?.is_some()),
        "count" => found(this().count(db).await? > 0),
        "count, cut" => found(this().limit(9).count(db).await? > 0),
        "exists" => this().exists(db).await,
        "stream" => found(this().stream(db).next().await.transpose()?.is_some()),
        "or" => {
            // The condition of the application must not open that of the scope.
            let any = note::id.eq(id) | note::id.ne(id);
            let all = Note::select().filter(any).all(db).await?;
            found(all.iter().any(|note| note.id == id))
        }
        "columns" => found(!this().columns(note::title).all(db).await?.is_empty()),
        "aggregate" => {
            let counted = this().columns(count()).one(db).await?;
            found(counted > 0)
        }
        "join" => {
            let joined = tagged().join(Note::on(note::id.eq(tag::note_id)));
            found(!joined.all(db).await?.is_empty())
        }
        "join, from it" => {
            let joined = this().join(Tag::on(note::id.eq(tag::note_id)));
            found(!joined.all(db).await?.is_empty())
        }
        "left join" => {
            let joined = tagged().left_join(Note::on(note::id.eq(tag::note_id)));
            let (_, note) = joined.one(db).await?;
            found(note.is_some())
        }
        "in a sub-select" => {
            let notes = this().columns(note::id);
            found(
                tagged()
                    .filter(tag::note_id.is_in(notes))
                    .exists(db)
                    .await?,
            )
        }
        "exists in a sub-select" => {
            let notes = Note::select().correlate(note::id.eq(tag::note_id));
            found(tagged().filter(exists(notes)).exists(db).await?)
        }
        "relation to one" => {
            let tags = tagged().all(&mut *db).await?;
            found(tag::note.optional().load(&tags, db).await?[0].is_some())
        }
        "relations eagerly" => {
            let with = this().with(note::tags).all(db).await?;
            found(with.iter().any(|(_, tags)| !tags.is_empty()))
        }
        "all with deleted" => found(!this().with_deleted().all(db).await?.is_empty()),
        "all, only deleted" => found(!this().only_deleted().all(db).await?.is_empty()),
        "count with deleted" => found(this().with_deleted().count(db).await? > 0),

        "update what is found" => found(this().update(text, db).await? > 0),
        "update with deleted" => found(this().with_deleted().update(text, db).await? > 0),
        "delete what is found" => found(this().delete(db).await? > 0),
        "delete with deleted" => found(this().with_deleted().delete(db).await? > 0),
        "delete only deleted" => found(this().only_deleted().delete(db).await? > 0),
        "restore what is found" => found(this().restore(db).await? > 0),
        "purge what is found" => found(this().purge(db).await? > 0),
        "purge with deleted" => found(this().with_deleted().purge(db).await? > 0),

        "insert" => lost(row.insert(db).await),
        "insert_all" => lost(Note::insert_all(&mut [row], db).await),
        "update" => lost(row.update(db).await),
        "update, tracked" => {
            row.text = "old".to_owned();
            let mut row = row.tracked();
            row.text = "new".to_owned();
            lost(row.update(db).await)
        }
        "save" => lost(row.save(db).await),
        "save, as new" => {
            row.version = 0;
            lost(row.save(db).await)
        }
        "upsert by key" => lost(row.upsert(note::id).update(note::text).run(db).await),
        "upsert by name" => {
            row.id = 0;
            lost(row.upsert(note::title).update(note::text).run(db).await)
        }
        "delete" => lost_or(row.delete(db).await),
        "purge" => lost_or(row.purge(db).await),
        "restore" => lost_or(row.restore(db).await),
        other => panic!("no such operation: {other}"),
    }
}

/// A write by key that did not find its row, or found its place taken.
fn lost<T>(outcome: Result<T>) -> Result<bool> {
    match outcome {
        Ok(_) => Ok(true),
        Err(Error::Stale { .. } | Error::NotFound { .. } | Error::UniqueViolation { .. }) => {
            Ok(false)
        }
        Err(other) => Err(other),
    }
}

fn lost_or(outcome: Result<bool>) -> Result<bool> {
    match outcome {
        Err(Error::Stale { .. }) => Ok(false),
        outcome => outcome,
    }
}

/// What becomes of a row that an operation may touch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Effect {
    Deleted,
    Gone,
    Restored,
    Seen,
    Updated,
}
use Effect::{Deleted, Gone, Restored, Seen, Updated};

/// Each operation, what it does, and whether it does so to a row that is there, is deleted, is another tenant's.
const OPERATIONS: &[(&str, Effect, [bool; 3])] = &[
    ("find", Seen, [true, false, false]),
    ("all", Seen, [true, false, false]),
    ("all, unfiltered", Seen, [true, false, false]),
    ("one", Seen, [true, false, false]),
    ("optional", Seen, [true, false, false]),
    ("count", Seen, [true, false, false]),
    ("count, cut", Seen, [true, false, false]),
    ("exists", Seen, [true, false, false]),
    ("stream", Seen, [true, false, false]),
    ("or", Seen, [true, false, false]),
    ("columns", Seen, [true, false, false]),
    ("aggregate", Seen, [true, false, false]),
    ("join", Seen, [true, false, false]),
    ("join, from it", Seen, [true, false, false]),
    ("left join", Seen, [true, false, false]),
    ("in a sub-select", Seen, [true, false, false]),
    ("exists in a sub-select", Seen, [true, false, false]),
    ("relation to one", Seen, [true, false, false]),
    ("relations eagerly", Seen, [true, false, false]),
    ("all with deleted", Seen, [true, true, false]),
    ("all, only deleted", Seen, [false, true, false]),
    ("count with deleted", Seen, [true, true, false]),
    ("update what is found", Updated, [true, false, false]),
    ("update with deleted", Updated, [true, true, false]),
    ("delete what is found", Deleted, [true, false, false]),
    ("delete with deleted", Deleted, [true, false, false]),
    ("delete only deleted", Deleted, [false, false, false]),
    ("restore what is found", Restored, [false, true, false]),
    ("purge what is found", Gone, [true, false, false]),
    ("purge with deleted", Gone, [true, true, false]),
    ("insert", Updated, [false, false, false]),
    ("insert_all", Updated, [false, false, false]),
    ("update", Updated, [true, false, false]),
    ("update, tracked", Updated, [true, false, false]),
    ("save", Updated, [true, false, false]),
    ("save, as new", Updated, [false, false, false]),
    ("upsert by key", Updated, [true, false, false]),
    ("upsert by name", Updated, [true, false, false]),
    ("delete", Deleted, [true, false, false]),
    ("purge", Gone, [true, true, false]),
    ("restore", Restored, [false, true, false]),
];

fn check(what: &str, effect: Effect, before: &Note, after: Option<&Note>) {
    let Some(after) = after else {
        assert_eq!(effect, Gone, "{what}: the row is gone");
        return;
    };
    if effect == Seen {
        assert_eq!(before, after, "{what}");
        return;
    }
    assert_ne!(effect, Gone, "{what}");
    assert_eq!(
        after.version,
        before.version + 1,
        "{what}: the version is counted"
    );
    assert_eq!(after.created, before.created, "{what}: made once");
    assert!(
        after.updated >= before.updated,
        "{what}: the time of the write"
    );
    assert_ne!(after.updated, None, "{what}");
    assert_eq!(after.owner, before.owner, "{what}: nothing changes hands");
    let text = if effect == Updated { "new" } else { "old" };
    assert_eq!(after.text, text, "{what}");
    match effect {
        Deleted => assert_eq!(after.deleted, after.updated, "{what}"),
        Restored => assert_eq!(after.deleted, None, "{what}"),
        _ => assert_eq!(after.deleted, before.deleted, "{what}"),
    }
}

async fn every_operation_honours_every_role(bed: impl Bed) {
    let db = bed.db();
    let mut rows = notes(db).await;
    for &(what, effect, may) in OPERATIONS {
        for (at, may) in may.into_iter().enumerate() {
            let before = dump(db).await;
            let mut mine = Tenant::new(db, MINE);
            let outcome = perform(what, &rows[at], &mut mine).await;
            let outcome = outcome.unwrap_or_else(|error| panic!("{what}, {at}: {error:?}"));
            assert_eq!(outcome, may, "{what}, {at}");
            let after = dump(db).await;
            for (position, before) in before.iter().enumerate() {
                let row = after.iter().find(|after| after.id == before.id);
                if may && position == at {
                    check(what, effect, before, row);
                } else {
                    assert_eq!(row, Some(before), "{what}, {at}: another row, {position}");
                }
            }
            if before != after {
                rows = refill(db).await;
            }
        }
    }
}

async fn nothing_is_done_for_nobody(bed: impl Bed) {
    let db = bed.db();
    let rows = notes(db).await;
    let before = dump(db).await;
    for &(what, ..) in OPERATIONS {
        for row in &rows {
            let mut plain = db;
            let outcome = perform(what, row, &mut plain).await;
            let is_refused = matches!(outcome, Err(Error::NoTenant { table: "note" }));
            assert!(is_refused, "{what}: {outcome:?}");
            // Somebody of another kind than the column's is nobody, and so is nobody in particular.
            let outcome = perform(what, row, &mut Tenant::new(db, "7".to_owned())).await;
            assert!(
                matches!(outcome, Err(Error::NoTenant { .. })),
                "{what}: {outcome:?}"
            );
            let outcome = perform(what, row, &mut Tenant::new(db, 0_i64)).await;
            assert!(
                matches!(outcome, Err(Error::NoTenant { .. })),
                "{what}: {outcome:?}"
            );
        }
    }
    assert_eq!(dump(db).await, before);
}

async fn a_row_of_another_tenant_is_refused_before_anything_is_sent(bed: impl Bed) {
    let db = bed.db();
    notes(db).await;
    let before = dump(db).await;
    let mut mine = Tenant::new(db, MINE);
    // A struct that says whose it is, be it read by them or made so here.
    let theirs = before[2].clone();
    let refused = |outcome: Result<bool>| {
        assert!(
            matches!(outcome, Err(Error::OtherTenant { table: "note" })),
            "{outcome:?}"
        );
    };
    let mut row = theirs.clone();
    row.id = 99;
    refused(row.insert(&mut mine).await.map(|()| true));
    refused(Note::insert_all(&mut [row], &mut mine).await.map(|_| true));
    let mut row = theirs;
    refused(row.update(&mut mine).await.map(|()| true));
    refused(row.save(&mut mine).await.map(|()| true));
    refused(row.upsert(note::id).run(&mut mine).await.map(|()| true));
    refused(row.delete(&mut mine).await);
    refused(row.restore(&mut mine).await);
    refused(row.purge(&mut mine).await);
    let mut row = row.tracked();
    row.text = "stolen".to_owned();
    refused(row.update(&mut mine).await);
    // Two scopes at once are none.
    let mut both = Tenant::new(Tenant::new(db, THEIRS), MINE);
    refused(Note::select().exists(&mut both).await);
    assert_eq!(dump(db).await, before);
    // A scope inside of the same is that scope.
    let mut same = Tenant::new(Tenant::new(db, MINE), MINE);
    assert_eq!(Note::select().count(&mut same).await.expect("a count"), 1);
}

async fn raw_sql_must_say_that_it_is_unscoped(bed: impl Bed) {
    let db = bed.db();
    notes(db).await;
    let mut mine = Tenant::new(db, MINE);
    let refused = |outcome: Result<Done>| {
        assert!(matches!(outcome, Err(Error::RawInTenant)), "{outcome:?}");
    };
    refused(sql("DELETE FROM note").exec(&mut mine).await);
    let counted = sql("SELECT COUNT(*) FROM note");
    let outcome = counted.clone().one::<(i64,)>(&mut mine).await;
    assert!(matches!(outcome, Err(Error::RawInTenant)), "{outcome:?}");
    let counted = counted.unscoped().one::<(i64,)>(&mut mine).await;
    assert_eq!(counted.expect("raw SQL"), (3,));
    // A piece of it in a condition, wherever that stands.
    let piece = || Note::select().filter(sql("1 = 1) OR (1 = 1"));
    let outcome = piece().all(&mut mine).await;
    assert!(matches!(outcome, Err(Error::RawInTenant)), "{outcome:?}");
    let outcome = piece().update([note::text.set("new")], &mut mine).await;
    assert!(matches!(outcome, Err(Error::RawInTenant)), "{outcome:?}");
    let inside = Tag::select().filter(tag::note_id.is_in(piece().columns(note::id)));
    let outcome = inside.all(&mut mine).await;
    assert!(matches!(outcome, Err(Error::RawInTenant)), "{outcome:?}");
    let said = Note::select().filter(sql("1 = 1").unscoped());
    assert_eq!(said.count(&mut mine).await.expect("a count"), 1);
    // In a transaction as outside of it.
    let mut tx = mine.enter().await.expect("a transaction");
    refused(sql("DELETE FROM note").exec(&mut tx).await);
    assert_eq!(Note::select().count(&mut tx).await.expect("a count"), 1);
}

async fn a_write_fills_the_struct_as_the_database_has_it(bed: impl Bed) {
    let db = bed.db();
    notes(db).await;
    let mut mine = Tenant::new(db, MINE);
    let mut note = Note::new(0, "mine");
    let began = Utc::now();
    note.insert(&mut mine).await.expect("an insert");
    let stored = |id| async move { dump(db).await.into_iter().find(|note| note.id == id) };
    assert_eq!(stored(note.id).await, Some(note.clone()));
    assert_eq!((note.owner, note.version), (MINE, 1));
    assert_eq!(note.updated, Some(note.created));
    // To the microsecond, which is what all of them keep.
    assert_eq!(note.created.timestamp_subsec_nanos() % 1000, 0);
    assert!((note.created - began).num_seconds().abs() < 60, "{note:?}");
    note.text = "new".to_owned();
    note.update(&mut mine).await.expect("an update");
    assert_eq!(stored(note.id).await, Some(note.clone()));
    note.save(&mut mine).await.expect("an update");
    assert_eq!(
        (stored(note.id).await, note.version),
        (Some(note.clone()), 3)
    );
    let mut tracked = note.clone().tracked();
    tracked.text = "newer".to_owned();
    assert!(tracked.update(&mut mine).await.expect("an update"));
    note = tracked.into_inner();
    assert_eq!(stored(note.id).await, Some(note.clone()));
    assert!(note.delete(&mut mine).await.expect("a delete"));
    assert_eq!(stored(note.id).await, Some(note.clone()));
    assert!(note.deleted.is_some());
    assert!(note.restore(&mut mine).await.expect("the end of a delete"));
    assert_eq!(stored(note.id).await, Some(note.clone()));
    assert_eq!((note.deleted, note.version), (None, 6));
    let mut same = Note {
        text: "upserted".to_owned(),
        ..Note::new(0, "mine")
    };
    same.upsert(note::title)
        .run(&mut mine)
        .await
        .expect("an upsert");
    assert_eq!(stored(note.id).await, Some(same.clone()));
    assert_eq!(
        (same.id, same.version, same.created),
        (note.id, 7, note.created)
    );
    let mut many = [Note::new(0, "a"), Note::new(0, "b")];
    Note::insert_all(&mut many, &mut mine)
        .await
        .expect("two rows");
    for note in many {
        assert_eq!(stored(note.id).await, Some(note.clone()));
        assert_eq!((note.owner, note.version), (MINE, 1));
    }
}

async fn a_failed_write_leaves_the_struct_as_it_was(bed: impl Bed) {
    let db = bed.db();
    let rows = notes(db).await;
    let mut mine = Tenant::new(db, MINE);
    let mut taken = Note::new(0, "note 1001");
    let before = taken.clone();
    taken
        .insert(&mut mine)
        .await
        .expect_err("the title is taken");
    assert_eq!(taken, before);
    let mut many = [Note::new(0, "fresh"), before.clone()];
    let before = many.clone();
    Note::insert_all(&mut many, &mut mine)
        .await
        .expect_err("the title is taken");
    assert_eq!(many, before);
    let mut stale = rows[0].clone();
    stale.version = 99;
    let before = stale.clone();
    let error = stale.update(&mut mine).await.expect_err("another version");
    assert!(error.is_stale(), "{error:?}");
    assert_eq!(stale, before);
    let error = stale.delete(&mut mine).await.expect_err("another version");
    assert!(error.is_stale(), "{error:?}");
    assert_eq!(stale, before);
}

async fn of_two_writers_the_second_is_stale(bed: impl Bed) {
    let db = bed.db();
    notes(db).await;
    let mut mine = Tenant::new(db, MINE);
    let read = Note::find(LIVE, &mut mine).await.expect("a query");
    let (mut ann, mut bob) = (read.clone().expect("a note"), read.expect("a note"));
    ann.text = "ann's".to_owned();
    ann.save(&mut mine).await.expect("the first");
    bob.text = "bob's".to_owned();
    let error = bob.save(&mut mine).await.expect_err("the second");
    assert!(matches!(error, Error::Stale { table: "note" }), "{error:?}");
    bob = Note::find(LIVE, &mut mine)
        .await
        .expect("a query")
        .expect("a note");
    assert_eq!(bob, ann);
    bob.update(&mut mine).await.expect("with the new version");
}

async fn the_tenant_and_the_version_are_not_assigned(bed: impl Bed) {
    let db = bed.db();
    notes(db).await;
    let before = dump(db).await;
    let mut mine = Tenant::new(db, MINE);
    for set in [note::owner.set(THEIRS), note::version.set(5)] {
        let outcome = Note::select().update([set], &mut mine).await;
        assert!(
            matches!(outcome, Err(Error::Unsupported { .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(dump(db).await, before);
    // The times may be, by who knows better.
    let long_ago = DateTime::<Utc>::UNIX_EPOCH;
    let set = [note::created.set(long_ago), note::updated.set(long_ago)];
    Note::select()
        .update(set, &mut mine)
        .await
        .expect("an update");
    let note = Note::find(LIVE, &mut mine)
        .await
        .expect("a query")
        .expect("a note");
    assert_eq!((note.created, note.updated), (long_ago, Some(long_ago)));
}

async fn a_tenant_is_one_in_a_transaction_and_a_task(bed: impl Bed) {
    notes(bed.db()).await;
    let inside = bed.clone();
    tokio::spawn(async move {
        let mut db = Tenant::new(bed.db(), MINE);
        packetboat_orm::transaction(&mut db, async |tx| {
            Note::new(0, "in a transaction").insert(&mut *tx).await?;
            assert_eq!(Note::select().count(tx).await?, 2);
            Ok(())
        })
        .await
        .expect("a transaction");
    })
    .await
    .expect("no panic");
    let mut theirs = Tenant::new(inside.db(), THEIRS);
    assert_eq!(Note::select().count(&mut theirs).await.expect("a count"), 1);
}

crate::common::on_every_database![
    every_operation_honours_every_role,
    nothing_is_done_for_nobody,
    a_row_of_another_tenant_is_refused_before_anything_is_sent,
    raw_sql_must_say_that_it_is_unscoped,
    a_write_fills_the_struct_as_the_database_has_it,
    a_failed_write_leaves_the_struct_as_it_was,
    of_two_writers_the_second_is_stale,
    the_tenant_and_the_version_are_not_assigned,
    a_tenant_is_one_in_a_transaction_and_a_task,
];
