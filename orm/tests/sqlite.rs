//! One model from declaration to delete, on SQLite.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use packetboat_orm::{
    DbPool, Error, Executor, Field, Json, Model, ModelExt, Result, Unfit, sql, sqlite, transaction,
};
use rust_decimal::Decimal;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, Field, PartialEq)]
enum Role {
    Admin,
    #[model(rename = "member")]
    User,
}

#[derive(Clone, Copy, Debug, Field, PartialEq)]
#[model(integer)]
enum Level {
    Low = -1,
    High = 7,
}

#[derive(Clone, Debug, Field, PartialEq)]
struct Email(String);

#[derive(Clone, Debug, Model, PartialEq)]
#[model(unique(role, level))]
pub struct User {
    pub id: i64,
    #[model(unique, size = 20)]
    name: String,
    email: Option<Email>,
    role: Role,
    level: Level,
    #[model(default = false)]
    is_vip: bool,
    small: i16,
    medium: i32,
    count: u32,
    big: u64,
    ratio: f32,
    score: f64,
    data: Vec<u8>,
    #[model(default = now)]
    registered: DateTime<Utc>,
    local: Option<NaiveDateTime>,
    born: NaiveDate,
    token: Uuid,
    #[model(scale = 2)]
    price: Decimal,
    exact: Decimal,
    tags: Json<Vec<String>>,
    #[model(column = "type")]
    r#type: String,
}

fn ann(name: &str, level: Level) -> User {
    User {
        id: 0,
        name: name.to_owned(),
        email: Some(Email("ann@example.org".to_owned())),
        role: Role::User,
        level,
        is_vip: true,
        small: -3,
        medium: 70_000,
        count: u32::MAX,
        big: i64::MAX as u64,
        ratio: 0.1,
        score: -1.5e300,
        data: vec![0, 255, 7],
        registered: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
        local: None,
        born: NaiveDate::from_ymd_opt(1969, 12, 31).unwrap(),
        token: Uuid::from_u128(7),
        price: "-12.34".parse().unwrap(),
        exact: "0.0000000001".parse().unwrap(),
        tags: Json(vec!["a".to_owned(), "\"b\"".to_owned()]),
        r#type: "?".to_owned(),
    }
}

async fn open() -> (tempfile::TempDir, sqlite::Pool) {
    let folder = tempfile::tempdir().unwrap();
    let db = sqlite::open(folder.path().join("test.db")).await.unwrap();
    User::create_table(&db).await.unwrap();
    (folder, db)
}

async fn rename(mut db: impl Executor, id: i64, to: &str) -> Result<User> {
    let mut user = User::find(id, &mut db)
        .await?
        .ok_or(Error::NotFound { table: "user" })?;
    to.clone_into(&mut user.name);
    user.update(&mut db).await?;
    Ok(user)
}

