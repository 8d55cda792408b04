//! Property: whatever rows there are and whichever are asked for, a relation gives what plain Rust finds by comparing
//! every row with every other.

use packetboat_orm::{Executor, Model, ModelExt};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{Strategy, any, prop_oneof};

use crate::common::bed::Bed;
use crate::common::draw::draw;

#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(has_many(tomes: Tome))]
struct Shelf {
    id: i64,
    room: i32,
}

#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(has_many(tomes: Tome, by = label_code))]
#[model(has_many(marked: Tome, through = Mark, by = label_code))]
struct Label {
    #[model(key)]
    code: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(belongs_to(shelf: Shelf), belongs_to(label: Label, by = label_code))]
#[model(has_many(marks: Label, through = Mark, to = label_code))]
struct Tome {
    id: i64,
    shelf_id: Option<i64>,
    label_code: Option<String>,
    size: i32,
}

#[derive(Clone, Debug, Eq, PartialEq, Model)]
struct Mark {
    id: i64,
    tome_id: i64,
    label_code: String,
}

/// Rows that refer to each other, and to what is not there.
#[derive(Debug)]
struct Library {
    shelves: Vec<Shelf>,
    labels: Vec<Label>,
    tomes: Vec<Tome>,
    marks: Vec<Mark>,
}

/// Keys close together, as databases count, and keys anywhere.
fn any_id() -> impl Strategy<Value = i64> {
    prop_oneof![3 => 1_i64..200, 1 => any::<i64>().prop_filter("unset", |&id| id != 0)]
}

