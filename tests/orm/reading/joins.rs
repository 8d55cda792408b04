//! Several models side by side: inner and left joins, conditions and orders over any of them, another name for a table.

use futures_util::TryStreamExt as _;
use packetboat_orm::{Alias, Decode, Error, IntoFilter as _, ModelExt, Projection, exists};

use crate::common::bed::Bed;
use crate::common::shop::{Maker, Review, Toy, Vote, fill, maker, review, toy, vote};

async fn an_inner_join_leaves_out_rows_without_a_partner(bed: impl Bed) {
    let db = bed.db();
    let (makers, toys) = fill(db).await;
    let pairs: Vec<(Maker, Toy)> = Maker::select()
        .join(Toy::on(toy::maker.eq(maker::id)))
        .order_by(toy::title.desc())
        .all(db)
        .await
        .expect("a join");
    let expected = [(0, 1), (1, 2), (0, 0)].map(|(m, t)| (makers[m].clone(), toys[t].clone()));
    assert_eq!(pairs, expected);
}

async fn a_left_join_keeps_them_with_none(bed: impl Bed) {
    let db = bed.db();
    let (makers, toys) = fill(db).await;
    let pairs: Vec<(Maker, Option<Toy>)> = Maker::select()
        .left_join(Toy::on(toy::maker.eq(maker::id)))
        .order_by(maker::name.desc())
        .order_by(toy::id.asc())
        .all(db)
        .await
        .expect("a join");
    let expected = [(2, None), (1, Some(2)), (0, Some(0)), (0, Some(1))]
        .map(|(m, t): (usize, Option<usize>)| (makers[m].clone(), t.map(|t| toys[t].clone())));
    assert_eq!(pairs, expected);
    let silent: Vec<String> = Maker::select()
        .left_join(Toy::on(toy::maker.eq(maker::id)))
        .filter(Toy::row().is_missing())
        .columns(maker::name)
        .all(db)
        .await
        .expect("an anti-join");
    assert_eq!(silent, ["cog"]);
}

async fn missing_models_sort_first(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let by_toy = |order| {
        Maker::select()
            .left_join(Toy::on(toy::maker.eq(maker::id)))
            .order_by(order)
            .columns((maker::name, toy::title))
            .all(db)
    };
    let smallest = by_toy(toy::title.asc()).await.expect("a join");
    assert_eq!(smallest[0], ("cog".to_owned(), None));
    let largest = by_toy(toy::title.desc()).await.expect("a join");
    assert_eq!(largest[3], ("cog".to_owned(), None));
}

