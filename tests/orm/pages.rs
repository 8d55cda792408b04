//! Pages by cursor and with the total; rows that are locked while they are read.

use std::time::Duration;

use packetboat_orm::{Dialect, Error, Executor, Finish, ModelExt, Page, Select, count};

use crate::bed::Bed;
use crate::shop::{Maker, Toy, fill, maker, new_toy, tables, toy};

/// 23 toys: pieces repeat, a third of the weights is missing, titles are in no order.
async fn many(db: impl Executor + Copy) -> Vec<Toy> {
    tables(db).await;
    let mut maker = Maker {
        id: 0,
        name: "acme".to_owned(),
        founded: None,
        boss: None,
    };
    maker.insert(db).await.expect("a maker");
    let mut toys: Vec<Toy> = (0..23)
        .map(|n: i32| {
            let mut toy = new_toy(
                &maker,
                &format!("t{:02}", n * 7 % 23),
                n % 4,
                i64::from(n % 5) * 25,
            );
            toy.weight =
                (n % 3 != 0).then(|| f32::from(i16::try_from(n % 6).expect("small")) / 3.0);
            toy.score = f64::from(n % 4) / 10.0;
            toy
        })
        .collect();
    for toy in &mut toys {
        toy.insert(db).await.expect("a toy");
    }
    toys
}

/// Walks to the end and back by cursors; both ways give the query's rows in its order.
async fn walk<T>(select: impl Fn() -> Select<Toy, T>, db: impl Executor + Copy)
where
    T: packetboat_orm::Decode + Clone + std::fmt::Debug + PartialEq,
{
    let all = select()
        .order_by(toy::id.asc())
        .all(db)
        .await
        .expect("all rows");
    let mut there: Vec<T> = Vec::new();
    let mut pages: Vec<Page<T>> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = select()
            .page(5, cursor.as_deref(), db)
            .await
            .expect("a page");
        assert_eq!(page.previous.is_some(), cursor.is_some());
        there.extend(page.rows.clone());
        cursor.clone_from(&page.next);
        pages.push(page);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(there, all);
    let mut at = pages.len() - 1;
    while let Some(previous) = &pages[at].previous {
        let page = select()
            .page(5, Some(previous), db)
            .await
            .expect("a page back");
        at -= 1;
        assert_eq!(page.rows, pages[at].rows);
        assert_eq!(page.previous.is_some(), at > 0);
        assert!(page.next.is_some());
    }
    assert_eq!(at, 0);
}

async fn cursors_lead_to_every_row_and_back(bed: impl Bed) {
    let db = bed.db();
    many(db).await;
    walk(Toy::select, db).await;
    walk(|| Toy::select().order_by(toy::pieces.asc()), db).await;
    walk(
        || {
            Toy::select()
                .order_by(toy::weight.asc())
                .order_by(toy::title.desc())
        },
        db,
    )
    .await;
    walk(
        || {
            Toy::select()
                .order_by(toy::weight.desc())
                .order_by(toy::price.asc())
        },
        db,
    )
    .await;
    walk(
        || {
            Toy::select()
                .order_by(toy::price.desc())
                .columns((toy::title, toy::price))
        },
        db,
    )
    .await;
    walk(
        || {
            Toy::select()
                .order_by(toy::score.asc())
                .filter(toy::pieces.ne(1))
                .columns(toy::id)
        },
        db,
    )
    .await;
    walk(
        || {
            Toy::select()
                .order_by((toy::pieces * -1).asc())
                .order_by(toy::kind.asc())
        },
        db,
    )
    .await;
    walk(|| Toy::select().order_by(toy::title.upper().desc()), db).await;
    // In 4 bytes here, in 8 there.
    walk(|| Toy::select().order_by((toy::weight + 0.2).asc()), db).await;
    walk(|| Toy::select().order_by((toy::weight + 0.2).desc()), db).await;
}

