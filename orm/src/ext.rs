//! What one does with a model: `User::select()`, `user.save(&db)`.

use std::future::Future;
use std::panic::Location;

use crate::error::Result;
use crate::executor::{Executor, First};
use crate::expr::Row;
use crate::filter::Condition;
use crate::model::Model;
use crate::named::Named;
use crate::schema;
use crate::select::{On, Select};
use crate::statement::{Kind, Statement};
use crate::value::IntoValue;
use crate::write::{self, Act, Back, ColumnSet, KeyOf, Tracked, Upsert, act};

/// Reading and writing, for every [`Model`].
///
/// Everything takes any [`Executor`]: `&pool`, `&mut tx`, or a wrapper. The futures are `Send` and run nothing until
/// awaited.
pub trait ModelExt: Model {
    /// All rows, to be narrowed: `User::select().filter(user::name.eq("ann")).optional(&db)`.
    fn select() -> Select<Self> {
        Select::new()
    }

    /// This model beside others in a query, where the condition holds; see [`Select::join`].
    fn on<C: Condition>(condition: C) -> On<Self, C::Models> {
        On::new(condition)
    }

    /// All columns of this model among others in [`Select::columns`].
    fn row() -> Row<Self> {
        Row::new()
    }

    /// The row with this key, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode) when a column does not fit its field.
    #[track_caller]
    fn find<E: Executor>(
        key: impl IntoValue<Self::Key>,
        mut db: E,
    ) -> impl Future<Output = Result<Option<Self>>> + Send {
        let (key, location) = (key.into_value(), Location::caller());
        async move {
            let sql = Self::TABLE.statements(db.dialect()).find;
            let statement = Statement::fixed(Kind::Select, Self::TABLE, sql, location);
            // The same collector as a query's, so that it is compiled once.
            let first = Named(First(None), None);
            Ok(db.run(&statement, KeyOf::<Self>(&key), first).await?.0.0.0)
        }
    }

    /// Inserts or updates: with an unset key (0, `""`, nil, `None`) the row is inserted and its key filled in, with a
    /// key the row that has it is updated, or inserted where there is none. Where the model has a `version`, that says
    /// which: a row without one was never read, and is inserted.
    ///
    /// On PostgreSQL a key given in an INSERT does not move the sequence that chooses keys; mix the two with care.
    ///
    /// # Errors
    ///
    /// [`Error::UniqueViolation`](crate::Error::UniqueViolation) when another row has a value that must be unique: no
    /// other row is ever overwritten, and none that is deleted (softly) or another tenant's.
    /// [`Error::Stale`](crate::Error::Stale) when the row was changed or deleted since it was read.
    #[track_caller]
    fn save<E: Executor>(&mut self, db: E) -> impl Future<Output = Result<()>> + Send {
        let at = Location::caller();
        async move { act(self, db, Act::Save, at).await.map(drop) }
    }

    /// Inserts, and fills in an unset key (0, `""`, nil, `None`).
    ///
    /// # Errors
    ///
    /// [`Error::UniqueViolation`](crate::Error::UniqueViolation) when the key, or a value that must be unique, is
    /// there already. [`Error::Unread`](crate::Error::Unread) when the row was inserted, and a column that the database
    /// fills does not fit its field.
    #[track_caller]
    fn insert<E: Executor>(&mut self, db: E) -> impl Future<Output = Result<()>> + Send {
        let at = Location::caller();
        async move { act(self, db, Act::Insert, at).await.map(drop) }
    }

    /// Inserts many rows, all or none, in as few statements as the database allows, and fills in unset keys; says how
    /// many.
    ///
    /// Several statements need a transaction, and so an executor that can [`enter`](Executor::enter) one; so do columns
    /// that the database fills, which may turn out not to fit their fields when they are read back.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    #[track_caller]
    fn insert_all<E: Executor>(
        rows: &mut [Self],
        db: E,
    ) -> impl Future<Output = Result<u64>> + Send {
        write::insert_all(rows, Back::Read, db, Location::caller())
    }