fn any_code() -> impl Strategy<Value = String> {
    // What is quoted, escaped or folded somewhere; NUL, which PostgreSQL has not, has a test of its own.
    prop_oneof![r#"[a-cA-C'"\\ \[\],]{1,3}"#, "[\u{1}-\u{ffff}]{1,8}"]
}

fn any_library() -> impl Strategy<Value = Library> {
    let keys = (btree_set(any_id(), 60), btree_set(any_code(), 60));
    let tomes = vec(
        (
            option::weighted(0.9, 0_usize..70),
            option::weighted(0.9, 0_usize..70),
            0..100,
        ),
        300,
    );
    let marks = vec((1_i64..320, 0_usize..70), 300);
    (keys, tomes, marks).prop_map(|((ids, codes), tomes, marks)| {
        let (ids, codes): (Vec<i64>, Vec<String>) =
            (ids.into_iter().collect(), codes.into_iter().collect());
        // Beyond the first 60 there is no such row.
        let id = |at: usize| ids.get(at).copied().unwrap_or(-77);
        let code = |at: usize| {
            codes
                .get(at)
                .cloned()
                .unwrap_or_else(|| "none such".to_owned())
        };
        let tome =
            |(at, (shelf, label, size)): (usize, (Option<usize>, Option<usize>, i32))| Tome {
                id: at as i64 + 1,
                shelf_id: shelf.map(id),
                label_code: label.map(code),
                size,
            };
        let mark = |(at, (tome, label)): (usize, (i64, usize))| Mark {
            id: at as i64 + 1,
            tome_id: tome,
            label_code: code(label),
        };
        Library {
            tomes: tomes.into_iter().enumerate().map(tome).collect(),
            marks: marks.into_iter().enumerate().map(mark).collect(),
            shelves: ids.iter().map(|&id| Shelf { id, room: 1 }).collect(),
            labels: codes
                .iter()
                .map(|code| Label { code: code.clone() })
                .collect(),
        }
    })
}

impl Library {
    async fn insert(&mut self, db: impl Executor + Copy) {
        Shelf::insert_all(&mut self.shelves, db)
            .await
            .expect("shelves");
        Label::insert_all(&mut self.labels, db)
            .await
            .expect("labels");
        Tome::insert_all(&mut self.tomes, db).await.expect("tomes");
        Mark::insert_all(&mut self.marks, db).await.expect("marks");
    }

    /// The tomes for which something holds, largest first.
    fn largest(&self, holds: impl Fn(&Tome) -> bool) -> Vec<Tome> {
        let mut tomes: Vec<Tome> = self
            .tomes
            .iter()
            .filter(|tome| holds(tome))
            .cloned()
            .collect();
        tomes.sort_by_key(|tome| (std::cmp::Reverse(tome.size), tome.id));
        tomes
    }

    fn labels_of(&self, tome: &Tome) -> Vec<(Label, Mark)> {
        let marks = self.marks.iter().filter(|mark| mark.tome_id == tome.id);
        let labelled = marks.filter_map(|mark| {
            let mut labels = self.labels.iter();
            Some((
                labels.find(|label| label.code == mark.label_code)?.clone(),
                mark.clone(),
            ))
        });
        labelled.collect()
    }
}

/// Which rows are asked for: any, in any order, as often as one likes; how small, and how many.
#[derive(Debug)]
struct Asked {
    rows: Vec<usize>,
    least: i32,
    limit: u64,
}

fn any_asked() -> impl Strategy<Value = Asked> {
    (vec(0_usize..60, 0..12), 0..100, 0_u64..6).prop_map(|(rows, least, limit)| Asked {
        rows,
        least,
        limit,
    })
}

async fn a_relation_gives_what_plain_rust_groups(bed: impl Bed) {
    let db = bed.db();
    Shelf::create_table(db).await.expect("a table");
    Label::create_table(db).await.expect("a table");
    Tome::create_table(db).await.expect("a table");
    Mark::create_table(db).await.expect("a table");
    let is_near = bed.url().starts_with("sqlite");
    for mut library in draw(&any_library(), 4) {
        Shelf::select().delete(db).await.expect("empty shelves");
        Label::select().delete(db).await.expect("no labels");
        Tome::select().delete(db).await.expect("no tomes");
        Mark::select().delete(db).await.expect("no marks");
        library.insert(db).await;
        for asked in draw(&any_asked(), if is_near { 250 } else { 20 }) {
            check(&library, &asked, db).await;
        }
    }
}

async fn check(library: &Library, asked: &Asked, db: impl Executor + Copy) {
    let shelves: Vec<Shelf> = asked
        .rows
        .iter()
        .map(|&at| library.shelves[at].clone())
        .collect();
    let labels: Vec<Label> = asked
        .rows
        .iter()
        .map(|&at| library.labels[at].clone())
        .collect();
    let tomes: Vec<Tome> = asked
        .rows
        .iter()
        .map(|&at| library.tomes[at * 5].clone())
        .collect();

    // By number, with a filter, an order and what is related in turn, which leads back to the same shelf.
    let found = shelf::tomes
        .filter(tome::size.ge(asked.least))
        .order_by(tome::size.desc())
        .order_by(tome::id.asc())
        .with(tome::label)
        .with(tome::shelf)
        .load(&shelves, db)
        .await
        .expect("tomes");
    let expected: Vec<Vec<(Tome, Option<Label>, Option<Shelf>)>> = shelves
        .iter()
        .map(|shelf| {
            let tomes =
                library.largest(|tome| tome.shelf_id == Some(shelf.id) && tome.size >= asked.least);
            let beside = |tome: Tome| {
                let code = tome.label_code.as_ref();
                let label = library
                    .labels
                    .iter()
                    .find(|label| Some(&label.code) == code);
                (tome.clone(), label.cloned(), Some(shelf.clone()))
            };
            tomes.into_iter().map(beside).collect()
        })
        .collect();
    assert_eq!(found, expected, "{asked:?}");

    // By text, at most so many.
    let found = label::tomes
        .order_by(tome::size.desc())
        .order_by(tome::id.asc())
        .limit(asked.limit)
        .load(&labels, db)
        .await
        .expect("tomes");
    let expected: Vec<Vec<Tome>> = labels
        .iter()
        .map(|label| {
            let mut tomes = library.largest(|tome| tome.label_code.as_ref() == Some(&label.code));
            tomes.truncate(usize::try_from(asked.limit).expect("a few"));
            tomes
        })
        .collect();
    assert_eq!(found, expected, "{asked:?}");

    // Through a table.
    let found = tome::marks
        .order_by(mark::id.asc())
        .with_through()
        .load(&tomes, db)
        .await
        .expect("labels");
    let expected: Vec<Vec<(Label, Mark)>> =
        tomes.iter().map(|tome| library.labels_of(tome)).collect();
    assert_eq!(found, expected, "{asked:?}");
}

crate::common::on_every_database![a_relation_gives_what_plain_rust_groups];
