//! A property: whatever the rows and the condition, a joined query finds what plain Rust finds, with NULL as SQL has it.

use packetboat_orm::{Dialect, Executor, Filter, IntoFilter as _, ModelExt, exists};
use proptest::collection::vec as many;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use rust_decimal::Decimal;

use crate::common::bed::Bed;
use crate::common::draw::draw;
use crate::common::shop::{Kind, Maker, Review, Toy, maker, review, tables, toy};

/// A query's models, and so what its conditions are on.
type Pair = (Maker, Option<Toy>);

#[derive(Clone, Copy, Debug)]
enum Compare {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Ne,
}

/// A condition on a maker and perhaps a toy.
#[derive(Clone, Debug)]
enum Condition {
    And(Box<(Self, Self)>),
    Bossed,
    Contains(String),
    Founded(Compare, Option<i32>),
    FoundedIn(Vec<Option<i32>>),
    HasReview(i16),
    IsPuzzle,
    LessThanMaker,
    MadeBySome(i32),
    Missing,
    Name(Compare, String),
    Not(Box<Self>),
    Or(Box<(Self, Self)>),
    Pieces(Compare, i32),
    PiecesBetween(i32, i32),
    PriceAbove(i64),
    Sum(Compare, i32),
    Weight(Compare, Option<i16>),
}

macro_rules! compare {
    ($left:expr, $how:expr, $right:expr) => {
        match $how {
            Compare::Eq => $left.eq($right).into_filter(),
            Compare::Ge => $left.ge($right).into_filter(),
            Compare::Gt => $left.gt($right).into_filter(),
            Compare::Le => $left.le($right).into_filter(),
            Compare::Lt => $left.lt($right).into_filter(),
            Compare::Ne => $left.ne($right).into_filter(),
        }
    };
}

impl Condition {
    fn filter(&self) -> Filter<Pair> {
        match self {
            Self::And(both) => both.0.filter().and(both.1.filter()).into_filter(),
            Self::Bossed => maker::boss.eq(maker::id).into_filter(),
            Self::Contains(part) => toy::title.contains(part).into_filter(),
            Self::Founded(how, year) => compare!(maker::founded, how, *year),
            Self::FoundedIn(years) => maker::founded.is_in(years.clone()).into_filter(),
            Self::HasReview(stars) => {
                let reviews = Review::select().filter(review::stars.ge(*stars));
                exists(reviews.correlate(review::toy.eq(toy::id))).into_filter()
            }
            Self::IsPuzzle => toy::kind.eq(Kind::Puzzle).into_filter(),
            Self::LessThanMaker => toy::pieces.lt(maker::founded).into_filter(),
            Self::MadeBySome(pieces) => {
                let makers = Toy::select()
                    .filter(toy::pieces.gt(*pieces))
                    .columns(toy::maker);
                maker::id.is_in(makers).into_filter()
            }
            Self::Missing => Toy::row().is_missing().into_filter(),
            Self::Name(how, name) => compare!(maker::name, how, name),
            Self::Not(inner) => !inner.filter(),
            Self::Or(both) => both.0.filter().or(both.1.filter()).into_filter(),
            Self::Pieces(how, pieces) => compare!(toy::pieces, how, *pieces),
            Self::PiecesBetween(least, most) => toy::pieces.between(*least, *most).into_filter(),
            Self::PriceAbove(cents) => toy::price.gt(Decimal::new(*cents, 2)).into_filter(),
            Self::Sum(how, sum) => compare!((toy::pieces * 2 + 1), how, *sum),
            Self::Weight(how, weight) => compare!(toy::weight, how, weight.map(f32::from)),
        }
    }

