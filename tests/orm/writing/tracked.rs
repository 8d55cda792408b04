//! Rows that know what they were: what an update of them sends.

use packetboat_orm::{Counted, Error, ModelExt, Tracked};

use crate::common::bed::Bed;
use crate::common::models::{Author, Fame, author, authors};

async fn nothing_changed_sends_nothing(bed: impl Bed) {
    let ann = authors(bed.db(), &["ann"]).await.remove(0);
    let mut db = Counted::new(bed.db());
    let mut ann = Tracked::new(ann);
    assert!(!ann.update(&mut db).await.expect("no statement"));
    // There and back again is no change.
    ann.name = "rob".to_owned();
    ann.name = "ann".to_owned();
    ann.born = Some(1);
    ann.born = None;
    assert!(!ann.save(&mut db).await.expect("no statement"));
    assert_eq!(ann.changes().count(), 0);
    assert_eq!(db.queries(), 0);
}

async fn only_what_changed_is_written(bed: impl Bed) {
    let db = bed.db();
    let before = authors(db, &["ann", "bob"]).await;
    let mut mine = before[0].clone().tracked();
    // Somebody else writes another column meanwhile.
    let others = Author::select().filter(author::id.eq(mine.id));
    let set = [author::is_living.set(false), author::fame.set(Fame::World)];
    others.update(set, db).await.expect("an update");
    mine.name = "rob".to_owned();
    mine.born = Some(1900);
    assert_eq!(mine.changes().collect::<Vec<_>>(), ["name", "born"]);
    assert!(mine.update(db).await.expect("an update"));
    let expected = Author {
        name: "rob".to_owned(),
        born: Some(1900),
        is_living: false,
        fame: Fame::World,
        ..before[0].clone()
    };
    let all = Author::select().order_by(author::id.asc());
    let expected = [expected, before[1].clone()];
    assert_eq!(all.all(db).await.expect("all"), expected);
}

async fn it_is_compared_with_what_was_written_last(bed: impl Bed) {
    let db = bed.db();
    let mut ann = authors(db, &["ann"]).await.remove(0).tracked();
    ann.name = "rob".to_owned();
    assert!(ann.update(db).await.expect("an update"));
    assert!(!ann.update(db).await.expect("nothing new"));
    ann.name = "ann".to_owned();
    assert!(ann.save(db).await.expect("back again"));
    let stored = Author::find(ann.id, db).await.expect("a query");
    assert_eq!(stored, Some(ann.into_inner()));
}

async fn a_failed_update_is_still_to_be_done(bed: impl Bed) {
    let db = bed.db();
    let mut bob = authors(db, &["ann", "bob"]).await.remove(1).tracked();
    bob.name = "ann".to_owned();
    let error = bob.update(db).await.expect_err("the name is taken");
    assert!(error.is_unique("name"), "{error:?}");
    assert_eq!(bob.changes().collect::<Vec<_>>(), ["name"]);
    bob.name = "rob".to_owned();
    assert!(bob.update(db).await.expect("an update"));
    // And one of a row that is gone.
    Author::select().delete(db).await.expect("a delete");
    bob.name = "bob".to_owned();
    let outcome = bob.update(db).await;
    assert!(
        matches!(outcome, Err(Error::NotFound { .. })),
        "{outcome:?}"
    );
}

async fn the_key_is_not_changed(bed: impl Bed) {
    let db = bed.db();
    let mut ann = authors(db, &["ann"]).await.remove(0).tracked();
    ann.id += 1;
    let outcome = ann.update(db).await;
    assert!(
        matches!(outcome, Err(Error::Unsupported { .. })),
        "{outcome:?}"
    );
}

crate::common::on_every_database![
    nothing_changed_sends_nothing,
    only_what_changed_is_written,
    it_is_compared_with_what_was_written_last,
    a_failed_update_is_still_to_be_done,
    the_key_is_not_changed,
];
