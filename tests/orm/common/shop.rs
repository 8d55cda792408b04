//! Four models that refer to each other, and some rows of them, for tests of queries over several.

use packetboat_orm::{Executor, Field, Model, ModelExt};
use rust_decimal::Decimal;

#[derive(Clone, Debug, Model, PartialEq)]
pub(crate) struct Maker {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) founded: Option<i32>,
    pub(crate) boss: Option<i64>,
}

#[derive(Clone, Debug, Model, PartialEq)]
pub(crate) struct Toy {
    pub(crate) id: i64,
    pub(crate) maker: i64,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) pieces: i32,
    pub(crate) large: i64,
    pub(crate) weight: Option<f32>,
    pub(crate) score: f64,
    #[model(scale = 2)]
    pub(crate) price: Decimal,
}

#[derive(Clone, Copy, Debug, Eq, Field, PartialEq)]
pub(crate) enum Kind {
    Game,
    Puzzle,
}

#[derive(Clone, Debug, Model, PartialEq)]
pub(crate) struct Review {
    pub(crate) id: i64,
    pub(crate) toy: i64,
    pub(crate) stars: i16,
    pub(crate) words: Option<String>,
}

#[derive(Clone, Debug, Model, PartialEq)]
pub(crate) struct Vote {
    pub(crate) id: i64,
    pub(crate) review: i64,
    pub(crate) is_up: bool,
}

fn maker(name: &str, founded: Option<i32>, boss: Option<i64>) -> Maker {
    Maker {
        id: 0,
        name: name.to_owned(),
        founded,
        boss,
    }
}

pub(crate) fn new_toy(maker: &Maker, title: &str, pieces: i32, cents: i64) -> Toy {
    Toy {
        id: 0,
        maker: maker.id,
        title: title.to_owned(),
        kind: if pieces > 100 {
            Kind::Puzzle
        } else {
            Kind::Game
        },
        pieces,
        large: i64::from(pieces) * 10_000_000_000,
        weight: (pieces > 10).then(|| f32::from(i16::try_from(pieces).expect("small")) / 4.0),
        score: f64::from(pieces) / 8.0,
        price: Decimal::new(cents, 2),
    }
}

/// Acme (1900), whose boss is Bolt; Bolt (no year); Cog (2000), which makes nothing.
///
/// Acme makes `chess` (32 pieces, 10.50) and `map` (500, 7.25), Bolt makes `dice` (5, 0.99). Chess has two reviews, of
/// which the first has two votes; dice has one, without words.
pub(crate) async fn fill(db: impl Executor + Copy) -> (Vec<Maker>, Vec<Toy>) {
    tables(db).await;
    let mut makers = vec![
        maker("acme", Some(1900), None),
        maker("bolt", None, None),
        maker("cog", Some(2000), None),
    ];
    for maker in &mut makers {
        maker.insert(db).await.expect("a maker");
    }
    makers[0].boss = Some(makers[1].id);
    makers[0].update(db).await.expect("a boss");
    let mut toys = vec![
        new_toy(&makers[0], "chess", 32, 1050),
        new_toy(&makers[0], "map", 500, 725),
        new_toy(&makers[1], "dice", 5, 99),
    ];
    for toy in &mut toys {
        toy.insert(db).await.expect("a toy");
    }
    for (toy, stars, words) in [(0, 5, Some("grand")), (0, 2, None), (2, 4, None)] {
        let mut review = Review {
            id: 0,
            toy: toys[toy].id,
            stars,
            words: words.map(str::to_owned),
        };
        review.insert(db).await.expect("a review");
        if words.is_some() {
            for is_up in [true, false] {
                let mut vote = Vote {
                    id: 0,
                    review: review.id,
                    is_up,
                };
                vote.insert(db).await.expect("a vote");
            }
        }
    }
    (makers, toys)
}

/// The tables, empty.
pub(crate) async fn tables(db: impl Executor + Copy) {
    Maker::create_table(db).await.expect("a table");
    Toy::create_table(db).await.expect("a table");
    Review::create_table(db).await.expect("a table");
    Vote::create_table(db).await.expect("a table");
}
