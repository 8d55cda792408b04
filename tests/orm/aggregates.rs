//! Aggregates, groups and sub-selects.

use packetboat_orm::{Error, ModelExt, count, exists};
use rust_decimal::Decimal;

use crate::bed::Bed;
use crate::shop::{Kind, Maker, Review, Toy, fill, maker, new_toy, review, tables, toy};

async fn aggregates_have_one_type_everywhere(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let all: (
        i64,
        Option<i64>,
        Option<i64>,
        Option<f64>,
        Option<Decimal>,
        Option<f64>,
    ) = Toy::select()
        .columns((
            count(),
            toy::pieces.sum(),
            toy::large.sum(),
            toy::score.sum(),
            toy::price.sum(),
            toy::weight.sum(),
        ))
        .one(db)
        .await
        .expect("sums");
    assert_eq!(
        all,
        (
            3,
            Some(537),
            Some(5_370_000_000_000),
            Some(67.125),
            Some(Decimal::new(1874, 2)),
            Some(133.0)
        )
    );
    let means: (Option<f64>, Option<f64>, Option<f64>, Option<f64>) = Toy::select()
        .columns((
            toy::pieces.avg(),
            toy::score.avg(),
            toy::price.avg(),
            toy::weight.avg(),
        ))
        .one(db)
        .await
        .expect("means");
    assert_eq!(
        (means.0, means.1, means.3),
        (Some(179.0), Some(22.375), Some(66.5))
    );
    assert!(
        (means.2.expect("a mean") - 6.246_666_666_666).abs() < 1e-9,
        "{means:?}"
    );
    let ends: (
        Option<String>,
        Option<i32>,
        Option<f32>,
        Option<Decimal>,
        Option<Kind>,
    ) = Toy::select()
        .columns((
            toy::title.max(),
            toy::pieces.min(),
            toy::weight.min(),
            toy::price.max(),
            toy::kind.max(),
        ))
        .one(db)
        .await
        .expect("ends");
    assert_eq!(
        ends,
        (
            Some("map".to_owned()),
            Some(5),
            Some(8.0),
            Some(Decimal::new(1050, 2)),
            Some(Kind::Puzzle)
        )
    );
    let counts: (i64, i64) = Toy::select()
        .columns((toy::weight.count(), toy::kind.count_distinct()))
        .one(db)
        .await
        .expect("counts");
    assert_eq!(counts, (2, 2));
    // Expressions inside of an aggregate, and around one.
    let sums: (Option<i64>, i64) = Toy::select()
        .columns(((toy::pieces * 2).sum(), count() + 1))
        .one(db)
        .await
        .expect("sums");
    assert_eq!(sums, (Some(1074), 4));
}

async fn of_no_rows_there_is_no_value(bed: impl Bed) {
    let db = bed.db();
    tables(db).await;
    let none: (
        i64,
        i64,
        Option<i64>,
        Option<f64>,
        Option<String>,
        Option<Decimal>,
    ) = Toy::select()
        .columns((
            count(),
            toy::id.count(),
            toy::pieces.sum(),
            toy::pieces.avg(),
            toy::title.max(),
            toy::price.sum(),
        ))
        .one(db)
        .await
        .expect("a row");
    assert_eq!(none, (0, 0, None, None, None, None));
}

async fn a_sum_out_of_range_is_an_error(bed: impl Bed) {
    let db = bed.db();
    let (makers, _) = fill(db).await;
    for _ in 0..2 {
        let mut huge = new_toy(&makers[0], "huge", 1, 1);
        huge.large = i64::MAX;
        huge.insert(db).await.expect("a toy");
    }
    let sum = Toy::select().columns(toy::large.sum()).one(db).await;
    assert!(
        matches!(sum, Err(Error::Decode { .. } | Error::Database { .. })),
        "{sum:?}"
    );
}

