//! Expressions on columns: in filters, orders and projections.

use packetboat_orm::{Column, Dialect, Error, Executor, Filter, ModelExt, Order, Unfit};
use rust_decimal::Decimal;

use crate::common::bed::Bed;
use crate::common::shop::{Kind, Maker, Review, Toy, fill, maker, new_toy, review, toy};

async fn titles(filter: Filter<Toy>, db: impl Executor) -> Vec<String> {
    let select = Toy::select().filter(filter).order_by(toy::title.asc());
    select.columns(toy::title).all(db).await.expect("a query")
}

async fn arithmetic_stands_in_conditions_orders_and_rows(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    assert_eq!(titles((toy::pieces + 1).gt(33), db).await, ["map"]);
    assert_eq!(titles((toy::pieces * 2 - 1).eq(63), db).await, ["chess"]);
    assert_eq!(
        titles((toy::price + Decimal::new(1, 2)).eq(Decimal::ONE), db).await,
        ["dice"]
    );
    assert_eq!(titles((toy::score - 0.5).lt(1.0), db).await, ["dice"]);
    let rows: Vec<(i32, i64, Option<f32>, f64, Decimal)> = Toy::select()
        .order_by((toy::pieces * -1).asc())
        .columns((
            toy::pieces + 1,
            toy::large * 2,
            toy::weight + 0.5,
            toy::score * 2.0,
            toy::price - Decimal::ONE,
        ))
        .limit(2)
        .all(db)
        .await
        .expect("a projection");
    assert_eq!(
        rows,
        [
            (
                501,
                10_000_000_000_000,
                Some(125.5),
                125.0,
                Decimal::new(625, 2)
            ),
            (33, 640_000_000_000, Some(8.5), 8.0, Decimal::new(950, 2)),
        ]
    );
}

async fn small_floats_are_added(bed: impl Bed) {
    let db = bed.db();
    let (_, mut toys) = fill(db).await;
    toys[0].weight = Some(0.1);
    toys[0].update(db).await.expect("an update");
    let sum = Toy::select().filter(toy::title.eq("chess")).columns((
        toy::weight,
        toy::weight + 0.2,
        toy::weight * 3.0,
    ));
    let (weight, sum, product) = sum.one(db).await.expect("a sum");
    assert_eq!(weight, Some(0.1));
    assert_eq!((sum, product), (Some(0.1 + 0.2), Some(0.1 * 3.0)));
}

async fn columns_are_compared_with_columns(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let more = Toy::select().filter(toy::pieces.gt(toy::pieces - 1));
    assert_eq!(more.count(db).await.expect("a count"), 3);
    let same = Maker::select().filter(maker::boss.eq(maker::id + 1));
    assert_eq!(
        same.columns(maker::name).all(db).await.expect("a query"),
        ["acme"]
    );
    let sums = Toy::select().filter((toy::pieces + toy::pieces).eq(64));
    assert_eq!(
        sums.columns(toy::title).one(db).await.expect("a row"),
        "chess"
    );
    let between = Toy::select()
        .filter(toy::pieces.between(5, 32))
        .order_by(toy::title.asc());
    assert_eq!(
        between.columns(toy::title).all(db).await.expect("rows"),
        ["chess", "dice"]
    );
    let between = Toy::select().filter(!toy::price.between(Decimal::ONE, Decimal::TEN));
    assert_eq!(between.count(db).await.expect("a count"), 2);
}

async fn texts_are_searched_byte_by_byte_and_escaped(bed: impl Bed) {
    let db = bed.db();
    let (makers, _) = fill(db).await;
    let hostile = [
        r"50%", r"5_0", r"a\b", "[x]", "a*c", "a?c", "Chess!", "käse", "it's", "!%",
    ];
    for title in hostile {
        new_toy(&makers[0], title, 1, 1)
            .insert(db)
            .await
            .expect("a toy");
    }
    let cases: Vec<(Filter<Toy>, &[&str])> = vec![
        (toy::title.contains("hess"), &["Chess!", "chess"]),
        (toy::title.starts_with("c"), &["chess"]),
        (toy::title.starts_with("C"), &["Chess!"]),
        (toy::title.ends_with("ce"), &["dice"]),
        (toy::title.contains("%"), &["!%", "50%"]),
        (toy::title.contains("_"), &["5_0"]),
        (toy::title.contains("\\"), &["a\\b"]),
        (toy::title.contains("["), &["[x]"]),
        (toy::title.contains("*"), &["a*c"]),
        (toy::title.contains("?"), &["a?c"]),
        (toy::title.contains("!"), &["!%", "Chess!"]),
        (toy::title.contains("'"), &["it's"]),
        (toy::title.starts_with("!%"), &["!%"]),
        (toy::title.like("a_c"), &["a*c", "a?c"]),
        (toy::title.like("%!"), &["Chess!"]),
        (toy::title.like(r"50\%"), &["50%"]),
        (toy::title.like(r"a\\b"), &["a\\b"]),
        (toy::title.like("k_se"), &["käse"]),
        (toy::title.like("_a_"), &["map"]),
        (
            !toy::title.like("%s%"),
            &[
                "!%", "50%", "5_0", "[x]", "a*c", "a?c", "a\\b", "dice", "map",
            ],
        ),
        (
            toy::title.lower().starts_with("chess"),
            &["Chess!", "chess"],
        ),
        (toy::title.upper().eq("DICE"), &["dice"]),
        (toy::title.length().eq(4), &["dice", "it's", "käse"]),
    ];
    for (filter, expected) in cases {
        let said = format!("{filter:?}");
        assert_eq!(titles(filter, db).await, expected, "{said}");
    }
}

