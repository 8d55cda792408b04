//! Tables as the models declare them, and the words for those that are not.

use packetboat_orm::migrate::Models;
use packetboat_orm::schema::{self, Difference, Note};
use packetboat_orm::{Dialect, Error, Executor, Model, ModelExt, sql};

use crate::common::bed::Bed;

#[derive(Clone, Debug, Model)]
struct Shelf {
    id: i64,
    #[model(unique, size = 40)]
    label: String,
}

#[derive(Clone, Debug, Model)]
#[model(index(shelf_id, title), check = "pages < 100000")]
struct Volume {
    id: i64,
    #[model(references(Shelf, on_delete = cascade))]
    shelf_id: i64,
    #[model(size = 100, index)]
    title: String,
    #[model(check = "pages > 0", default = 1)]
    pages: i32,
    #[model(default = "plain")]
    binding: String,
}

/// Refers to two tables, one of them itself.
#[derive(Clone, Debug, Model)]
struct Remark {
    id: i64,
    #[model(references(Volume, on_delete = set_null))]
    volume_id: Option<i64>,
    #[model(references = Remark)]
    answers: Option<i64>,
}

fn models() -> Models {
    // Not in the order in which they can be created.
    Models::new().add::<Remark>().add::<Volume>().add::<Shelf>()
}

fn volume(shelf: &Shelf, pages: i32) -> Volume {
    Volume {
        id: 0,
        shelf_id: shelf.id,
        title: "Faust".to_owned(),
        pages,
        binding: "plain".to_owned(),
    }
}

async fn shelf(db: impl Executor) -> Shelf {
    let mut shelf = Shelf {
        id: 0,
        label: "G".to_owned(),
    };
    shelf.insert(db).await.expect("a shelf");
    shelf
}

async fn tables_are_created_in_order_and_found_as_declared(bed: impl Bed) {
    let db = bed.db();
    models().create(db).await.expect("tables in their order");
    models()
        .create(db)
        .await
        .expect("and nothing a second time");
    let report = models().check(db).await.expect("a report");
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.notes(), [], "{report}");
    assert!(
        schema::check::<Volume>(db)
            .await
            .expect("a report")
            .is_clean()
    );
}

async fn what_the_tables_promise_is_kept_under_one_name(bed: impl Bed) {
    let db = bed.db();
    models().create(db).await.expect("the tables");
    let shelf = shelf(db).await;

    let empty = volume(&shelf, 0).insert(db).await.expect_err("no pages");
    let Error::CheckViolation { constraint, .. } = empty else {
        panic!("{empty:?}");
    };
    assert_eq!(constraint, "volume_pages_check");
    let endless = volume(&shelf, 100_000)
        .insert(db)
        .await
        .expect_err("too many");
    let Error::CheckViolation { constraint, .. } = endless else {
        panic!("{endless:?}");
    };
    assert_eq!(constraint, "volume_check");

    let nowhere = Shelf {
        id: shelf.id + 1,
        ..shelf.clone()
    };
    let lost = volume(&nowhere, 1)
        .insert(db)
        .await
        .expect_err("no such shelf");
    let Error::ForeignKeyViolation { constraint, .. } = lost else {
        panic!("{lost:?}");
    };
    assert_eq!(constraint, "volume_shelf_id_fkey");
}

async fn a_delete_does_what_the_foreign_key_says(bed: impl Bed) {
    let db = bed.db();
    models().create(db).await.expect("the tables");
    let mut shelf = shelf(db).await;
    let mut faust = volume(&shelf, 100);
    faust.insert(db).await.expect("a volume");
    let mut remark = Remark {
        id: 0,
        volume_id: Some(faust.id),
        answers: None,
    };
    remark.insert(db).await.expect("a remark");
    let mut answer = Remark {
        id: 0,
        volume_id: None,
        answers: Some(remark.id),
    };
    answer.insert(db).await.expect("an answer");

    let refused = remark.delete(db).await.expect_err("it is answered");
    assert!(
        matches!(refused, Error::ForeignKeyViolation { .. }),
        "{refused:?}"
    );
    assert!(shelf.delete(db).await.expect("the shelf goes"));
    assert_eq!(Volume::select().count(db).await.expect("a count"), 0);
    let remark = Remark::find(remark.id, db).await.expect("a row");
    assert_eq!(remark.expect("it stays").volume_id, None);
}

/// Two that refer to each other.
#[derive(Clone, Debug, Model)]
struct Hen {
    id: i64,
    #[model(references = Egg)]
    hatched_from: Option<i64>,
}

#[derive(Clone, Debug, Model)]
struct Egg {
    id: i64,
    #[model(references = Hen)]
    laid_by: Option<i64>,
}

async fn tables_that_refer_to_each_other_are_created(bed: impl Bed) {
    let db = bed.db();
    let models = Models::new().add::<Hen>().add::<Egg>();
    models.create(db).await.expect("a circle of tables");
    let report = models.check(db).await.expect("a report");
    assert!(report.is_clean(), "{report}");
}

