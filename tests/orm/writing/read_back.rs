//! What is read back after a write: from where it was written, and what is left where it cannot be read.

use packetboat_orm::{
    Collect, ColumnDef, Dialect, Done, Error, Executor, Field, Finish, Hooks, Model, ModelExt,
    Params, Result, Router, Sink, Source, SqlType, Statement,
};
use sqlx::AssertSqlSafe;

use crate::common::bed::Bed;

/// Reads even numbers only: a field that does not fit all that its column can hold.
#[derive(Clone, Debug, PartialEq)]
struct Even(i64);

impl Field for Even {
    const TYPE: SqlType = SqlType::I64;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        sink.i64(column, self.0)
    }

    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        let number = row.i64(index, column)?;
        if number % 2 == 0 {
            Ok(Self(number))
        } else {
            Err(column.misfit("an odd number"))
        }
    }
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Load {
    id: i64,
    #[model(unique)]
    name: String,
    pieces: i64,
    #[model(generated = "pieces * 3")]
    weight: Even,
    #[model(version)]
    version: i64,
}

fn load(name: &str, pieces: i64) -> Load {
    Load {
        id: 0,
        name: name.to_owned(),
        pieces,
        weight: Even(-2),
        version: 0,
    }
}

async fn stored(db: impl Executor) -> Vec<(i64, i64, i64)> {
    let columns = (load::id, load::pieces, load::version);
    let all = Load::select().order_by(load::id.asc()).columns(columns);
    all.all(db).await.expect("all loads")
}

async fn an_insert_that_cannot_be_read_back_is_told_and_not_forgotten(bed: impl Bed) {
    let db = bed.db();
    Load::create_table(db).await.expect("a table");
    let mut sand = load("sand", 1);
    let error = sand.insert(db).await.expect_err("odd");
    assert_unread(&error);
    assert_eq!(stored(db).await, [(sand.id, 1, 1)]);
    assert_eq!(sand.weight, Even(-2));
    // It is the same row, and not another one.
    sand.pieces = 2;
    sand.save(db).await.expect("an update");
    assert_eq!(stored(db).await, [(sand.id, 2, 2)]);
    assert_eq!(sand.weight, Even(6));

    let mut lime = load("lime", 1);
    let error = lime.upsert(load::name).run(db).await.expect_err("odd");
    assert_unread(&error);
    assert_eq!(stored(db).await, [(sand.id, 2, 2), (lime.id, 1, 1)]);
}

fn assert_unread(error: &Error) {
    assert!(matches!(error, Error::Unread { .. }), "{error:?}");
    assert!(!error.is_transient() && !error.is_connection(), "{error:?}");
}

async fn an_update_that_cannot_be_read_back_leaves_the_version_as_it_is(bed: impl Bed) {
    let db = bed.db();
    Load::create_table(db).await.expect("a table");
    let mut sand = load("sand", 2);
    sand.insert(db).await.expect("an insert");
    sand.pieces = 3;
    sand.update(db).await.expect_err("odd");
    let [(id, pieces, version)] = stored(db).await[..] else {
        panic!("one row");
    };
    assert_eq!(
        (id, version),
        (sand.id, sand.version),
        "whichever way it went"
    );
    // MySQL reads it in a transaction of its own, which is undone.
    let is_undone = db.dialect() == Dialect::MySql;
    assert_eq!(pieces, if is_undone { 2 } else { 3 });
    sand.pieces = 4;
    sand.update(db).await.expect("it is not stale");
    let mut tracked = sand.tracked();
    tracked.pieces = 5;
    tracked.update(db).await.expect_err("odd");
    tracked.pieces = 6;
    tracked.update(db).await.expect("it is not stale");
    assert_eq!(tracked.weight, Even(18));
}

async fn many_that_cannot_be_read_back_are_not_kept(bed: impl Bed) {
    let db = bed.db();
    Load::create_table(db).await.expect("a table");
    let mut loads = [load("sand", 2), load("lime", 1)];
    Load::insert_all(&mut loads, db).await.expect_err("odd");
    assert_eq!(loads, [load("sand", 2), load("lime", 1)]);
    assert_eq!(stored(db).await, []);
}

/// Its hooks are a transaction.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(hooks)]
struct Chest {
    id: i64,
    pieces: i64,
    #[model(generated = "pieces * 3")]
    weight: Even,
}

impl Hooks for Chest {}

async fn in_a_transaction_of_hooks_it_is_undone(bed: impl Bed) {
    let db = bed.db();
    Chest::create_table(db).await.expect("a table");
    let mut one = Chest {
        id: 0,
        pieces: 1,
        weight: Even(0),
    };
    let before = one.clone();
    let error = one.insert(db).await.expect_err("odd");
    assert!(matches!(error, Error::Decode { .. }), "{error:?}");
    assert_eq!(one, before);
    assert_eq!(Chest::select().count(db).await.expect("a count"), 0);
}

/// As MySQL is, for which that is a comment what MariaDB reads.
pub(crate) struct WithoutReturning<E>(pub(crate) E);

impl<E: Executor> Executor for WithoutReturning<E> {
    type Tx = WithoutReturning<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        self.0.enter().await.map(WithoutReturning)
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        let Some((plain, _)) = statement.sql().split_once(" /*M! RETURNING") else {
            return self.0.run(statement, params, out).await;
        };
        let plain = Statement::write(AssertSqlSafe(plain.to_owned()));
        self.0.run(&plain, params, out).await
    }
}

impl<E: Finish> Finish for WithoutReturning<E> {
    async fn commit(self) -> Result<()> {
        self.0.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.0.rollback().await
    }
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Parcel {
    id: i64,
    pieces: i64,
    #[model(generated = "pieces * 3")]
    weight: i64,
}

/// A rule may have the model read elsewhere, where it comes late.
async fn over_a_router_it_is_read_where_it_was_written(bed: impl Bed) {
    async fn over<B: Bed>(bed: B, copy: B) {
        Parcel::create_table(bed.db()).await.expect("a table");
        Parcel::create_table(copy.db()).await.expect("a table");
        let router = Router::new("default", bed.pool())
            .database("late", copy.pool())
            .db_for_read(|_| Some("late"));
        let parcel = |pieces| Parcel {
            id: 0,
            pieces,
            weight: -1,
        };
        let mut one = parcel(2);
        let mut db = WithoutReturning(router.scope());
        one.insert(&mut db).await.expect("an insert");
        assert_eq!(one.weight, 6);
        one.pieces = 3;
        one.save(&mut db).await.expect("an update");
        assert_eq!(one.weight, 9);
        let mut many = [parcel(4), parcel(5)];
        Parcel::insert_all(&mut many, &mut db)
            .await
            .expect("two rows");
        assert_eq!(many.map(|parcel| parcel.weight), [12, 15]);
    }
    let copy = bed.another().await;
    over(bed, copy).await;
}

crate::common::on_every_database![
    an_insert_that_cannot_be_read_back_is_told_and_not_forgotten,
    an_update_that_cannot_be_read_back_leaves_the_version_as_it_is,
    many_that_cannot_be_read_back_are_not_kept,
    in_a_transaction_of_hooks_it_is_undone,
    over_a_router_it_is_read_where_it_was_written,
];