async fn what_is_not_compared_everywhere_is_refused(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let least = crate::shop::Vote::select()
        .columns(crate::shop::vote::is_up.min())
        .one(db)
        .await;
    assert!(matches!(least, Err(Error::Unsupported { .. })), "{least:?}");
}

async fn groups_are_counted_filtered_and_sorted(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let kinds: Vec<(Kind, i64, Option<i64>)> = Toy::select()
        .group_by(toy::kind)
        .columns((toy::kind, count(), toy::pieces.sum()))
        .order_by(count().desc())
        .all(db)
        .await
        .expect("groups");
    assert_eq!(
        kinds,
        [(Kind::Game, 2, Some(37)), (Kind::Puzzle, 1, Some(500))]
    );
    let large = Toy::select()
        .group_by(toy::kind)
        .having(toy::pieces.sum().gt(100) & count().ge(1))
        .having(toy::kind.ne(Kind::Game))
        .columns(toy::kind);
    assert_eq!(large.clone().all(db).await.expect("groups"), [Kind::Puzzle]);
    assert_eq!(large.clone().count(db).await.expect("a count"), 1);
    assert!(large.clone().exists(db).await.expect("an answer"));
    assert_eq!(large.limit(0).count(db).await.expect("a count"), 0);
    let letters: Vec<(String, i64)> = Maker::select()
        .left_join(Toy::on(toy::maker.eq(maker::id)))
        .group_by(maker::name.upper())
        .columns((maker::name.upper(), toy::id.count()))
        .order_by(maker::name.upper().asc())
        .all(db)
        .await
        .expect("groups of an expression");
    assert_eq!(
        letters,
        [
            ("ACME".to_owned(), 2),
            ("BOLT".to_owned(), 1),
            ("COG".to_owned(), 0)
        ]
    );
}

async fn a_model_is_read_beside_aggregates_of_its_group(bed: impl Bed) {
    let db = bed.db();
    let (makers, _) = fill(db).await;
    let rows: Vec<(Maker, i64, Option<Decimal>)> = Maker::select()
        .left_join(Toy::on(toy::maker.eq(maker::id)))
        .group_by(maker::id)
        .columns((Maker::row(), toy::id.count(), toy::price.max()))
        .order_by(toy::id.count().desc())
        .order_by(maker::name.asc())
        .all(db)
        .await
        .expect("makers and counts");
    let expected = [
        (0, 2, Some(Decimal::new(1050, 2))),
        (1, 1, Some(Decimal::new(99, 2))),
        (2, 0, None),
    ];
    assert_eq!(
        rows,
        expected.map(|(at, count, price)| (makers[at].clone(), count, price))
    );
}

async fn a_column_of_any_row_is_refused(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let any = Toy::select()
        .group_by(toy::kind)
        .columns((toy::title, count()))
        .all(db)
        .await;
    assert!(matches!(any, Err(Error::Unsupported { .. })), "{any:?}");
    let any = Toy::select().columns((toy::title, count())).all(db).await;
    assert!(matches!(any, Err(Error::Unsupported { .. })), "{any:?}");
    let any = Toy::select().group_by(toy::kind).all(db).await;
    assert!(matches!(any, Err(Error::Unsupported { .. })), "{any:?}");
    let any = Toy::select()
        .group_by(toy::kind)
        .columns(toy::kind)
        .order_by(toy::title.asc())
        .all(db)
        .await;
    assert!(matches!(any, Err(Error::Unsupported { .. })), "{any:?}");
}

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

crate::on_every_database![
    aggregates_have_one_type_everywhere,
    of_no_rows_there_is_no_value,
    a_sum_out_of_range_is_an_error,
    what_is_not_compared_everywhere_is_refused,
    groups_are_counted_filtered_and_sorted,
    a_model_is_read_beside_aggregates_of_its_group,
    a_column_of_any_row_is_refused,
    rows_are_found_by_a_sub_select,
    rows_are_found_by_what_belongs_to_them,
];
