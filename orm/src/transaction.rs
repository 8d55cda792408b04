//! All or nothing: a closure in a transaction.

use crate::driver::frame;
use crate::error::{Error, Result};
use crate::executor::{Executor, Finish};

/// Begins a transaction, to be ended with [`commit`](Finish::commit) or [`rollback`](Finish::rollback).
///
/// Dropped without either, it is rolled back.
///
/// # Errors
///
/// As [`Executor::enter`].
pub async fn begin<E: Executor>(mut db: E) -> Result<E::Tx> {
    db.enter().await
}

/// Runs a closure in a transaction: committed when it returns `Ok`, rolled back when it returns `Err`.
///
/// Inside another transaction it is nested: its rollback undoes only its own part.
///
/// ```
/// # use packetboat_orm::{DbPool, Model, ModelExt, Result, transaction};
/// # #[derive(Model)] struct User { id: i64, name: String }
/// # async fn f(db: &DbPool) -> Result<()> {
/// let mut ann = User { id: 0, name: "ann".to_owned() };
/// let mut bob = User { id: 0, name: "bob".to_owned() };
/// transaction(db, async |tx| {
///     ann.insert(&mut *tx).await?;
///     bob.insert(tx).await
/// })
/// .await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The closure's own, and what [`Executor::enter`] and [`Finish::commit`] return. [`try_transaction`] takes a closure
/// with errors of another type.
///
/// # Cancel safety
///
/// Dropped early, nothing is kept, and no connection goes back to its pool inside a transaction.
pub async fn transaction<E, T, F>(db: E, run: F) -> Result<T>
where
    E: Executor,
    F: AsyncFnOnce(&mut E::Tx) -> Result<T>,
{
    try_transaction(db, run).await
}

/// [`transaction`], with an error of the application's own.
///
/// ```
/// # use packetboat_orm::{DbPool, Error, Model, ModelExt, try_transaction};
/// # #[derive(Model)] struct User { id: i64, coins: i64 }
/// enum Refusal { NoSuchUser, TooPoor, Database(Error) }
///
/// impl From<Error> for Refusal {
///     fn from(error: Error) -> Self {
///         Self::Database(error)
///     }
/// }
///
/// async fn pay(db: &DbPool, id: i64, price: i64) -> Result<(), Refusal> {
///     try_transaction(db, async |tx| {
///         let mut user = User::find(id, &mut *tx).await?.ok_or(Refusal::NoSuchUser)?;
///         user.coins = user.coins.checked_sub(price).filter(|left| *left >= 0).ok_or(Refusal::TooPoor)?;
///         Ok(user.update(tx).await?)
///     })
///     .await
/// }
/// ```
///
/// # Errors
///
/// The closure's own, and what [`Executor::enter`] and [`Finish::commit`] return.
///
/// # Cancel safety
///
/// As [`transaction`].
pub async fn try_transaction<E, T, X, F>(mut db: E, run: F) -> Result<T, X>
where
    E: Executor,
    X: From<Error>,
    F: AsyncFnOnce(&mut E::Tx) -> Result<T, X>,
{
    frame::scope(async move {
        let mut tx = frame::entering(db.enter()).await?;
        let outcome = run(&mut tx).await;
        end(tx, outcome).await
    })
    .await
}

/// Keeps what a closure did, or undoes it.
pub(crate) async fn end<T, X, Tx>(tx: Tx, outcome: Result<T, X>) -> Result<T, X>
where
    X: From<Error>,
    Tx: Finish,
{
    match outcome {
        Ok(value) => {
            tx.commit().await?;
            Ok(value)
        }
        Err(error) => {
            // The closure's error is the one to tell; a rollback that fails closes the connection.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}
