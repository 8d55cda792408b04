//! Filters, orders and limits of a relation, tables between, and the query for one row.

use packetboat_orm::{Counted, Error, ModelExt, assert_queries, count};
use uuid::Uuid;

use crate::common::bed::Bed;
use crate::relations::{
    Painter, Painting, Tag, Tagging, World, painter, painting, tag, tagged, tagging, titles, words,
    world,
};

async fn a_relation_is_filtered_and_sorted(bed: impl Bed) {
    let World { painters, .. } = world(bed.db()).await;
    let late = painter::paintings
        .filter(painting::year.gt(1660))
        .order_by(painting::year.desc());
    let loaded = late
        .load(&painters, bed.db())
        .await
        .expect("late paintings");
    let loaded: Vec<Vec<&str>> = loaded.iter().map(|paintings| titles(paintings)).collect();
    assert_eq!(loaded, [vec!["saturn", "maja"], vec!["pearl"], vec![]]);
    // One that must be there is one that may be, once there is a filter.
    let paintings: Vec<(Painting, Option<Painter>)> = Painting::select()
        .with(painting::painter.filter(painter::name.eq("goya")))
        .order_by(painting::year.asc())
        .all(bed.db())
        .await
        .expect("paintings");
    let of_goya: Vec<bool> = paintings
        .iter()
        .map(|(_, painter)| painter.is_some())
        .collect();
    assert_eq!(of_goya, [false, false, true, true]);
}

async fn many_belong_to_many_through_a_table(bed: impl Bed) {
    let World { paintings, .. } = tagged(bed.db()).await;
    let mut db = Counted::new(bed.db());
    let tags = painting::tags.order_by(tag::word.desc());
    let found: Vec<(Painting, Vec<(Tag, Vec<Painting>)>)> = assert_queries!(
        3,
        db,
        Painting::select()
            .with(tags.with(tag::paintings))
            .order_by(painting::year.asc())
            .all(&mut db)
            .await
            .expect("paintings and their tags")
    );
    let found: Vec<Vec<(&str, usize)>> = found
        .iter()
        .map(|(_, tags)| {
            tags.iter()
                .map(|(tag, on)| (tag.word.as_str(), on.len()))
                .collect()
        })
        .collect();
    assert_eq!(
        found,
        [
            vec![("light", 2)],
            vec![("skin", 2), ("light", 2)],
            vec![("skin", 2)],
            vec![]
        ]
    );
    // What stands between has columns of its own: to filter by, to sort by, and to be read.
    let heavy = painting::tags
        .filter(tagging::weight.gt(4))
        .filter(tag::word.ne("unused"))
        .load(&paintings, bed.db())
        .await
        .expect("heavy tags");
    let heavy: Vec<Vec<&str>> = heavy.iter().map(|tags| words(tags)).collect();
    assert_eq!(heavy, [vec!["light"], vec![], vec!["skin"], vec![]]);
    let weighed: Vec<Vec<(Tag, Tagging)>> = painting::tags
        .order_by(tagging::weight.desc())
        .with_through()
        .load(&paintings[2..], bed.db())
        .await
        .expect("tags and their weights");
    let weighed: Vec<Vec<(&str, i32)>> = weighed
        .iter()
        .map(|tags| {
            tags.iter()
                .map(|(tag, by)| (tag.word.as_str(), by.weight))
                .collect()
        })
        .collect();
    assert_eq!(weighed, [vec![("skin", 9), ("light", 2)], vec![]]);
    // The long way round, with a query more.
    let taggings: Vec<Vec<(Tagging, Tag)>> = painting::taggings
        .with(tagging::tag)
        .load(&paintings, bed.db())
        .await
        .expect("taggings and their tags");
    let count: Vec<usize> = taggings.iter().map(Vec::len).collect();
    assert_eq!(count, [1, 1, 2, 0]);
}

