//! Relations: what is loaded onto what, in how many queries, and that it is what plain Rust would have grouped.

use packetboat_orm::{
    Counted, Dialect, Error, Executor, Field, Model, ModelExt, Result, assert_queries, transaction,
};
use uuid::Uuid;

use crate::bed::Bed;

/// Keyed by a text.
#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(has_many(painters: Painter, by = country_code))]
struct Country {
    #[model(key)]
    code: String,
    name: String,
}

/// Keyed by an integer.
#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(belongs_to(country: Country, by = country_code))]
#[model(has_many(paintings: Painting), has_one(studio: Studio))]
struct Painter {
    id: i64,
    name: String,
    country_code: Option<String>,
}

/// Keyed by a newtype.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Field)]
struct StudioId(i32);

#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(belongs_to(painter: Painter))]
struct Studio {
    id: StudioId,
    painter_id: i64,
    city: String,
}

/// Keyed by a UUID.
#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(belongs_to(painter: Painter), belongs_to(studio: Studio), has_many(sales: Sale))]
#[model(has_many(tags: Tag, through = Tagging), has_many(taggings: Tagging))]
struct Painting {
    id: Uuid,
    painter_id: i64,
    studio_id: Option<StudioId>,
    title: String,
    year: i32,
}

#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(belongs_to(painting: Painting))]
struct Sale {
    id: i64,
    painting_id: Uuid,
    price: i64,
}

#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(has_many(paintings: Painting, through = Tagging))]
struct Tag {
    id: i64,
    word: String,
}

/// Stands between paintings and tags.
#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(belongs_to(tag: Tag), belongs_to(painting: Painting))]
struct Tagging {
    id: i64,
    painting_id: Uuid,
    tag_id: i64,
    weight: i32,
}

/// Refers to its own table.
#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(belongs_to(parent: Folder), has_many(children: Folder, by = parent_id))]
struct Folder {
    id: i64,
    parent_id: Option<i64>,
    name: String,
}

async fn tables(db: impl Executor + Copy) {
    Country::create_table(db).await.expect("a table");
    Painter::create_table(db).await.expect("a table");
    Studio::create_table(db).await.expect("a table");
    Painting::create_table(db).await.expect("a table");
    Sale::create_table(db).await.expect("a table");
}

/// Two countries, three painters, one of them stateless; four paintings, one without a studio, and three sales.
struct World {
    countries: Vec<Country>,
    painters: Vec<Painter>,
    paintings: Vec<Painting>,
    sales: Vec<Sale>,
    studio: Studio,
}

async fn world(db: impl Executor + Copy) -> World {
    tables(db).await;
    let mut countries = Vec::new();
    for (code, name) in [("ES", "Spain"), ("NL", "Netherlands"), ("XX", "Nowhere")] {
        let country = Country {
            code: code.to_owned(),
            name: name.to_owned(),
        };
        countries.push(country);
    }
    Country::insert_all(&mut countries, db)
        .await
        .expect("countries");
    let mut painters = Vec::new();
    for (name, code) in [
        ("goya", Some("ES")),
        ("vermeer", Some("NL")),
        ("anon", None),
    ] {
        let mut painter = Painter {
            id: 0,
            name: name.to_owned(),
            country_code: code.map(str::to_owned),
        };
        painter.insert(db).await.expect("a painter");
        painters.push(painter);
    }
    let mut studio = Studio {
        id: StudioId(0),
        painter_id: painters[1].id,
        city: "delft".to_owned(),
    };
    studio.insert(db).await.expect("a studio");
    let mut paintings = Vec::new();
    for (painter, title, year) in [
        (1, "milkmaid", 1657),
        (0, "maja", 1800),
        (1, "pearl", 1665),
        (0, "saturn", 1823),
    ] {
        let mut painting = Painting {
            id: Uuid::nil(),
            painter_id: painters[painter].id,
            studio_id: (painter == 1).then_some(studio.id),
            title: title.to_owned(),
            year,
        };
        painting.insert(db).await.expect("a painting");
        paintings.push(painting);
    }
    let mut sales = Vec::new();
    for (painting, price) in [(2, 50), (1, 10), (2, 70)] {
        let mut sale = Sale {
            id: 0,
            painting_id: paintings[painting].id,
            price,
        };
        sale.insert(db).await.expect("a sale");
        sales.push(sale);
    }
    World {
        countries,
        painters,
        paintings,
        sales,
        studio,
    }
}

fn titles(paintings: &[Painting]) -> Vec<&str> {
    paintings
        .iter()
        .map(|painting| painting.title.as_str())
        .collect()
}

