//! Aggregates and groups.

use packetboat_orm::{Error, ModelExt, Select, count, exists};
use rust_decimal::Decimal;

use crate::common::bed::Bed;
use crate::common::shop::{Kind, Maker, Review, Toy, fill, maker, new_toy, review, tables, toy};

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
    let least = crate::common::shop::Vote::select()
        .columns(crate::common::shop::vote::is_up.min())
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
    // An aggregate makes a group of all rows, wherever it stands.
    let any = Toy::select().order_by(count().desc()).all(db).await;
    assert!(matches!(any, Err(Error::Unsupported { .. })), "{any:?}");
    let any = Toy::select().order_by(count().desc());
    let any = any.filter(toy::pieces.gt(1)).page(2, None, db).await;
    assert!(matches!(any, Err(Error::Unsupported { .. })), "{any:?}");
}

async fn a_condition_on_a_column_of_any_row_is_refused(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let refused = |groups: Select<Toy, Kind>| async move {
        let any = groups.all(db).await;
        assert!(matches!(any, Err(Error::Unsupported { .. })), "{any:?}");
    };
    let kinds = || Toy::select().group_by(toy::kind).columns(toy::kind);
    refused(kinds().having(toy::title.eq("chess"))).await;
    refused(kinds().having(count().gt(1) | !toy::pieces.between(1, 5))).await;
    refused(kinds().having(toy::pieces.sum().lt(toy::large))).await;
    refused(kinds().having(toy::title.like("c%") & toy::weight.is_null())).await;
    let has_maker = exists(Maker::select().correlate(maker::id.eq(toy::maker)));
    let any = kinds().filter(has_maker).count(db).await;
    assert_eq!(any.expect("before grouping"), 2);
    // What is grouped by stands there, and what is read of a model whose key is.
    let of_maker = || {
        Maker::select()
            .join(Toy::on(toy::maker.eq(maker::id)))
            .group_by(maker::id)
    };
    let large = of_maker().having(maker::id.gt(0) & count().gt(1));
    assert_eq!(large.columns(count()).all(db).await.expect("groups"), [2]);
    let named = || of_maker().having(count().gt(1).or(maker::name.eq("bolt")));
    let found = named()
        .columns((maker::name, count()))
        .order_by(maker::name.asc());
    assert_eq!(
        found.all(db).await.expect("groups"),
        [("acme".to_owned(), 2), ("bolt".to_owned(), 1)]
    );
    let unread = named().columns(count()).all(db).await;
    assert!(
        matches!(unread, Err(Error::Unsupported { .. })),
        "{unread:?}"
    );
    let upper = Maker::select()
        .group_by(maker::name.upper())
        .having(maker::name.upper().eq("ACME"))
        .columns(maker::name.upper())
        .all(db)
        .await;
    assert!(matches!(upper, Err(Error::Unsupported { .. })), "{upper:?}");
}

async fn groups_of_an_expression_with_a_value_are_read(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let words = || review::words.coalesce("-");
    let groups = || Review::select().group_by(words());
    let expected = [("-".to_owned(), 2), ("grand".to_owned(), 1)];
    let found = groups().columns((words(), count())).order_by(words().asc());
    assert_eq!(found.all(db).await.expect("groups"), expected);
    let twice = groups().columns((words(), count(), words()));
    let twice = twice.order_by(words().desc()).limit(1).all(db).await;
    assert_eq!(
        twice.expect("groups"),
        [("grand".to_owned(), 1, "grand".to_owned())]
    );
    let sizes = groups().columns(count()).order_by(count().desc());
    assert_eq!(sizes.all(db).await.expect("sizes"), [2, 1]);
    assert_eq!(
        groups().columns(words()).count(db).await.expect("a count"),
        2
    );
    let pieces = Toy::select()
        .group_by(toy::pieces * 0 + 1)
        .columns((toy::pieces * 0 + 1, count()))
        .all(db)
        .await;
    assert_eq!(pieces.expect("one group"), [(1, 3)]);
    let different = Review::select().columns(words()).distinct();
    let different = different.order_by(words().desc()).all(db).await;
    assert_eq!(different.expect("different words"), ["grand", "-"]);
    // Pages walk by it.
    let paged = || groups().columns((words(), count()));
    let first = paged().page(1, None, db).await.expect("a page");
    assert_eq!(first.rows, expected[..1]);
    let second = paged().page(1, first.next.as_deref(), db).await;
    assert_eq!(second.expect("a page").rows, expected[1..]);
    // Another value is another expression; one that is not read cannot be sorted by.
    let other = groups().columns(review::words.coalesce("+")).all(db).await;
    assert!(matches!(other, Err(Error::Unsupported { .. })), "{other:?}");
    let unread = groups()
        .columns(count())
        .order_by(words().asc())
        .all(db)
        .await;
    assert!(
        matches!(unread, Err(Error::Unsupported { .. })),
        "{unread:?}"
    );
}

crate::common::on_every_database![
    aggregates_have_one_type_everywhere,
    of_no_rows_there_is_no_value,
    a_sum_out_of_range_is_an_error,
    what_is_not_compared_everywhere_is_refused,
    groups_are_counted_filtered_and_sorted,
    a_model_is_read_beside_aggregates_of_its_group,
    a_column_of_any_row_is_refused,
    a_condition_on_a_column_of_any_row_is_refused,
    groups_of_an_expression_with_a_value_are_read,
];
