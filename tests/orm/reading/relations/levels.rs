//! What is loaded onto what, and in how many queries.

use packetboat_orm::{
    Counted, Dialect, Error, Executor, Finish, Model, ModelExt, Result, assert_queries, begin, sql,
    transaction,
};
use uuid::Uuid;

use crate::common::bed::Bed;
use crate::relations::{
    Country, Painter, Painting, Sale, Studio, World, painter, painting, sale, titles, world,
};

/// Refers to its own table.
#[derive(Clone, Debug, Eq, PartialEq, Model)]
#[model(belongs_to(parent: Folder), has_many(children: Folder, by = parent_id))]
struct Folder {
    id: i64,
    parent_id: Option<i64>,
    name: String,
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

async fn a_transaction_sees_one_state(bed: impl Bed) {
    let World { painters, .. } = world(bed.db()).await;
    if bed.db().dialect() == Dialect::Sqlite {
        // A transaction has locked all writers out there.
        return;
    }
    let mut tx = begin(bed.db()).await.expect("a transaction");
    if bed.db().dialect() == Dialect::Postgres {
        sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .exec(&mut tx)
            .await
            .expect("a level");
    }
    let seen = Painter::select()
        .order_by(painter::id.asc())
        .all(&mut tx)
        .await
        .expect("painters");
    let mut late = Painting {
        id: Uuid::nil(),
        painter_id: painters[2].id,
        studio_id: None,
        title: "late".to_owned(),
        year: 1,
    };
    late.insert(bed.db()).await.expect("a painting");
    let loaded = painter::paintings
        .load(&seen, &mut tx)
        .await
        .expect("paintings");
    assert_eq!(loaded.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 0]);
    tx.rollback().await.expect("an end");
    let loaded = painter::paintings
        .load(&seen, bed.db())
        .await
        .expect("paintings");
    assert_eq!(loaded.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
}

crate::common::on_every_database! {
    two_levels_take_three_queries,
    a_row_belongs_to_one_or_perhaps_to_one,
    a_slice_keeps_its_order_and_its_repetitions,
    nothing_to_load_is_no_query,
    one_and_optional_load_onto_the_first_row,
    a_row_that_must_be_there_and_is_not_is_an_error,
    a_table_refers_to_itself,
    relations_are_loaded_in_a_transaction_and_a_task,
    a_transaction_sees_one_state,
}