async fn pages_of_joins_and_groups(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let joined = || {
        Maker::select()
            .left_join(Toy::on(toy::maker.eq(maker::id)))
            .order_by(toy::title.desc())
            .columns((maker::name, toy::title))
    };
    let all = joined().all(db).await.expect("all");
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = joined()
            .page(1, cursor.as_deref(), db)
            .await
            .expect("a page");
        seen.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
    let grouped = || {
        Toy::select()
            .group_by(toy::maker)
            .order_by(count().desc())
            .columns((toy::maker, count()))
    };
    let first = grouped().page(1, None, db).await.expect("a page");
    assert_eq!(first.rows[0].1, 2);
    let second = grouped()
        .page(1, first.next.as_deref(), db)
        .await
        .expect("a page");
    assert_eq!(second.rows[0].1, 1);
    assert_eq!(second.next, None);
}

async fn a_page_holds_while_rows_come_and_go(bed: impl Bed) {
    let db = bed.db();
    let mut toys = many(db).await;
    let by_id = || Toy::select().columns(toy::id);
    let first = by_id().page(5, None, db).await.expect("a page");
    toys[4]
        .delete(db)
        .await
        .expect("a delete of the row that the cursor names");
    toys[1].delete(db).await.expect("a delete");
    let second = by_id()
        .page(5, first.next.as_deref(), db)
        .await
        .expect("a page");
    assert_eq!(
        second.rows,
        toys[5..10].iter().map(|toy| toy.id).collect::<Vec<_>>()
    );
    let back = by_id()
        .page(5, second.previous.as_deref(), db)
        .await
        .expect("a page back");
    assert_eq!(back.rows, [0, 2, 3].map(|at| toys[at].id));
    assert_eq!(back.previous, None);
}

async fn other_cursors_are_refused(bed: impl Bed) {
    let db = bed.db();
    many(db).await;
    let by_title = || Toy::select().order_by(toy::title.asc());
    let cursor = by_title()
        .page(5, None, db)
        .await
        .expect("a page")
        .next
        .expect("a next page");
    for other in [
        Toy::select(),
        Toy::select().order_by(toy::title.desc()),
        Toy::select().order_by(toy::pieces.asc()),
        by_title().order_by(toy::pieces.asc()),
    ] {
        let refused = other.page(5, Some(&cursor), db).await;
        assert!(
            matches!(refused, Err(Error::InvalidCursor { table: "toy" })),
            "{refused:?}"
        );
    }
    for at in 0..cursor.len() {
        let mut changed = cursor.clone();
        let letter = if changed.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        changed.replace_range(at..=at, letter);
        let refused = by_title().page(5, Some(&changed), db).await;
        assert!(
            matches!(refused, Err(Error::InvalidCursor { .. })),
            "{at}: {refused:?}"
        );
    }
    for junk in ["", "x", "' OR 1=1 --", "ÄÖ", &"A".repeat(100_000)] {
        let refused = by_title().page(5, Some(junk), db).await;
        assert!(matches!(refused, Err(Error::InvalidCursor { .. })));
    }
    let limited = by_title().limit(3).page(5, None, db).await;
    assert!(matches!(limited, Err(Error::Unsupported { .. })));
}

async fn a_numbered_page_knows_the_total(bed: impl Bed) {
    let db = bed.db();
    many(db).await;
    let page = Toy::select()
        .filter(toy::pieces.eq(1))
        .order_by(toy::id.asc())
        .limit(2)
        .offset(4)
        .columns(toy::pieces)
        .all_with_total(db);
    assert_eq!(page.await.expect("a page"), (vec![1, 1], 6));
    let kinds = Toy::select()
        .group_by(toy::pieces)
        .columns(toy::pieces)
        .limit(1)
        .all_with_total(db)
        .await;
    assert_eq!(kinds.expect("groups").1, 4);
}

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
    fill(db).await;
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

crate::on_every_database![
    cursors_lead_to_every_row_and_back,
    pages_of_joins_and_groups,
    a_page_holds_while_rows_come_and_go,
    other_cursors_are_refused,
    a_numbered_page_knows_the_total,
    locked_rows_are_skipped_or_refused,
    joined_rows_are_locked,
];
