//! Queries inside of others: `is_in` a sub-select, `exists`.

use packetboat_orm::{Dialect, Error, Executor, IntoFilter, ModelExt, count, exists};

use crate::common::bed::Bed;
use crate::common::shop::{Maker, Review, Toy, fill, maker, review, toy};

async fn rows_are_found_by_a_sub_select(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let names = |filter| {
        Maker::select()
            .filter(filter)
            .order_by(maker::name.asc())
            .columns(maker::name)
            .all(db)
    };
    let makers_of = |pieces: i32| {
        Toy::select()
            .filter(toy::pieces.lt(pieces))
            .columns(toy::maker)
    };
    assert_eq!(
        names(maker::id.is_in(makers_of(10))).await.expect("in"),
        ["bolt"]
    );
    assert_eq!(
        names(!maker::id.is_in(makers_of(10)))
            .await
            .expect("not in"),
        ["acme", "cog"]
    );
    // NULL in the list makes NOT IN find nothing, unless it is left out.
    let bosses = Maker::select().columns(maker::boss);
    assert_eq!(
        names(!maker::id.is_in(bosses.clone()))
            .await
            .expect("not in"),
        ["acme", "cog"]
    );
    assert_eq!(
        names(maker::boss.is_in(Maker::select().columns(maker::id)))
            .await
            .expect("in"),
        ["acme"]
    );
    let one = Toy::select()
        .order_by(toy::pieces.asc())
        .limit(1)
        .columns(toy::maker);
    assert_eq!(names(maker::id.is_in(one)).await.expect("in one"), ["bolt"]);
    let others = Toy::select()
        .order_by(toy::pieces.asc())
        .offset(1)
        .columns(toy::maker);
    assert_eq!(
        names(maker::id.is_in(others)).await.expect("in the others"),
        ["acme"]
    );
    let busy = Toy::select()
        .group_by(toy::maker)
        .having(count().gt(1))
        .columns(toy::maker);
    assert_eq!(
        names(maker::id.is_in(busy)).await.expect("in groups"),
        ["acme"]
    );
}

async fn rows_are_found_by_what_belongs_to_them(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let theirs = || Toy::select().correlate(toy::maker.eq(maker::id));
    let names = |select: packetboat_orm::Select<Maker>| {
        select
            .order_by(maker::name.asc())
            .columns(maker::name)
            .all(db)
    };
    let with = Maker::select().filter(exists(theirs()));
    assert_eq!(names(with).await.expect("exists"), ["acme", "bolt"]);
    let without = Maker::select().filter(!exists(theirs()));
    assert_eq!(names(without).await.expect("not exists"), ["cog"]);
    let small = Maker::select().filter(exists(theirs().filter(toy::pieces.lt(10))));
    assert_eq!(names(small).await.expect("exists"), ["bolt"]);
    // One inside another: the toys of the maker that have a good review.
    let good = Review::select()
        .filter(review::stars.ge(5))
        .columns(review::toy);
    let praised = Maker::select().filter(exists(theirs().filter(toy::id.is_in(good))));
    assert_eq!(names(praised).await.expect("nested"), ["acme"]);
    let first = Maker::select().filter(exists(theirs().order_by(toy::id.asc()).limit(1)));
    assert_eq!(names(first).await.expect("exists"), ["acme", "bolt"]);
    let third = Maker::select().filter(exists(theirs().offset(1)));
    assert_eq!(names(third).await.expect("exists"), ["acme"]);
    // Beside a condition of its own, and in an update.
    let late = Maker::select().filter(exists(theirs()) & maker::founded.is_null());
    assert_eq!(names(late).await.expect("both"), ["bolt"]);
    let idle = Maker::select().filter(!exists(theirs()));
    assert_eq!(
        idle.update([maker::founded.set(None)], db)
            .await
            .expect("an update"),
        1
    );
    // That there is any row at all.
    let any = Maker::select().filter(exists(Toy::select().filter(toy::pieces.gt(1000))));
    assert_eq!(any.count(db).await.expect("a count"), 0);
}

