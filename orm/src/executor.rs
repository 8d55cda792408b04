//! Anything that runs a statement.

use std::future::{Future, ready};
use std::ops::ControlFlow;

use crate::codec::{Decode, Params, Source};
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::statement::Statement;

/// Anything that runs a statement: a pool, a connection, a transaction, and every wrapper around one of these.
///
/// Take `impl Executor` and a function works on any database, inside a transaction and outside; pass `&mut db` on, as
/// often as you like:
///
/// ```
/// use packetboat_orm::{Error, Executor, Model, ModelExt, Result};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// async fn rename(mut db: impl Executor, id: i64, to: &str) -> Result<User> {
///     let mut user = User::find(id, &mut db).await?.ok_or(Error::NotFound { table: "user" })?;
///     user.name = to.to_owned();
///     user.update(&mut db).await?;
///     Ok(user)
/// }
/// ```
///
/// # Wrappers
///
/// A wrapper implements `dialect`, `enter` and `run`, and wraps the transaction as it wraps the pool, so that it keeps
/// working inside:
///
/// ```
/// use packetboat_orm::{Collect, Dialect, Done, Executor, Finish, Params, Result, Statement};
///
/// struct Traced<E>(E);
///
/// impl<E: Executor> Executor for Traced<E> {
///     type Tx = Traced<E::Tx>;
///
///     fn dialect(&self) -> Dialect {
///         self.0.dialect()
///     }
///
///     async fn enter(&mut self) -> Result<Self::Tx> {
///         self.0.enter().await.map(Traced)
///     }
///
///     async fn run<C: Collect>(
///         &mut self,
///         statement: &Statement,
///         params: impl Params,
///         out: C,
///     ) -> Result<(C, Done)> {
///         let answer = self.0.run(statement, params, out).await;
///         println!("{:?} {} from {}", statement.kind(), statement.table_name(), statement.location());
///         answer
///     }
/// }
///
/// impl<E: Finish> Finish for Traced<E> {
///     async fn commit(self) -> Result<()> {
///         self.0.commit().await
///     }
///
///     async fn rollback(self) -> Result<()> {
///         self.0.rollback().await
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not run statements",
    label = "not an executor",
    note = "pass a pool by reference (`&pool`), or a transaction or connection as `&mut tx`"
)]
pub trait Executor: Send {
    /// A transaction. It owns its connection, so it can move into a task.
    type Tx: Executor<Tx = Self::Tx> + Finish + 'static;

    /// The SQL to speak.
    fn dialect(&self) -> Dialect;

    /// Begins a transaction; inside a transaction, a nested one (a savepoint).
    ///
    /// While a nested transaction is open, the outer one refuses with [`Error::NestedOpen`].
    ///
    /// # Errors
    ///
    /// [`Error::Connection`] without a connection; [`Error::Unsupported`] on a connection that is only borrowed from
    /// sqlx, which cannot move into a transaction ([`Connection`](crate::Connection) can).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no connection is left in a transaction: the one it used is rolled back or closed
    /// before anyone else gets it.
    fn enter(&mut self) -> impl Future<Output = Result<Self::Tx>> + Send;

    /// Runs a statement, feeds its rows to `out`, and gives `out` back.
    ///
    /// The one method that wrappers forward.
    ///
    /// # Errors
    ///
    /// Any; [`Error::Encode`] before anything is sent.
    ///
    /// # Cancel safety
    ///
    /// A write that is dropped half way may or may not have happened. Inside a transaction it poisons the commit.
    fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> impl Future<Output = Result<(C, Done)>> + Send;

    /// All rows.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`Error::Decode`].
    fn all<T: Decode>(
        &mut self,
        statement: &Statement,
        params: impl Params,
    ) -> impl Future<Output = Result<Vec<T>>> + Send {
        async move { Ok(self.run(statement, params, Vec::new()).await?.0) }
    }

