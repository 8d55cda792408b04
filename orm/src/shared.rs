//! Executors that many use at once, by reference.

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::error::Result;
use crate::executor::{Collect, Done, Executor};
use crate::statement::Statement;

/// An executor of which every clone is the same one: a pool, and each wrapper around a pool.
///
/// It is used by reference, `&db`, from as many tasks as there are; nobody needs a `mut` for it:
///
/// ```
/// use packetboat_orm::{DbPool, Model, ModelExt, Result, Traced};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// /// The application's stack of executors, named once.
/// type Db = Traced<DbPool>;
///
/// async fn register(db: &Db, name: &str) -> Result<i64> {
///     let mut user = User { id: 0, name: name.to_owned() };
///     user.insert(db).await?;
///     Ok(user.id)
/// }
/// ```
///
/// A wrapper of one's own joins in with one line, where its clones share what it keeps (an `Arc`, or nothing):
///
/// ```
/// # use packetboat_orm::{Collect, Dialect, Done, Executor, Params, Result, Shared, Statement};
/// #[derive(Clone)]
/// struct Mine<E>(E);
///
/// # impl<E: Executor> Executor for Mine<E> {
/// #     type Tx = E::Tx;
/// #     fn dialect(&self) -> Dialect { self.0.dialect() }
/// #     async fn enter(&mut self) -> Result<E::Tx> { self.0.enter().await }
/// #     async fn run<C: Collect>(&mut self, statement: &Statement, params: impl Params, out: C) -> Result<(C, Done)> {
/// #         self.0.run(statement, params, out).await
/// #     }
/// # }
/// impl<E: Shared> Shared for Mine<E> {}
/// ```
///
/// Transactions and connections are not shared: they are used as `&mut tx`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an executor that many can use at once",
    note = "pools are, and wrappers around pools; a transaction or connection is used as `&mut tx`"
)]
pub trait Shared: Executor + Clone + Sync {}

/// Each statement runs on a clone, which for a pool is the count of a reference.
#[diagnostic::do_not_recommend]
impl<E: Shared> Executor for &E {
    type Tx = E::Tx;

    fn dialect(&self) -> Dialect {
        (**self).dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        E::clone(self).enter().await
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        E::clone(self).run(statement, params, out).await
    }
}

impl<E: Shared> Shared for &E {}