async fn two_levels_take_three_queries(bed: impl Bed) {
    let World {
        painters,
        paintings,
        sales,
        ..
    } = world(bed.db()).await;
    let mut db = Counted::new(bed.db());
    let paintings_with_sales = painter::paintings
        .order_by(painting::year.asc())
        .with(painting::sales.order_by(sale::price.desc()));
    let found: Vec<(Painter, Vec<(Painting, Vec<Sale>)>)> = assert_queries!(
        3,
        db,
        Painter::select()
            .with(paintings_with_sales)
            .order_by(painter::id.asc())
            .all(&mut db)
            .await
            .expect("painters and their paintings")
    );
    let painting = |at: usize, sold: &[usize]| {
        let sold = sold.iter().map(|&at| sales[at].clone()).collect::<Vec<_>>();
        (paintings[at].clone(), sold)
    };
    let expected = vec![
        (
            painters[0].clone(),
            vec![painting(1, &[1]), painting(3, &[])],
        ),
        (
            painters[1].clone(),
            vec![painting(0, &[]), painting(2, &[2, 0])],
        ),
        (painters[2].clone(), vec![]),
    ];
    assert_eq!(found, expected);
}

async fn a_row_belongs_to_one_or_perhaps_to_one(bed: impl Bed) {
    let World {
        painters,
        paintings,
        studio,
        countries,
        ..
    } = world(bed.db()).await;
    let mut db = Counted::new(bed.db());
    let found: Vec<(Painting, (Painter, Option<Country>), Option<Studio>)> = assert_queries!(
        4,
        db,
        Painting::select()
            .with(painting::painter.with(painter::country))
            .with(painting::studio)
            .order_by(painting::year.asc())
            .all(&mut db)
            .await
            .expect("paintings and their painters")
    );
    let vermeer = (painters[1].clone(), Some(countries[1].clone()));
    let goya = (painters[0].clone(), Some(countries[0].clone()));
    let expected = vec![
        (paintings[0].clone(), vermeer.clone(), Some(studio.clone())),
        (paintings[2].clone(), vermeer, Some(studio)),
        (paintings[1].clone(), goya.clone(), None),
        (paintings[3].clone(), goya, None),
    ];
    assert_eq!(found, expected);
}

async fn a_slice_keeps_its_order_and_its_repetitions(bed: impl Bed) {
    let World {
        painters,
        studio,
        countries,
        ..
    } = world(bed.db()).await;
    let mut db = Counted::new(bed.db());
    let [goya, vermeer, anon] = [0, 1, 2].map(|at: usize| painters[at].clone());
    let slice = [anon, vermeer.clone(), goya, vermeer];
    let paintings = painter::paintings.order_by(painting::year.asc());
    let loaded: Vec<Vec<Painting>> = assert_queries!(
        1,
        db,
        paintings.load(&slice, &mut db).await.expect("paintings")
    );
    let loaded: Vec<Vec<&str>> = loaded.iter().map(|paintings| titles(paintings)).collect();
    assert_eq!(
        loaded,
        [
            vec![],
            vec!["milkmaid", "pearl"],
            vec!["maja", "saturn"],
            vec!["milkmaid", "pearl"]
        ]
    );
    let studios: Vec<Option<Studio>> = painter::studio
        .load(&slice, &mut db)
        .await
        .expect("studios");
    assert_eq!(studios, [None, Some(studio.clone()), None, Some(studio)]);
    let loaded = painter::country
        .load(&slice, &mut db)
        .await
        .expect("countries");
    let [spain, holland, _] = [0, 1, 2].map(|at: usize| Some(countries[at].clone()));
    assert_eq!(loaded, [None, holland.clone(), spain, holland]);
}

async fn nothing_to_load_is_no_query(bed: impl Bed) {
    let World { painters, .. } = world(bed.db()).await;
    let mut db = Counted::new(bed.db());
    let none: Vec<Vec<Painting>> = assert_queries!(
        0,
        db,
        painter::paintings
            .load(&[], &mut db)
            .await
            .expect("nothing")
    );
    assert!(none.is_empty());
    // A painter without a country refers to nothing.
    let stateless = &painters[2..];
    let countries = assert_queries!(
        0,
        db,
        painter::country
            .load(stateless, &mut db)
            .await
            .expect("nothing")
    );
    assert_eq!(countries, [None]);
    // No painter, so no paintings to ask for.
    let painters = assert_queries!(
        1,
        db,
        Painter::select()
            .filter(painter::name.eq("nobody"))
            .with(painter::paintings.with(painting::sales))
            .all(&mut db)
            .await
            .expect("nobody")
    );
    assert!(painters.is_empty());
}

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