async fn a_limit_holds_for_each_row(bed: impl Bed) {
    let World {
        painters,
        paintings,
        ..
    } = tagged(bed.db()).await;
    let mut db = Counted::new(bed.db());
    let latest = painter::paintings.order_by(painting::year.desc()).limit(1);
    let latest = assert_queries!(
        1,
        db,
        latest.load(&painters, &mut db).await.expect("the latest")
    );
    let latest: Vec<Vec<&str>> = latest.iter().map(|paintings| titles(paintings)).collect();
    assert_eq!(latest, [vec!["saturn"], vec!["pearl"], vec![]]);
    let early = painter::paintings
        .filter(painting::year.lt(1810))
        .order_by(painting::year.asc())
        .limit(3);
    let early = early.load(&painters, bed.db()).await.expect("early ones");
    let early: Vec<Vec<&str>> = early.iter().map(|paintings| titles(paintings)).collect();
    assert_eq!(early, [vec!["maja"], vec!["milkmaid", "pearl"], vec![]]);
    // Without an order, by key.
    let first = painting::sales
        .limit(1)
        .load(&paintings, bed.db())
        .await
        .expect("first sales");
    let prices: Vec<Vec<i64>> = first
        .iter()
        .map(|sales| sales.iter().map(|sale| sale.price).collect())
        .collect();
    assert_eq!(prices, [vec![], vec![10], vec![50], vec![]]);
    let heaviest = painting::tags
        .order_by(tagging::weight.desc())
        .limit(1)
        .with_through()
        .load(&paintings, bed.db())
        .await
        .expect("the heaviest tags");
    let heaviest: Vec<Vec<i32>> = heaviest
        .iter()
        .map(|tags| tags.iter().map(|(_, by)| by.weight).collect())
        .collect();
    assert_eq!(heaviest, [vec![5], vec![1], vec![9], vec![]]);
    let none = painter::paintings
        .limit(0)
        .load(&painters, bed.db())
        .await
        .expect("none");
    assert!(none.iter().all(Vec::is_empty));
}

async fn an_aggregate_is_no_order_of_a_relation(bed: impl Bed) {
    let World { painters, .. } = world(bed.db()).await;
    let counted = || painter::paintings.order_by(count().desc());
    let all = counted().load(&painters, bed.db()).await;
    assert!(matches!(all, Err(Error::Unsupported { .. })), "{all:?}");
    let first = counted().limit(2).load(&painters, bed.db()).await;
    assert!(matches!(first, Err(Error::Unsupported { .. })), "{first:?}");
    let of = counted().of(&painters[0]).all(bed.db()).await;
    assert!(matches!(of, Err(Error::Unsupported { .. })), "{of:?}");
}

async fn the_rows_related_to_one_are_a_query(bed: impl Bed) {
    let World {
        painters,
        paintings,
        ..
    } = tagged(bed.db()).await;
    let [goya, vermeer, anon] = [0, 1, 2].map(|at: usize| painters[at].clone());
    let late = painter::paintings
        .of(&vermeer)
        .filter(painting::year.gt(1660));
    assert_eq!(late.clone().count(bed.db()).await.expect("a count"), 1);
    assert_eq!(
        titles(&late.all(bed.db()).await.expect("late ones")),
        ["pearl"]
    );
    let country = painter::country
        .of(&goya)
        .one(bed.db())
        .await
        .expect("a country");
    assert_eq!(country.name, "Spain");
    let country = painter::country
        .of(&anon)
        .optional(bed.db())
        .await
        .expect("an answer");
    assert_eq!(country, None);
    let tags = painting::tags
        .of(&paintings[2])
        .order_by(tagging::weight.desc());
    assert_eq!(
        words(&tags.all(bed.db()).await.expect("tags")),
        ["skin", "light"]
    );
    let updated = painter::paintings
        .of(&goya)
        .update([painting::year.set(1900)], bed.db())
        .await
        .expect("an update");
    assert_eq!(updated, 2);
}

async fn a_limit_takes_the_first_of_one_row_by_their_key(bed: impl Bed) {
    let World {
        painters,
        paintings,
        ..
    } = tagged(bed.db()).await;
    // The last one written has the least key.
    let mut least = Painting {
        id: Uuid::from_u128(1),
        title: "lacemaker".to_owned(),
        ..paintings[0].clone()
    };
    least.insert(bed.db()).await.expect("a painting");
    let first = || painter::paintings.limit(1).of(&painters[1]);
    let by_key = first().all(bed.db()).await.expect("the first");
    assert_eq!(titles(&by_key), ["lacemaker"]);
    let loaded = painter::paintings.limit(1);
    let loaded = loaded.load(&painters, bed.db()).await.expect("the first");
    assert_eq!(titles(&loaded[1]), ["lacemaker"]);
    // An order given later is the query's.
    let latest = first().order_by(painting::year.desc());
    assert_eq!(
        titles(&latest.all(bed.db()).await.expect("the latest")),
        ["pearl"]
    );
    assert_eq!(first().count(bed.db()).await.expect("a count"), 1);
}

crate::common::on_every_database! {
    a_relation_is_filtered_and_sorted,
    many_belong_to_many_through_a_table,
    a_limit_holds_for_each_row,
    an_aggregate_is_no_order_of_a_relation,
    the_rows_related_to_one_are_a_query,
    a_limit_takes_the_first_of_one_row_by_their_key,
}