    /// What SQL says: yes, no, or neither.
    fn holds(&self, rows: &Rows, maker: &Maker, toy: Option<&Toy>) -> Option<bool> {
        match self {
            Self::And(both) => {
                match (
                    both.0.holds(rows, maker, toy),
                    both.1.holds(rows, maker, toy),
                ) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (left, right) => Some(left? && right?),
                }
            }
            Self::Bossed => Some(maker.boss? == maker.id),
            Self::Contains(part) => Some(toy?.title.contains(part)),
            Self::Founded(how, year) => how.null(maker.founded.as_ref(), year.as_ref()),
            Self::FoundedIn(years) => match maker.founded {
                None if years.contains(&None) => Some(true),
                // An empty list is no row's, NULL or not.
                None if years.is_empty() => Some(false),
                None => None,
                founded => Some(years.contains(&founded)),
            },
            Self::HasReview(stars) => Some(toy.is_some_and(|toy| {
                rows.reviews
                    .iter()
                    .any(|review| review.toy == toy.id && review.stars >= *stars)
            })),
            Self::IsPuzzle => Some(toy?.kind == Kind::Puzzle),
            Self::LessThanMaker => Some(toy?.pieces < maker.founded?),
            Self::MadeBySome(pieces) => Some(
                rows.toys
                    .iter()
                    .any(|toy| toy.maker == maker.id && toy.pieces > *pieces),
            ),
            Self::Missing => Some(toy.is_none()),
            Self::Name(how, name) => Some(how.of(&maker.name, name)),
            Self::Not(inner) => inner.holds(rows, maker, toy).map(|holds| !holds),
            Self::Or(both) => {
                match (
                    both.0.holds(rows, maker, toy),
                    both.1.holds(rows, maker, toy),
                ) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (left, right) => Some(left? || right?),
                }
            }
            Self::Pieces(how, pieces) => Some(how.of(&toy?.pieces, pieces)),
            Self::PiecesBetween(least, most) => Some((*least..=*most).contains(&toy?.pieces)),
            Self::PriceAbove(cents) => Some(toy?.price > Decimal::new(*cents, 2)),
            Self::Sum(how, sum) => Some(how.of(&(toy?.pieces * 2 + 1), sum)),
            Self::Weight(how, weight) => how.null(
                toy.and_then(|toy| toy.weight).as_ref(),
                weight.map(f32::from).as_ref(),
            ),
        }
    }
}

impl Compare {
    fn of<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Ge => left >= right,
            Self::Gt => left > right,
            Self::Le => left <= right,
            Self::Lt => left < right,
            Self::Ne => left != right,
        }
    }

    /// With NULL: neither, but for `eq` and `ne` of `None`, which ask for it.
    fn null<T: PartialOrd>(self, left: Option<&T>, right: Option<&T>) -> Option<bool> {
        match (self, right) {
            (Self::Eq, None) => Some(left.is_none()),
            (Self::Ne, None) => Some(left.is_some()),
            (_, right) => Some(self.of(left?, right?)),
        }
    }
}

#[derive(Clone, Debug)]
struct Rows {
    makers: Vec<Maker>,
    toys: Vec<Toy>,
    reviews: Vec<Review>,
}

fn any_compare() -> impl Strategy<Value = Compare> {
    use Compare::{Eq, Ge, Gt, Le, Lt, Ne};

    prop_oneof![Just(Eq), Just(Ge), Just(Gt), Just(Le), Just(Lt), Just(Ne)]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        Just(Condition::Bossed),
        Just(Condition::IsPuzzle),
        Just(Condition::LessThanMaker),
        Just(Condition::Missing),
        "[aA%]{0,2}".prop_map(Condition::Contains),
        (any_compare(), option::of(0..4)).prop_map(|(how, year)| Condition::Founded(how, year)),
        many(option::of(0..4), 0..3).prop_map(Condition::FoundedIn),
        (1_i16..6).prop_map(Condition::HasReview),
        (0..5).prop_map(Condition::MadeBySome),
        (any_compare(), "[aAb]{0,2}").prop_map(|(how, name)| Condition::Name(how, name)),
        (any_compare(), 0..5).prop_map(|(how, pieces)| Condition::Pieces(how, pieces)),
        (0..5, 0..5).prop_map(|(least, most)| Condition::PiecesBetween(least, most)),
        (0_i64..400).prop_map(Condition::PriceAbove),
        (any_compare(), 0..10).prop_map(|(how, sum)| Condition::Sum(how, sum)),
        (any_compare(), option::of(0_i16..3))
            .prop_map(|(how, weight)| Condition::Weight(how, weight)),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|inner| Condition::Not(Box::new(inner))),
            (inner.clone(), inner.clone()).prop_map(|both| Condition::And(Box::new(both))),
            (inner.clone(), inner).prop_map(|both| Condition::Or(Box::new(both))),
        ]
    })
}