/// The names of the makers for which the condition holds.
async fn names<I>(filter: impl IntoFilter<Maker, I>, db: impl Executor) -> Vec<String> {
    let found = Maker::select().filter(filter).order_by(maker::name.asc());
    found.columns(maker::name).all(db).await.expect("a query")
}

async fn null_is_left_out_of_the_rows_that_a_limit_leaves(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let bosses = || Maker::select().columns(maker::boss);
    // The last maker's boss is NULL, and only acme has one.
    let last = || bosses().order_by(maker::id.desc()).limit(1);
    assert_eq!(names(maker::id.is_in(last()), db).await, [""; 0]);
    assert_eq!(
        names(!maker::id.is_in(last()), db).await,
        ["acme", "bolt", "cog"]
    );
    let all_but_one = || bosses().order_by(maker::id.asc()).offset(1);
    assert_eq!(names(maker::id.is_in(all_but_one()), db).await, [""; 0]);
    assert_eq!(
        names(!maker::id.is_in(all_but_one()), db).await,
        ["acme", "bolt", "cog"]
    );
    let two = || bosses().order_by(maker::id.asc()).limit(2);
    assert_eq!(names(maker::id.is_in(two()), db).await, ["bolt"]);
    assert_eq!(names(!maker::id.is_in(two()), db).await, ["acme", "cog"]);
}

async fn null_is_left_out_of_aggregates_and_expressions(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let bosses = || {
        Maker::select()
            .group_by(maker::name)
            .columns(maker::boss.max())
    };
    assert_eq!(names(maker::id.is_in(bosses()), db).await, ["bolt"]);
    assert_eq!(names(!maker::id.is_in(bosses()), db).await, ["acme", "cog"]);
    let first = || bosses().order_by(maker::name.desc()).limit(1);
    assert_eq!(
        names(!maker::id.is_in(first()), db).await,
        ["acme", "bolt", "cog"]
    );
    // Of no rows, the greatest is NULL.
    let nothing = || {
        Toy::select()
            .filter(toy::pieces.gt(10_000))
            .columns(toy::maker.max())
    };
    assert_eq!(
        names(!maker::id.is_in(nothing()), db).await,
        ["acme", "bolt", "cog"]
    );
    let counted = Toy::select().group_by(toy::maker).columns(count());
    assert_eq!(names(!maker::id.is_in(counted), db).await, ["cog"]);
    // Two of the three reviews have no words.
    let lengths = || Review::select().columns(review::words.length());
    assert_eq!(
        names(!maker::id.is_in(lengths()), db).await,
        ["acme", "bolt", "cog"]
    );
}

async fn members_of_each_row_are_found(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let theirs = || Toy::select().correlate(toy::maker.eq(maker::id));
    let makers = |filter| {
        Maker::select()
            .filter(filter)
            .order_by(maker::name.asc())
            .columns(maker::name)
            .all(db)
    };
    let of_theirs = maker::id.is_in(theirs().columns(toy::maker));
    assert_eq!(makers(of_theirs).await.expect("in"), ["acme", "bolt"]);
    let none_of_theirs = !maker::id.is_in(theirs().columns(toy::maker.max()));
    assert_eq!(makers(none_of_theirs).await.expect("not in"), ["cog"]);
    let first = maker::id.is_in(
        theirs()
            .order_by(toy::id.asc())
            .limit(1)
            .columns(toy::maker),
    );
    let found = makers(first).await;
    if db.dialect() == Dialect::MySql {
        // It takes a limit there only in a table of its own, which cannot see the maker.
        assert!(matches!(found, Err(Error::Unsupported { .. })), "{found:?}");
    } else {
        assert_eq!(found.expect("in"), ["acme", "bolt"]);
    }
}

crate::common::on_every_database![
    rows_are_found_by_a_sub_select,
    rows_are_found_by_what_belongs_to_them,
    null_is_left_out_of_the_rows_that_a_limit_leaves,
    null_is_left_out_of_aggregates_and_expressions,
    members_of_each_row_are_found,
];