async fn four_tables_stand_side_by_side(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let all = Maker::select()
        .join(Toy::on(toy::maker.eq(maker::id)))
        .left_join(Review::on(review::toy.eq(toy::id)))
        .left_join(Vote::on(vote::review.eq(review::id) & vote::is_up.eq(true)));
    let rows: Vec<(Maker, Toy, Option<Review>, Option<Vote>)> = all
        .clone()
        .order_by(toy::title.asc())
        .order_by(review::stars.desc())
        .all(db)
        .await
        .expect("four tables");
    let seen: Vec<_> = rows
        .iter()
        .map(|(maker, toy, review, vote)| {
            (
                maker.name.as_str(),
                toy.title.as_str(),
                review.as_ref().map(|review| review.stars),
                vote.is_some(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("acme", "chess", Some(5), true),
            ("acme", "chess", Some(2), false),
            ("bolt", "dice", Some(4), false),
            ("acme", "map", None, false),
        ]
    );
    let liked = all
        .filter(maker::name.eq("bolt").or(vote::is_up.eq(true)))
        .filter(review::stars.ge(4));
    assert_eq!(liked.clone().count(db).await.expect("a count"), 2);
    assert!(liked.exists(db).await.expect("an answer"));
}

async fn conditions_on_several_models_combine(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let titles = |filter: packetboat_orm::Filter<packetboat_orm::typing::Over<_>>| {
        Maker::select()
            .join(Toy::on(toy::maker.eq(maker::id)))
            .filter(filter)
            .order_by(toy::title.asc())
            .columns(toy::title)
            .all(db)
    };
    let found = titles(maker::name.eq("bolt").or(toy::pieces.gt(100))).await;
    assert_eq!(found.expect("either"), ["dice", "map"]);
    let found = titles(maker::name.eq("acme").and(!toy::pieces.gt(100))).await;
    assert_eq!(found.expect("both"), ["chess"]);
    // Columns of two models compared, then more with `&`.
    let mixed = toy::maker.eq(maker::id) & toy::title.ne("map") & maker::founded.is_not_null();
    let found = Maker::select()
        .join(Toy::on(mixed))
        .columns(toy::title)
        .all(db)
        .await;
    assert_eq!(found.expect("a condition in ON"), ["chess"]);
    // Columns of one model compared: again a condition on that model alone.
    let own: packetboat_orm::Filter<Maker> = maker::boss.ne(maker::id).into_filter();
    assert_eq!(
        Maker::select()
            .filter(own)
            .count(db)
            .await
            .expect("a count"),
        1
    );
}

#[derive(Alias, Clone, Debug, PartialEq)]
struct Boss(Maker);

async fn a_table_joins_itself_under_another_name(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let pairs: Vec<(Maker, Option<Boss>)> = Maker::select()
        .left_join(Boss::on(maker::boss.eq(maker::id.of::<Boss>())))
        .order_by(maker::id.asc())
        .all(db)
        .await
        .expect("a self-join");
    let names: Vec<_> = pairs
        .iter()
        .map(|(maker, boss)| {
            (
                maker.name.as_str(),
                boss.as_ref().map(|boss| boss.name.as_str()),
            )
        })
        .collect();
    assert_eq!(
        names,
        [("acme", Some("bolt")), ("bolt", None), ("cog", None)]
    );
    let bossed: Vec<(String, String)> = Maker::select()
        .join(Boss::on(maker::boss.eq(maker::id.of::<Boss>())))
        .filter(maker::name.of::<Boss>().eq("bolt"))
        .columns((maker::name, maker::name.of::<Boss>()))
        .all(db)
        .await
        .expect("both names");
    assert_eq!(bossed, [("acme".to_owned(), "bolt".to_owned())]);
}

async fn a_table_is_looked_up_in_itself(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    // Those who are somebody's boss: a sub-select of the same table, under another name.
    let under_them = Boss::select().correlate(maker::boss.of::<Boss>().eq(maker::id));
    let bosses = Maker::select()
        .filter(exists(under_them))
        .columns(maker::name);
    assert_eq!(bosses.all(db).await.expect("a query"), ["bolt"]);
    let alone: Vec<Boss> = Boss::select()
        .filter(maker::founded.of::<Boss>().gt(1950))
        .order_by(maker::id.of::<Boss>().asc())
        .all(db)
        .await
        .expect("a query");
    assert_eq!(alone[0].name, "cog");
    let page = Boss::select().page(2, None, db).await.expect("a page");
    assert_eq!(page.rows.len(), 2);
    assert_eq!(Boss::select().count(db).await.expect("a count"), 3);
}

async fn a_table_twice_under_one_name_is_refused(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let twice = Maker::select()
        .join(Maker::on(packetboat_orm::sql("1 = 1")))
        .all(db)
        .await;
    assert!(matches!(twice, Err(Error::Unsupported { .. })), "{twice:?}");
}

#[derive(Debug, PartialEq, Projection)]
#[model(from = (Maker, Option<Toy>))]
struct Line {
    name: String,
    founded: Option<i32>,
    #[model(expr = toy::title)]
    title: Option<String>,
    #[model(expr = toy::pieces + 1)]
    pieces: Option<i32>,
    #[model(expr = toy::price)]
    price: Option<rust_decimal::Decimal>,
    #[model(expr = Toy::row())]
    toy: Option<Toy>,
}

async fn a_join_is_read_into_a_struct(bed: impl Bed) {
    let db = bed.db();
    let (_, toys) = fill(db).await;
    let lines = Maker::select()
        .left_join(Toy::on(toy::maker.eq(maker::id)))
        .filter(maker::name.ne("acme"))
        .order_by(maker::name.asc())
        .project::<Line>()
        .all(db)
        .await
        .expect("lines");
    let bolt = Line {
        name: "bolt".to_owned(),
        founded: None,
        title: Some("dice".to_owned()),
        pieces: Some(6),
        price: Some(toys[2].price),
        toy: Some(toys[2].clone()),
    };
    let cog = Line {
        name: "cog".to_owned(),
        founded: Some(2000),
        title: None,
        pieces: None,
        price: None,
        toy: None,
    };
    assert_eq!(lines, [bolt, cog]);
    assert_eq!(Line::WIDTH, 5 + Toy::WIDTH);
}

async fn joined_rows_stream(bed: impl Bed) {
    let db = bed.db();
    fill(db).await;
    let stream = Maker::select()
        .join(Toy::on(toy::maker.eq(maker::id)))
        .order_by(toy::title.asc())
        .stream(db);
    let titles: Vec<String> = stream
        .map_ok(|(_, toy)| toy.title)
        .try_collect()
        .await
        .expect("a stream");
    assert_eq!(titles, ["chess", "dice", "map"]);
    let stream = Toy::select()
        .order_by(toy::title.asc())
        .columns((toy::title, toy::price))
        .stream(db);
    let prices: Vec<_> = stream.try_collect().await.expect("a stream of columns");
    assert_eq!(
        prices[0],
        ("chess".to_owned(), rust_decimal::Decimal::new(1050, 2))
    );
}

crate::common::on_every_database![
    an_inner_join_leaves_out_rows_without_a_partner,
    a_left_join_keeps_them_with_none,
    missing_models_sort_first,
    four_tables_stand_side_by_side,
    conditions_on_several_models_combine,
    a_table_joins_itself_under_another_name,
    a_table_is_looked_up_in_itself,
    a_table_twice_under_one_name_is_refused,
    a_join_is_read_into_a_struct,
    joined_rows_stream,
];