fn any_rows() -> impl Strategy<Value = Rows> {
    let makers =
        ("[aAb]{0,2}", option::of(0..4), option::of(1_i64..6)).prop_map(|(name, founded, boss)| {
            Maker {
                id: 0,
                name,
                founded,
                boss,
            }
        });
    // Some refer to a maker that is not there.
    let toys = (
        (1_i64..8, "[aA%b]{0,3}", any::<bool>()),
        (0..5, option::of(0_i16..3), 0_i64..400),
    );
    let toys = toys.prop_map(|((maker, title, is_puzzle), (pieces, weight, cents))| Toy {
        id: 0,
        maker,
        title,
        kind: if is_puzzle { Kind::Puzzle } else { Kind::Game },
        pieces,
        large: 0,
        weight: weight.map(f32::from),
        score: 0.0,
        price: Decimal::new(cents, 2),
    });
    let reviews = (1_i64..12, 1_i16..6).prop_map(|(toy, stars)| Review {
        id: 0,
        toy,
        stars,
        words: None,
    });
    (many(makers, 1..6), many(toys, 0..12), many(reviews, 0..8)).prop_map(
        |(makers, toys, reviews)| Rows {
            makers,
            toys,
            reviews,
        },
    )
}

/// What the query should find, in the order of the keys, a missing toy first.
fn expected(rows: &Rows, condition: &Condition, is_left: bool) -> Vec<Pair> {
    let mut found = Vec::new();
    for maker in &rows.makers {
        let toys: Vec<&Toy> = rows
            .toys
            .iter()
            .filter(|toy| toy.maker == maker.id)
            .collect();
        let partners: Vec<Option<&Toy>> = if toys.is_empty() && is_left {
            vec![None]
        } else {
            toys.into_iter().map(Some).collect()
        };
        for toy in partners {
            if condition.holds(rows, maker, toy) == Some(true) {
                found.push((maker.clone(), toy.cloned()));
            }
        }
    }
    found
}

async fn fill(rows: &mut Rows, db: impl Executor + Copy) {
    Review::select().delete(db).await.expect("no review");
    Toy::select().delete(db).await.expect("no toy");
    Maker::select().delete(db).await.expect("no maker");
    // Keys from 1, so that what refers to them does.
    for (maker, id) in rows.makers.iter_mut().zip(1..) {
        maker.id = id;
    }
    for (toy, id) in rows.toys.iter_mut().zip(1..) {
        toy.id = id;
    }
    for (review, id) in rows.reviews.iter_mut().zip(1..) {
        review.id = id;
    }
    Maker::insert_all(&mut rows.makers, db)
        .await
        .expect("makers");
    Toy::insert_all(&mut rows.toys, db).await.expect("toys");
    Review::insert_all(&mut rows.reviews, db)
        .await
        .expect("reviews");
}

async fn joins_and_filters_agree_with_plain_rust(bed: impl Bed) {
    let db = bed.db();
    tables(db).await;
    // Queries are slower where they cross a socket.
    let (sets, conditions) = if db.dialect() == Dialect::Sqlite {
        (20, 50)
    } else {
        (5, 20)
    };
    let mut matches = 0;
    for mut rows in draw(&any_rows(), sets) {
        fill(&mut rows, db).await;
        for condition in draw(&any_condition(), conditions) {
            let left = Maker::select()
                .left_join(Toy::on(toy::maker.eq(maker::id)))
                .filter(condition.filter());
            let should = expected(&rows, &condition, true);
            let found = left
                .clone()
                .order_by(maker::id.asc())
                .order_by(toy::id.asc())
                .all(db)
                .await
                .expect("a query");
            assert_eq!(found, should, "{condition:?} on {rows:?}");
            assert_eq!(
                left.count(db).await.expect("a count"),
                should.len() as u64,
                "{condition:?}"
            );
            matches += should.len();
        }
    }
    assert!(matches > 0, "no condition found a row");
}

crate::common::on_every_database![joins_and_filters_agree_with_plain_rust];