async fn one_and_optional_load_onto_the_first_row(bed: impl Bed) {
    let World { painters, .. } = world(bed.db()).await;
    let of = |name: &'static str| {
        Painter::select()
            .filter(painter::name.eq(name))
            .with(painter::studio)
    };
    let (painter, studio) = of("vermeer").one(bed.db()).await.expect("a painter");
    assert_eq!((painter, studio.is_some()), (painters[1].clone(), true));
    let nobody = of("nobody").optional(bed.db()).await.expect("an answer");
    assert_eq!(nobody, None);
    let refused = of("nobody").one(bed.db()).await.expect_err("nobody");
    assert!(
        matches!(refused, Error::NotFound { table: "painter" }),
        "{refused}"
    );
    let none = of("vermeer")
        .limit(0)
        .optional(bed.db())
        .await
        .expect("an answer");
    assert_eq!(none, None);
}

/// The paintings with tags: milkmaid light 5, maja skin 1, pearl light 2 and skin 9.
async fn tagged(db: impl Executor + Copy) -> World {
    let world = world(db).await;
    Tag::create_table(db).await.expect("a table");
    Tagging::create_table(db).await.expect("a table");
    let mut ids = Vec::new();
    for word in ["light", "skin", "unused"] {
        let mut tag = Tag {
            id: 0,
            word: word.to_owned(),
        };
        tag.insert(db).await.expect("a tag");
        ids.push(tag.id);
    }
    for (painting, tag, weight) in [(0, 0, 5), (1, 1, 1), (2, 0, 2), (2, 1, 9)] {
        let mut tagging = Tagging {
            id: 0,
            painting_id: world.paintings[painting].id,
            tag_id: ids[tag],
            weight,
        };
        tagging.insert(db).await.expect("a tagging");
    }
    world
}

