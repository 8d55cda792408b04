//! Running a query: one, all, a stream, a count; and updating or deleting what it finds.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::codec::Decode;
use crate::cover::Whole;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Executor, First};
use crate::expr::{Assignment, Term};
use crate::model::Model;
use crate::named::{Named, Names, names};
use crate::query::Query;
use crate::select::Select;
use crate::statement::{Kind, Statement};
use crate::stream::{Rows, rows};
use crate::table::{ColumnDef, Table};
use crate::value::Bound;
use crate::writer::Rendered;

type At = &'static Location<'static>;

impl<S: Whole, T: Decode> Select<S, T> {
    /// All rows.
    ///
    /// # Errors
    ///
    /// - [`Error::Decode`] when a column does not fit its field;
    /// - [`Error::Encode`] when a value of a condition is one that the database cannot hold;
    /// - [`Error::NoTenant`] when a table has a tenant column, and the executor says no tenant;
    /// - [`Error::RawInTenant`] when it says one, and a piece of raw SQL does not say that it needs none;
    /// - [`Error::Unsupported`] for what not every database can do, or does differently: a column of any row of a group
    ///   ([`group_by`](Self::group_by)), distinct rows sorted by what is not read, decimals of different scales
    ///   compared on SQLite, locks on SQLite, one table twice under one name, more values than a statement binds;
    /// - and whatever the database refuses.
    #[track_caller]
    pub fn all<E: Executor>(self, mut db: E) -> impl Future<Output = Result<Vec<T>>> + Send {
        let (query, at) = (self.query, Location::caller());
        async move { all(query, &mut db, at).await }
    }

    /// The first row.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none; else as [`all`](Self::all).
    #[track_caller]
    pub fn one<E: Executor>(self, db: E) -> impl Future<Output = Result<T>> + Send {
        let table = self.query.table.name();
        let first = self.optional(db);
        async move { first.await?.ok_or(Error::NotFound { table }) }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn optional<E: Executor>(
        mut self,
        mut db: E,
    ) -> impl Future<Output = Result<Option<T>>> + Send {
        let limit = self.query.limit;
        self.query.limit = Some(limit.map_or(1, |limit| limit.min(1)));
        let (query, at) = (self.query, Location::caller());
        async move {
            let (statement, values, names) = read::<T>(query, db.dialect(), at)?;
            let out = Named(First(None), names);
            Ok(db.run(&statement, values, out).await?.0.0.0)
        }
    }

    /// How many rows there are, within limit and offset.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn count<E: Executor>(self, mut db: E) -> impl Future<Output = Result<u64>> + Send {
        let (query, at) = (self.query, Location::caller());
        async move { count(query, &mut db, at).await }
    }

    /// Whether there is a row.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn exists<E: Executor>(self, mut db: E) -> impl Future<Output = Result<bool>> + Send {
        let (query, at) = (self.query, Location::caller());
        async move {
            let table = query.table;
            let rendered = query.exists(db.dialect())?;
            let (statement, values) = statement(Kind::Select, table, rendered, at);
            Ok(db
                .run(&statement, values, First::<(i32,)>(None))
                .await?
                .0
                .0
                .is_some())
        }
    }

    /// The rows one by one, in bounded memory: the database waits while nobody takes any.
    ///
    /// The stream holds the executor until it is dropped. See [`Rows`].
    ///
    /// # Errors
    ///
    /// Its items are, as those of [`all`](Self::all); it ends with the first.
    #[track_caller]
    pub fn stream<'e, E: Executor + 'e>(self, mut db: E) -> Rows<'e, T> {
        let (query, at) = (self.query, Location::caller());
        rows(move |out| async move {
            let (statement, values, names) = read::<T>(query, db.dialect(), at)?;
            db.run(&statement, values, Named(out, names))
                .await
                .map(drop)
        })
    }
}

impl<M: Model> Select<M> {
    /// Updates the columns in every row; says in how many. The time of the update is set and the version counted,
    /// where the model has them; it runs no [hooks](crate::Hooks).
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] struct User { id: i64, name: String, is_vip: bool }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let changed = User::select().filter(user::name.eq("ann")).update([user::is_vip.set(true)], db).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with a limit, an offset or an order, which not every database has for updates, without
    /// any assignment, with two to one column, and with one to the version or the tenant; on MySQL also where columns
    /// are set to each other in a circle ([`Column::set`](crate::Column::set)).
    #[track_caller]
    pub fn update<E: Executor>(
        self,
        assignments: impl IntoIterator<Item = Assignment<M>>,
        mut db: E,
    ) -> impl Future<Output = Result<u64>> + Send {
        let at = Location::caller();
        let assignments: Vec<(&'static ColumnDef, Term)> = assignments
            .into_iter()
            .map(|set| (set.column, set.term))
            .collect();
        async move {
            let rendered = self.query.update(assignments, db.dialect())?;
            let (statement, values) = statement(Kind::Update, M::TABLE, rendered, at);
            Ok(db.exec(&statement, values).await?.rows_affected)
        }
    }

    /// Deletes every row; says how many. Where the model has a column `deleted`, the rows stay and are hidden; those
    /// that are deleted already are left as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with a limit, an offset or an order, which not every database has for deletes.
    #[track_caller]
    pub fn delete<E: Executor>(self, mut db: E) -> impl Future<Output = Result<u64>> + Send {
        let at = Location::caller();
        async move {
            let rendered = self.query.delete(db.dialect())?;
            let kind = match M::TABLE.deleted() {
                Some(_) => Kind::Update,
                None => Kind::Delete,
            };
            let (statement, values) = statement(kind, M::TABLE, rendered, at);
            Ok(db.exec(&statement, values).await?.rows_affected)
        }
    }
}

/// All rows of a query.
pub(super) async fn all<T: Decode>(query: Query, db: &mut impl Executor, at: At) -> Result<Vec<T>> {
    let (statement, values, names) = read::<T>(query, db.dialect(), at)?;
    let out = Named(Vec::new(), names);
    Ok(db.run(&statement, values, out).await?.0.0)
}

/// The number of a query's rows.
pub(super) async fn count(query: Query, db: &mut impl Executor, at: At) -> Result<u64> {
    let table = query.table;
    let rendered = query.count(db.dialect())?;
    let (statement, values) = statement(Kind::Select, table, rendered, at);
    Ok(db.one::<(u64,)>(&statement, values).await?.0)
}

/// The statement of a query, its values, and what its columns hold.
fn read<T: Decode>(
    query: Query,
    dialect: Dialect,
    at: At,
) -> Result<(Statement, Vec<Bound>, Option<Names>)> {
    let names = names::<T>(&query);
    let (statement, values) = select(query, dialect, at)?;
    Ok((statement, values, names))
}

/// The statement of a query, and its values.
pub(crate) fn select(query: Query, dialect: Dialect, at: At) -> Result<(Statement, Vec<Bound>)> {
    let table = query.table;
    let locks = query.more.as_ref().is_some_and(|more| more.lock.is_some());
    // What locks goes where writes go.
    let kind = if locks { Kind::Lock } else { Kind::Select };
    Ok(statement(kind, table, query.select(dialect)?, at))
}

pub(super) fn statement(
    kind: Kind,
    table: &'static Table,
    rendered: Rendered,
    at: At,
) -> (Statement, Vec<Bound>) {
    let Rendered { sql, values, raw } = rendered;
    let statement = match sql {
        Cow::Borrowed(sql) => Statement::fixed(kind, table, sql, at),
        Cow::Owned(sql) => Statement::rendered(kind, Some(table), Arc::from(sql), at).with_raw(raw),
    };
    (statement, values)
}
