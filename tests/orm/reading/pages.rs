//! Pages by cursor and with the total.

use packetboat_orm::{Dialect, Error, Executor, ModelExt, Page, Select, count};

use crate::common::bed::Bed;
use crate::common::shop::{Maker, Toy, fill, maker, new_toy, tables, toy};

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

async fn a_page_whose_rows_are_gone_leads_back(bed: impl Bed) {
    let db = bed.db();
    let toys = many(db).await;
    let ids: Vec<i64> = toys.iter().map(|toy| toy.id).collect();
    for descending in [false, true] {
        let by_weight = || {
            let order = [toy::weight.asc(), toy::weight.desc()];
            Toy::select().order_by(order[usize::from(descending)].clone())
        };
        let all = by_weight().order_by(toy::id.asc());
        let all = all.columns(toy::id).all(db).await.expect("all rows");
        for at in [3, 12, 22] {
            let page = by_weight().columns(toy::id);
            let page = page.page(at, None, db).await.expect("a page");
            // As if all behind it were gone: nothing is behind the last of the rows that are left.
            let left = || by_weight().filter(toy::id.is_in(all[..at as usize].to_vec()));
            let end = left()
                .columns(toy::id)
                .page(5, page.next.as_deref(), db)
                .await;
            let end = end.expect("a page of nothing");
            assert_eq!((end.rows.len(), end.next), (0, None));
            let back = left().columns(toy::id).page(2, end.previous.as_deref(), db);
            let back = back.await.expect("a page back");
            assert_eq!(back.rows, all[at as usize - 2..at as usize]);
            // And as if all before it were gone.
            let right = || by_weight().filter(toy::id.is_in(all[at as usize..].to_vec()));
            let next = by_weight().page(5, page.next.as_deref(), db).await;
            let previous = next.expect("a page").previous;
            let begin = right()
                .columns(toy::id)
                .page(5, previous.as_deref(), db)
                .await;
            let begin = begin.expect("a page of nothing");
            assert_eq!((begin.rows.len(), begin.previous), (0, None));
            let on = right().columns(toy::id).page(5, begin.next.as_deref(), db);
            let on = on.await.expect("a page on").rows;
            assert_eq!(
                on,
                all[at as usize..]
                    .iter()
                    .copied()
                    .take(5)
                    .collect::<Vec<_>>()
            );
        }
    }
    // Nothing was ever there: the first page is the last.
    let none = Toy::select().filter(!toy::id.is_in(ids));
    let none = none.page(5, None, db).await.expect("a page");
    assert_eq!((none.rows.len(), none.next, none.previous), (0, None, None));
}

async fn a_cursor_of_what_is_never_stored_is_refused(bed: impl Bed) {
    let db = bed.db();
    many(db).await;
    // The sum over a cursor has no key, so anybody can make one: here it is another database that does.
    let other = crate::common::bed::Sqlite::make(Dialect::Sqlite)
        .await
        .expect("a database");
    let mut toys = many(other.db()).await;
    toys[0].title = "a\0b".to_owned();
    toys[0].update(other.db()).await.expect("an update");
    let by_title = || Toy::select().order_by(toy::title.asc());
    let of_nul = by_title().page(1, None, other.db()).await;
    let cursor = of_nul.expect("a page").next.expect("a cursor");
    let page = by_title().page(5, Some(&cursor), db).await;
    match db.dialect() {
        Dialect::Postgres => assert!(
            matches!(page, Err(Error::InvalidCursor { table: "toy" })),
            "{page:?}"
        ),
        _ => assert_eq!(page.expect("a page").rows.len(), 5),
    }
    // What the query itself says is the query's fault.
    let ours = by_title().filter(toy::title.ne("\0"));
    let ours = ours.page(5, Some(&cursor), other.db()).await;
    assert_eq!(ours.expect("a page").rows.len(), 5);
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

crate::common::on_every_database![
    cursors_lead_to_every_row_and_back,
    pages_of_joins_and_groups,
    a_page_holds_while_rows_come_and_go,
    a_page_whose_rows_are_gone_leads_back,
    a_cursor_of_what_is_never_stored_is_refused,
    other_cursors_are_refused,
    a_numbered_page_knows_the_total,
];
