//! Rows that are locked while they are read.

use std::time::Duration;

use packetboat_orm::{Dialect, Error, Executor, Finish, ModelExt};

use crate::common::bed::Bed;
use crate::common::shop::{Maker, Toy, fill, maker, toy};

async fn locked_rows_are_skipped_or_refused(bed: impl Bed) {
    let mut db = bed.db();
    let (_, toys) = fill(db).await;
    let first = || {
        Toy::select()
            .order_by(toy::id.asc())
            .limit(1)
            .columns(toy::id)
    };
    if db.dialect() == Dialect::Sqlite {
        for locked in [
            first().for_update(),
            first().for_update_nowait(),
            first().for_update_skip_locked(),
        ] {
            assert!(matches!(
                locked.all(db).await,
                Err(Error::Unsupported {
                    dialect: Dialect::Sqlite,
                    ..
                })
            ));
        }
        return;
    }
    let mut holder = db.enter().await.expect("a transaction");
    assert_eq!(
        first()
            .for_update()
            .one(&mut holder)
            .await
            .expect("a locked row"),
        toys[0].id
    );
    let mut other = db.enter().await.expect("a transaction");
    let all = Toy::select()
        .order_by(toy::id.asc())
        .columns(toy::id)
        .for_update_skip_locked();
    // MariaDB locks what it looks at: here the rows, all of them, in the order of the key.
    assert_eq!(
        all.all(&mut other).await.expect("the others"),
        [toys[1].id, toys[2].id]
    );
    other.rollback().await.expect("a rollback");
    let mut other = db.enter().await.expect("a transaction");
    let refused = first().for_update_nowait().one(&mut other).await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    other.rollback().await.expect("a rollback");
    // A plain one waits until the first is through.
    let waiting = tokio::spawn({
        let bed = bed.clone();
        async move {
            let mut db = bed.db();
            let mut tx = db.enter().await.expect("a transaction");
            let toy = Toy::select()
                .order_by(toy::id.asc())
                .for_update()
                .optional(&mut tx)
                .await;
            tx.commit().await.expect("a commit");
            toy.expect("a row").expect("a toy").title
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let set = Toy::select()
        .filter(toy::id.eq(toys[0].id))
        .update([toy::title.set("go")], &mut holder);
    set.await.expect("an update");
    holder.commit().await.expect("a commit");
    assert_eq!(waiting.await.expect("a task"), "go");
}

async fn joined_rows_are_locked(bed: impl Bed) {
    let mut db = bed.db();
    let (makers, toys) = fill(db).await;
    if db.dialect() == Dialect::Sqlite {
        return;
    }
    let mut tx = db.enter().await.expect("a transaction");
    let rows = Maker::select()
        .left_join(Toy::on(toy::maker.eq(maker::id)))
        .for_update()
        .all(&mut tx)
        .await
        .expect("rows of a left join");
    assert_eq!(rows.len(), 4);
    let inner = Maker::select()
        .join(Toy::on(toy::maker.eq(maker::id)))
        .for_update()
        .all(&mut tx)
        .await;
    assert_eq!(inner.expect("rows of a join").len(), 3);
    // The first model's rows are locked, whichever side a partner is missing on.
    for maker in &makers {
        let mut other = db.enter().await.expect("a transaction");
        let held = Maker::select().filter(maker::id.eq(maker.id));
        let refused = held.for_update_nowait().one(&mut other).await;
        assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
        other.rollback().await.expect("a rollback");
    }
    // And of an inner join, the partners' too.
    let mut other = db.enter().await.expect("a transaction");
    let held = Toy::select().filter(toy::id.eq(toys[0].id));
    let refused = held.for_update_nowait().one(&mut other).await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    other.rollback().await.expect("a rollback");
    let groups = Toy::select()
        .group_by(toy::kind)
        .columns(toy::kind)
        .for_update()
        .all(&mut tx)
        .await;
    assert!(
        matches!(groups, Err(Error::Unsupported { .. })),
        "{groups:?}"
    );
    tx.rollback().await.expect("a rollback");
}

crate::common::on_every_database![locked_rows_are_skipped_or_refused, joined_rows_are_locked];