async fn case_is_changed_beyond_ascii_by_one_database(bed: impl Bed) {
    let db = bed.db();
    let (makers, _) = fill(db).await;
    new_toy(&makers[0], "Äpfel, ÖL", 1, 1)
        .insert(db)
        .await
        .expect("a toy");
    let row = Toy::select()
        .filter(toy::pieces.eq(1))
        .columns((toy::title.lower(), toy::title.upper()))
        .one(db)
        .await
        .expect("a row");
    let expected = match db.dialect() {
        Dialect::MySql => ("äpfel, öl", "ÄPFEL, ÖL"),
        _ => ("Äpfel, Öl", "ÄPFEL, ÖL"),
    };
    assert_eq!((row.0.as_str(), row.1.as_str()), expected);
}

async fn a_long_pattern_is_refused_or_matched(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let found = |part: String| Toy::select().filter(toy::title.contains(part)).count(db);
    assert_eq!(found("c".repeat(49_998)).await.expect("a count"), 0);
    for part in ["c".repeat(49_999), "?".repeat(20_000)] {
        let long = found(part).await;
        if db.dialect() == Dialect::Sqlite {
            assert!(
                matches!(
                    long,
                    Err(Error::Encode {
                        column: "title",
                        reason: Unfit::TooLong { max: 50_000 },
                        ..
                    })
                ),
                "{long:?}"
            );
        } else {
            assert_eq!(long.expect("a count"), 0);
        }
    }
}

async fn null_is_tested_and_replaced(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let rows: Vec<(String, Option<i64>)> = Review::select()
        .order_by(review::words.coalesce("~").desc())
        .order_by(review::stars.asc())
        .columns((review::words.coalesce("none"), review::words.length()))
        .all(db)
        .await
        .expect("a query");
    let none = ("none".to_owned(), None);
    assert_eq!(rows, [none.clone(), none, ("grand".to_owned(), Some(5))]);
    let silent = Review::select().filter(review::words.lower().is_null());
    assert_eq!(silent.count(db).await.expect("a count"), 2);
    let lengths = Review::select().filter((review::words.length() + 1).is_not_null());
    assert_eq!(lengths.count(db).await.expect("a count"), 1);
    // Whether one of two columns may be NULL does not matter to a comparison.
    let both = Maker::select().filter(maker::boss.ne(maker::id));
    assert_eq!(both.count(db).await.expect("a count"), 1);
}

async fn one_column_is_read_alone(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let by = |order: Order<Toy>| Toy::select().order_by(order).columns(toy::kind).all(db);
    let kinds = by(toy::title.asc()).await.expect("a query");
    assert_eq!(kinds, [Kind::Game, Kind::Game, Kind::Puzzle]);
    let price: Decimal = Toy::select()
        .filter(toy::title.eq("map"))
        .columns(toy::price)
        .one(db)
        .await
        .expect("a row");
    assert_eq!(price, Decimal::new(725, 2));
    let nobody = Toy::select()
        .filter(toy::title.eq("none"))
        .columns(toy::price);
    assert_eq!(nobody.clone().optional(db).await.expect("a query"), None);
    assert!(matches!(
        nobody.one(db).await,
        Err(Error::NotFound { table: "toy" })
    ));
    let different = Toy::select().columns(toy::kind).distinct();
    assert_eq!(different.clone().count(db).await.expect("a count"), 2);
    assert_eq!(
        different
            .order_by(toy::kind.asc())
            .all(db)
            .await
            .expect("rows"),
        [Kind::Game, Kind::Puzzle]
    );
    let unread = Toy::select()
        .columns(toy::kind)
        .distinct()
        .order_by(toy::title.asc());
    assert!(matches!(
        unread.all(db).await,
        Err(Error::Unsupported { .. })
    ));
}

/// The same table, read as if a column of texts held numbers.
const TITLE: Column<Toy, i64> = Column::new(toy::title.def());
const WEIGHT: Column<Toy, f32> = Column::new(toy::weight.def());

async fn a_value_that_does_not_fit_names_its_column(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let misfit = Toy::select().columns((toy::id, TITLE)).all(db).await;
    assert!(
        matches!(
            misfit,
            Err(Error::Decode {
                table: "toy",
                column: "title",
                ..
            })
        ),
        "{misfit:?}"
    );
    let null = Toy::select().columns((toy::id, WEIGHT)).all(db).await;
    assert!(
        matches!(
            null,
            Err(Error::Decode {
                table: "toy",
                column: "weight",
                ..
            })
        ),
        "{null:?}"
    );
}

async fn decimals_of_different_scales_are_told_apart(bed: impl Bed) {
    let db = bed.db();
    Till::create_table(db).await.expect("a table");
    let mut till = Till {
        id: 0,
        cents: Decimal::new(100, 2),
        mills: Decimal::new(1000, 3),
    };
    till.insert(db).await.expect("a till");
    let same = Till::select()
        .filter(till::cents.eq(till::mills))
        .count(db)
        .await;
    if db.dialect() == Dialect::Sqlite {
        assert!(matches!(same, Err(Error::Unsupported { .. })), "{same:?}");
    } else {
        assert_eq!(same.expect("a count"), 1);
    }
}

#[derive(packetboat_orm::Model)]
struct Till {
    id: i64,
    #[model(scale = 2)]
    cents: Decimal,
    #[model(scale = 3)]
    mills: Decimal,
}

crate::common::on_every_database![
    arithmetic_stands_in_conditions_orders_and_rows,
    small_floats_are_added,
    columns_are_compared_with_columns,
    texts_are_searched_byte_by_byte_and_escaped,
    case_is_changed_beyond_ascii_by_one_database,
    a_long_pattern_is_refused_or_matched,
    null_is_tested_and_replaced,
    one_column_is_read_alone,
    a_value_that_does_not_fit_names_its_column,
    decimals_of_different_scales_are_told_apart,
];