#[tokio::test]
async fn every_field_comes_back() {
    let (_folder, db) = open().await;
    let mut user = ann("ann", Level::High);
    user.save(&db).await.unwrap();
    assert_eq!(user.id, 1);
    assert_eq!(User::find(1, &db).await.unwrap().unwrap(), user);
    assert_eq!(
        User::select()
            .filter(user::price.lt(Decimal::ZERO))
            .one(&db)
            .await
            .unwrap(),
        user
    );
    assert_eq!(
        User::select()
            .filter(user::exact.eq(user.exact))
            .count(&db)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        User::select()
            .filter(user::r#type.eq("?"))
            .count(&db)
            .await
            .unwrap(),
        1
    );
    assert!(
        User::select()
            .filter(user::level.eq(Level::High))
            .exists(&db)
            .await
            .unwrap()
    );
    assert!(
        !User::select()
            .filter(user::local.is_not_null())
            .exists(&db)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn one_model_from_insert_to_delete() {
    let (_folder, db) = open().await;
    let mut user = ann("ann", Level::High);
    user.insert(&db).await.unwrap();
    assert_eq!(rename(&db, user.id, "bob").await.unwrap().name, "bob");
    let mut again = ann("bob", Level::Low);
    let error = again.insert(&db).await.unwrap_err();
    assert!(error.is_unique("name"), "{error:?}");
    match error {
        Error::UniqueViolation {
            table,
            columns,
            constraint,
            ..
        } => {
            assert_eq!((table, constraint.as_str()), ("user", "user_name_key"));
            assert_eq!(columns, ["name"]);
        }
        other => panic!("{other:?}"),
    }
    user.is_vip = false;
    user.save(&db).await.unwrap();
    assert!(!User::find(user.id, &db).await.unwrap().unwrap().is_vip);
    let changed = User::select()
        .filter(sql("name LIKE ?").bind("an%"))
        .update([user::medium.set(5)], &db);
    assert_eq!(changed.await.unwrap(), 1);
    let tuple: (String, i64) = sql("SELECT name, medium FROM user").one(&db).await.unwrap();
    assert_eq!(tuple, ("ann".to_owned(), 5));
    assert!(user.delete(&db).await.unwrap());
    assert!(!user.delete(&db).await.unwrap());
    assert!(matches!(
        user.update(&db).await,
        Err(Error::NotFound { table: "user" })
    ));
    assert!(matches!(
        User::select().one(&db).await,
        Err(Error::NotFound { table: "user" })
    ));
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_before_anything_is_written() {
    let (_folder, db) = open().await;
    let mut user = ann("ann", Level::High);
    user.score = f64::NAN;
    assert!(matches!(
        user.insert(&db).await,
        Err(Error::Encode {
            table: "user",
            column: "score",
            reason: Unfit::NotFinite
        })
    ));
    user.score = 0.0;
    user.big = u64::MAX;
    assert!(matches!(
        user.insert(&db).await,
        Err(Error::Encode { column: "big", .. })
    ));
    user.big = 0;
    user.price = "0.001".parse().unwrap();
    assert!(matches!(
        user.insert(&db).await,
        Err(Error::Encode {
            column: "price",
            reason: Unfit::TooPrecise { scale: 2 },
            ..
        })
    ));
    assert!(matches!(
        User::select().filter(user::big.eq(u64::MAX)).all(&db).await,
        Err(Error::Encode { column: "big", .. })
    ));
    assert_eq!(User::select().count(&db).await.unwrap(), 0);
}

#[tokio::test]
async fn transaction_keeps_all_or_nothing_under_spawn() {
    let (_folder, db) = open().await;
    let db = DbPool::from(db);
    let task = tokio::spawn({
        let db = db.clone();
        async move {
            let mut users = vec![ann("a", Level::High), ann("b", Level::Low)];
            let ids = transaction(&db, async |tx| {
                for user in &mut users {
                    user.insert(&mut *tx).await?;
                }
                rename(tx, 1, "c").await
            })
            .await?;
            let failed: Result<()> = transaction(&db, async |tx| {
                rename(&mut *tx, 1, "d").await?;
                rename(tx, 2, "d").await.map(drop)
            })
            .await;
            assert!(failed.unwrap_err().is_unique("name"));
            Ok::<_, Error>(ids)
        }
    });
    assert_eq!(task.await.unwrap().unwrap().name, "c");
    let names: Vec<(String,)> = sql("SELECT name FROM user ORDER BY id")
        .all(&db)
        .await
        .unwrap();
    assert_eq!(names, [("c".to_owned(),), ("b".to_owned(),)]);
}

#[tokio::test]
async fn stream_reads_all_rows_in_order() {
    #[derive(Clone, Debug, Model, PartialEq)]
    struct Number {
        id: i64,
        value: i64,
    }
    let (_folder, db) = open().await;
    Number::create_table(&db).await.unwrap();
    let mut rows: Vec<Number> = (0..1234).map(|value| Number { id: 0, value }).collect();
    assert_eq!(Number::insert_all(&mut rows, &db).await.unwrap(), 1234);
    let mut stream = Number::select().order_by(number::id.asc()).stream(&db);
    let mut expected = 0;
    while let Some(row) = stream.next().await {
        assert_eq!(row.unwrap().value, expected);
        expected += 1;
    }
    assert_eq!(expected, 1234);
}

/// The crate under another name, as an application may have it, and names that are keywords.
mod renamed {
    use packetboat_orm as orm;

    #[derive(Clone, Copy, Debug, orm::Field, PartialEq)]
    #[model(crate = orm)]
    pub(super) enum Kind {
        #[model(rename = "k")]
        Key,
    }

    #[derive(Clone, Debug, orm::Model, PartialEq)]
    #[model(crate = orm, table = "types")]
    pub(super) struct Type {
        pub(super) id: i64,
        pub(super) r#for: Kind,
    }
}

#[tokio::test]
async fn crate_may_have_another_name_and_fields_those_of_keywords() {
    use renamed::{Kind, Type, r#type};

    let (_folder, db) = open().await;
    Type::create_table(&db).await.unwrap();
    Type {
        id: 0,
        r#for: Kind::Key,
    }
    .insert(&db)
    .await
    .unwrap();
    let found = Type::select()
        .filter(r#type::r#for.eq(Kind::Key))
        .one(&db)
        .await
        .unwrap();
    assert_eq!(found.id, 1);
    assert_eq!(
        sql("SELECT \"for\" FROM types")
            .one::<(String,)>(&db)
            .await
            .unwrap()
            .0,
        "k"
    );
}

#[tokio::test]
async fn default_of_a_scaled_decimal_has_its_scale() {
    #[derive(Clone, Debug, Model, PartialEq)]
    struct Price {
        id: i64,
        #[model(scale = 2, default = 5)]
        whole: Decimal,
        #[model(scale = 2, default = -9.99)]
        number: Decimal,
        #[model(scale = 2, default = "12.5")]
        text: Decimal,
    }
    let (_folder, db) = open().await;
    Price::create_table(&db).await.unwrap();
    sql("INSERT INTO price DEFAULT VALUES")
        .exec(&db)
        .await
        .unwrap();
    let price = Price::select().one(&db).await.unwrap();
    let all = [price.whole, price.number, price.text].map(|decimal| decimal.to_string());
    assert_eq!(all, ["5.00", "-9.99", "12.50"]);
}