    /// The first row.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`Error::NotFound`] when there is none.
    fn one<T: Decode>(
        &mut self,
        statement: &Statement,
        params: impl Params,
    ) -> impl Future<Output = Result<T>> + Send {
        async move {
            let first = self.optional(statement, params).await?;
            first.ok_or_else(|| Error::NotFound {
                table: statement.table_name(),
            })
        }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`Error::Decode`].
    fn optional<T: Decode>(
        &mut self,
        statement: &Statement,
        params: impl Params,
    ) -> impl Future<Output = Result<Option<T>>> + Send {
        async move { Ok(self.run(statement, params, First(None)).await?.0.0) }
    }

    /// Runs a statement for what it does, and not for its rows.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    fn exec(
        &mut self,
        statement: &Statement,
        params: impl Params,
    ) -> impl Future<Output = Result<Done>> + Send {
        async move { Ok(self.run(statement, params, ()).await?.1) }
    }
}

impl<E: Executor> Executor for &mut E {
    type Tx = E::Tx;

    fn dialect(&self) -> Dialect {
        (**self).dialect()
    }

    fn enter(&mut self) -> impl Future<Output = Result<Self::Tx>> + Send {
        (**self).enter()
    }

    fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> impl Future<Output = Result<(C, Done)>> + Send {
        (**self).run(statement, params, out)
    }
}

/// How a transaction ends. Dropping one that is not finished rolls it back.
pub trait Finish: Send {
    /// Keeps what was done.
    ///
    /// # Errors
    ///
    /// [`Error::Aborted`] and [`Error::Poisoned`] when the transaction cannot be kept as a whole: it is rolled back.
    /// With any other error of an outermost commit it is unknown whether the server kept it.
    ///
    /// # Cancel safety
    ///
    /// As with any answer that does not arrive: whether the transaction was kept is then unknown. The connection is
    /// not used again.
    fn commit(self) -> impl Future<Output = Result<()>> + Send;

    /// Undoes what was done.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`] when the connection broke; the server undoes it then.
    fn rollback(self) -> impl Future<Output = Result<()>> + Send;
}

/// What a statement did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Done {
    /// How many rows were written, or deleted; for an UPDATE, how many were found, changed or not.
    pub rows_affected: u64,
    /// The key that the database chose in an INSERT of one row; 0 on PostgreSQL, which returns it as a row.
    pub last_insert_id: i64,
}

/// Where rows go.
///
/// `'static`, since a driver may carry it to another thread to fill it there.
pub trait Collect: Send + 'static {
    /// Waits until there is room for a row; [`ControlFlow::Break`] when no more is wanted.
    ///
    /// # Cancel safety
    ///
    /// Must lose nothing when dropped.
    fn ready(&mut self) -> impl Future<Output = ControlFlow<()>> + Send {
        ready(ControlFlow::Continue(()))
    }

    /// How it takes its rows, by which a driver may choose how to read them.
    ///
    /// A collector around another one passes this on, as it passes on `ready`.
    fn demand(&self) -> Demand {
        Demand::Stepwise
    }

    /// Takes a row; [`ControlFlow::Break`] when no more is wanted.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] where the row does not fit; the statement ends with it.
    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>>;
}

/// How a collector takes its rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Demand {
    /// Every row there is, without a wait between two of them: so they may be read in one go.
    All,
    /// Some of the rows, or each when there is room for it.
    Stepwise,
}

/// Every row.
impl<T: Decode> Collect for Vec<T> {
    fn demand(&self) -> Demand {
        Demand::All
    }

    #[inline]
    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        self.push(T::decode(row, 0)?);
        Ok(ControlFlow::Continue(()))
    }
}

/// No row.
impl Collect for () {
    fn row<R: Source>(&mut self, _: &R) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }
}

/// The first row.
///
/// It breaks off at the second and not at the first: where there is only one, the statement then ends by itself, which
/// is cheaper than to break it off.
pub(crate) struct First<T>(pub(crate) Option<T>);

impl<T: Decode> Collect for First<T> {
    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        if self.0.is_some() {
            return Ok(ControlFlow::Break(()));
        }
        self.0 = Some(T::decode(row, 0)?);
        Ok(ControlFlow::Continue(()))
    }
}