    /// Inserts many rows, all or none, as fast as the database takes them: nothing is read back. Says how many.
    ///
    /// Keys and columns that the database fills stay in the structs as they were, where
    /// [`insert_all`](Self::insert_all) fills them in: a row with an unset key is still one that was never read, and
    /// would be inserted again by [`save`](Self::save). What this crate chooses stands in the structs afterwards: times,
    /// versions, keys that are UUIDs.
    ///
    /// A model with [`Hooks`](crate::Hooks) is inserted as by `insert_all`, since what comes after the save may want the
    /// row as it is stored.
    ///
    /// Several statements need a transaction, and so an executor that can [`enter`](Executor::enter) one.
    ///
    /// # Errors
    ///
    /// [`Error::UniqueViolation`](crate::Error::UniqueViolation) when a key, or a value that must be unique, is there
    /// already.
    #[track_caller]
    fn bulk_insert<E: Executor>(
        rows: &mut [Self],
        db: E,
    ) -> impl Future<Output = Result<u64>> + Send {
        write::insert_all(rows, Back::Left, db, Location::caller())
    }

    /// Inserts, or updates the row that has the same values in these columns, which are the key or declared `unique`:
    /// `ann.upsert(user::name).run(&db)`. See [`Upsert`].
    fn upsert(&mut self, on: impl ColumnSet<Self>) -> Upsert<'_, Self> {
        Upsert::new(self, on)
    }

    /// Updates every column of the row with this key.
    ///
    /// By `&mut`, as [`save`](Self::save): what a write fills in belongs into the struct too.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound) when the row is gone; [`Error::Stale`](crate::Error::Stale) when it
    /// has a `version`, and was changed or deleted since it was read.
    #[track_caller]
    fn update<E: Executor>(&mut self, db: E) -> impl Future<Output = Result<()>> + Send {
        let at = Location::caller();
        async move { act(self, db, Act::Update, at).await.map(drop) }
    }

    /// This row as one that knows what it was, and updates only what changed. See [`Tracked`].
    fn tracked(self) -> Tracked<Self> {
        Tracked::new(self)
    }

    /// Deletes the row with this key; says whether there was one. Where the model has a column `deleted`, the row stays
    /// and is hidden from then on.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignKeyViolation`](crate::Error::ForeignKeyViolation) when another row refers to it.
    /// [`Error::Stale`](crate::Error::Stale) when it has a `version`, and was changed or deleted since it was read.
    #[track_caller]
    fn delete<E: Executor>(&mut self, db: E) -> impl Future<Output = Result<bool>> + Send {
        act(self, db, Act::Delete, Location::caller())
    }

    /// Deletes the row with this key for good, hidden or not; says whether there was one.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    #[track_caller]
    fn purge<E: Executor>(&mut self, db: E) -> impl Future<Output = Result<bool>> + Send {
        act(self, db, Act::Purge, Location::caller())
    }

    /// Takes a soft [`delete`](Self::delete) back; says whether there was one. Writes nothing else of the row, and runs
    /// no hooks.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete). [`Error::Unsupported`](crate::Error::Unsupported) where the model has no column
    /// `deleted`.
    #[track_caller]
    fn restore<E: Executor>(&mut self, db: E) -> impl Future<Output = Result<bool>> + Send {
        act(self, db, Act::Restore, Location::caller())
    }

    /// Creates the table with its key, constraints and indexes, unless there is a table of that name.
    ///
    /// PostgreSQL and MySQL want the tables that it refers to to be there;
    /// [`migrate::Models::create`](crate::migrate::Models::create) creates several in a right order.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) in a transaction on MySQL, which would commit it half way.
    /// [`Error::Database`](crate::Error::Database) where the account may not, or the database refuses.
    #[track_caller]
    fn create_table<E: Executor>(mut db: E) -> impl Future<Output = Result<()>> + Send {
        let location = Location::caller();
        async move {
            for statement in schema::create_table(Self::TABLE, db.dialect(), location) {
                db.exec(&statement, ()).await?;
            }
            Ok(())
        }
    }
}

impl<M: Model> ModelExt for M {}
