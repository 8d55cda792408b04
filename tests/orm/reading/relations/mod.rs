//! Relations: a world of painters, and what is loaded of it.

use packetboat_orm::{Executor, Field, Model, ModelExt};
use uuid::Uuid;

mod hidden;
mod keys;
mod levels;
mod narrowed;
mod one_connection;

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

fn titles(paintings: &[Painting]) -> Vec<&str> {
    paintings
        .iter()
        .map(|painting| painting.title.as_str())
        .collect()
}

fn words(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(|tag| tag.word.as_str()).collect()
}