async fn a_model_without_the_one_it_refers_to_is_refused(bed: impl Bed) {
    let refused = Models::new()
        .add::<Egg>()
        .create(bed.db())
        .await
        .expect_err("no hen");
    assert!(
        matches!(refused, Error::Configuration { .. }),
        "{refused:?}"
    );
}

/// A table that another program has made.
#[derive(Clone, Debug, Model)]
#[model(index(name))]
struct Animal {
    id: i64,
    #[model(unique, size = 40)]
    name: String,
    legs: i32,
    born: Option<i32>,
    #[model(default = true)]
    is_tame: bool,
    #[model(references = Shelf)]
    shelf_id: Option<i64>,
    #[model(check = "legs >= 0")]
    weight: f64,
    colour: String,
}

async fn each_difference_is_told_in_words(bed: impl Bed) {
    let mut db = bed.db();
    Shelf::create_table(db).await.expect("a table");
    let create = match db.dialect() {
        Dialect::MySql => {
            "CREATE TABLE animal (id BIGINT AUTO_INCREMENT PRIMARY KEY, \
             name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, legs BIGINT NOT NULL, \
             born INTEGER NOT NULL, is_tame BOOLEAN NOT NULL DEFAULT FALSE, shelf_id BIGINT, \
             weight DOUBLE NOT NULL, horns INTEGER)"
        }
        Dialect::Postgres => {
            "CREATE TABLE animal (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, \
             name TEXT COLLATE \"C\" NOT NULL, legs BIGINT NOT NULL, born INTEGER NOT NULL, \
             is_tame BOOLEAN NOT NULL DEFAULT FALSE, shelf_id BIGINT, weight DOUBLE PRECISION NOT NULL, horns INTEGER)"
        }
        Dialect::Sqlite => {
            "CREATE TABLE animal (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, legs TEXT NOT NULL, \
             born INTEGER NOT NULL, is_tame BOOLEAN NOT NULL DEFAULT 0, shelf_id INTEGER, weight REAL NOT NULL, \
             horns INTEGER)"
        }
    };
    sql(create).exec(&mut db).await.expect("another's table");

    let models = Models::new().add::<Animal>().add::<Hen>();
    let report = models.check(db).await.expect("a report");
    let said = report.to_string();
    for words in [
        "nothing keeps name unique in table animal",
        "table animal lacks an index on name",
        "column legs of table animal should be of type",
        "column born of table animal should allow NULL",
        "column is_tame of table animal should have the default",
        "column shelf_id of table animal should refer to table shelf",
        "table animal lacks the check animal_weight_check",
        "table animal lacks the column colour",
        "there is no table hen",
        "note: column horns of table animal is in no model",
        "note: table shelf is in no model",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(report.differences().len(), 9, "{said}");
    assert!(report.clone().into_result().is_err());
    // Alone, it knows nothing of other tables.
    let alone = schema::check::<Animal>(db).await.expect("a report");
    assert!(
        !alone
            .notes()
            .iter()
            .any(|note| matches!(note, Note::ExtraTable { .. })),
        "{alone}"
    );
    assert!(
        alone.differences().contains(&Difference::Nullability {
            table: "animal".to_owned(),
            column: "born".to_owned(),
            expected: true,
        }),
        "{alone}"
    );
}

/// Every type, with a default where it can have one.
#[derive(Clone, Debug, Model)]
struct Everything {
    #[model(key, size = 20)]
    id: String,
    #[model(default = -5)]
    small: i16,
    #[model(default = 7)]
    medium: i32,
    #[model(default = 0.5)]
    float: f32,
    #[model(default = 1e100)]
    double: f64,
    #[model(default = "it's \\ a text")]
    text: String,
    #[model(default = "x", size = 9)]
    short: String,
    bytes: Vec<u8>,
    #[model(size = 9)]
    few: Option<Vec<u8>>,
    #[model(default = now)]
    instant: chrono::DateTime<chrono::Utc>,
    #[model(default = now)]
    naive: chrono::NaiveDateTime,
    #[model(default = now)]
    day: chrono::NaiveDate,
    #[model(default = 2.5, scale = 2)]
    price: rust_decimal::Decimal,
    exact: rust_decimal::Decimal,
    document: packetboat_orm::Json<Vec<i32>>,
    #[model(unique)]
    token: uuid::Uuid,
    #[model(default = false)]
    flag: bool,
}

async fn every_type_and_default_is_found_as_it_was_made(bed: impl Bed) {
    let db = bed.db();
    Everything::create_table(db)
        .await
        .expect("a table of everything");
    let report = schema::check::<Everything>(db).await.expect("a report");
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.notes(), [], "{report}");
}

crate::common::on_every_database!(
    a_delete_does_what_the_foreign_key_says,
    a_model_without_the_one_it_refers_to_is_refused,
    each_difference_is_told_in_words,
    every_type_and_default_is_found_as_it_was_made,
    tables_are_created_in_order_and_found_as_declared,
    tables_that_refer_to_each_other_are_created,
    what_the_tables_promise_is_kept_under_one_name,
);