fn words(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(|tag| tag.word.as_str()).collect()
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

/// Keys in any order, each of some types, some in no row; more of them than one statement can bind.
async fn any_number_of_keys_is_loaded(bed: impl Bed) {
    tables(bed.db()).await;
    let mut painters: Vec<Painter> = (1..=66_000)
        .map(|id| Painter {
            id,
            name: String::new(),
            country_code: Some(format!("{}", id % 1_000)),
        })
        .collect();
    painters.reverse();
    for id in [1, 40_000, 65_999] {
        let mut painter = painters[66_000 - id].clone();
        painter.insert(bed.db()).await.expect("a painter");
        let mut painting = Painting {
            id: Uuid::nil(),
            painter_id: painter.id,
            studio_id: None,
            title: format!("{id}"),
            year: 0,
        };
        painting.insert(bed.db()).await.expect("a painting");
    }
    let mut country = Country {
        code: "7".to_owned(),
        name: "Seven".to_owned(),
    };
    country.insert(bed.db()).await.expect("a country");

    let mut db = Counted::new(bed.db());
    let loaded = painter::paintings
        .filter(painting::year.eq(0))
        .load(&painters, &mut db)
        .await
        .expect("paintings");
    // Only MySQL has no way to bind them as one value.
    let statements = if bed.db().dialect() == Dialect::MySql {
        2
    } else {
        1
    };
    assert_eq!(db.queries(), statements);
    let found: Vec<&str> = loaded
        .iter()
        .flatten()
        .map(|painting| painting.title.as_str())
        .collect();
    assert_eq!(found, ["65999", "40000", "1"]);
    assert_eq!(loaded[66_000 - 40_000].len(), 1);

    let countries = assert_queries!(
        1,
        db,
        painter::country
            .load(&painters, &mut db)
            .await
            .expect("countries")
    );
    assert_eq!(countries.iter().flatten().count(), 66);
    // As bytes, they are bound one by one on SQLite too.
    let paintings: Vec<Painting> = (0..33_000_u128)
        .map(|id| Painting {
            id: Uuid::from_u128(id),
            painter_id: 1,
            studio_id: None,
            title: String::new(),
            year: 0,
        })
        .collect();
    let sales = painting::sales
        .load(&paintings, bed.db())
        .await
        .expect("no sales");
    assert_eq!(sales.iter().flatten().count(), 0);
}

/// PostgreSQL alone has no NUL in a text.
async fn a_key_may_hold_any_character_of_the_database(bed: impl Bed) {
    tables(bed.db()).await;
    let mut codes = vec![
        "\\",
        "'",
        "\"",
        "[1]",
        "\u{1}",
        "\u{7f}",
        "é",
        "e\u{301}",
        "\u{1f600}",
        " ",
        "a ",
        "a",
        "A",
    ];
    if bed.db().dialect() != Dialect::Postgres {
        codes.extend(["a\0", "a\0b"]);
    }
    let mut countries: Vec<Country> = codes
        .iter()
        .map(|code| Country {
            code: (*code).to_owned(),
            name: code.escape_unicode().to_string(),
        })
        .collect();
    Country::insert_all(&mut countries, bed.db())
        .await
        .expect("countries");
    let painters: Vec<Painter> = codes
        .iter()
        .map(|code| Painter {
            id: 0,
            name: String::new(),
            country_code: Some((*code).to_owned()),
        })
        .collect();
    let found = painter::country
        .load(&painters, bed.db())
        .await
        .expect("countries");
    let expected: Vec<Option<Country>> = countries.into_iter().map(Some).collect();
    assert_eq!(found, expected);
}

async fn a_row_that_must_be_there_and_is_not_is_an_error(bed: impl Bed) {
    let World { mut painters, .. } = world(bed.db()).await;
    painters[0].delete(bed.db()).await.expect("a delete");
    let refused = Painting::select()
        .with(painting::painter)
        .all(bed.db())
        .await
        .expect_err("a painting without a painter");
    let Error::MissingRelated {
        table,
        column,
        related,
    } = refused
    else {
        panic!("{refused}");
    };
    assert_eq!(
        (table, column, related),
        ("painting", "painter_id", "painter")
    );
    let paintings: Vec<(Painting, Option<Painter>)> = Painting::select()
        .with(painting::painter.optional())
        .all(bed.db())
        .await
        .expect("paintings, with a painter or without");
    let orphans = paintings.iter().filter(|(_, painter)| painter.is_none());
    assert_eq!(orphans.count(), 2);
}

async fn a_table_refers_to_itself(bed: impl Bed) {
    Folder::create_table(bed.db()).await.expect("a table");
    let mut ids = Vec::new();
    for (name, parent) in [
        ("root", None),
        ("a", Some(0)),
        ("b", Some(0)),
        ("c", Some(1)),
    ] {
        let mut folder = Folder {
            id: 0,
            parent_id: parent.map(|at: usize| ids[at]),
            name: name.to_owned(),
        };
        folder.insert(bed.db()).await.expect("a folder");
        ids.push(folder.id);
    }
    let children = folder::children
        .order_by(folder::id.asc())
        .with(folder::children);
    let tree: Vec<(Folder, Option<Folder>, Vec<(Folder, Vec<Folder>)>)> = Folder::select()
        .with(folder::parent)
        .with(children)
        .order_by(folder::id.asc())
        .all(bed.db())
        .await
        .expect("a tree");
    let names: Vec<(&str, Option<&str>, Vec<(&str, usize)>)> = tree
        .iter()
        .map(|(folder, parent, children)| {
            let children = children
                .iter()
                .map(|(child, grand)| (child.name.as_str(), grand.len()));
            (
                folder.name.as_str(),
                parent.as_ref().map(|parent| parent.name.as_str()),
                children.collect(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            ("root", None, vec![("a", 1), ("b", 0)]),
            ("a", Some("root"), vec![("c", 0)]),
            ("b", Some("root"), vec![]),
            ("c", Some("a"), vec![])
        ]
    );
}

async fn relations_are_loaded_in_a_transaction_and_a_task(bed: impl Bed) {
    world(bed.db()).await;
    let task = tokio::spawn(async move {
        transaction(bed.db(), async |tx| -> Result<usize> {
            let painters = Painter::select()
                .with(painter::paintings.with(painting::sales))
                .with(painter::country)
                .all(&mut *tx)
                .await?;
            let rows: Vec<Painter> = painters.into_iter().map(|(painter, ..)| painter).collect();
            let studios = painter::studio.load(&rows, tx).await?;
            Ok(studios.len())
        })
        .await
    });
    assert_eq!(task.await.expect("no panic").expect("painters"), 3);
}

crate::on_every_database! {
    a_key_may_hold_any_character_of_the_database,
    many_belong_to_many_through_a_table,
    a_limit_holds_for_each_row,
    the_rows_related_to_one_are_a_query,
    any_number_of_keys_is_loaded,
    two_levels_take_three_queries,
    a_row_belongs_to_one_or_perhaps_to_one,
    a_slice_keeps_its_order_and_its_repetitions,
    nothing_to_load_is_no_query,
    a_relation_is_filtered_and_sorted,
    one_and_optional_load_onto_the_first_row,
    a_row_that_must_be_there_and_is_not_is_an_error,
    a_table_refers_to_itself,
    relations_are_loaded_in_a_transaction_and_a_task,
}
