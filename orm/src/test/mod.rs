//! For tests: a fresh database, and a transaction that leaves nothing behind.

mod database;

pub use self::database::Database;

use crate::error::Result;
use crate::executor::{Executor, Finish as _};

/// Runs a closure in a transaction that is never committed, and gives back what it returns.
///
/// Tests that share a database leave it so as they found it, also when they fail: a transaction that is dropped in a panic
/// is rolled back. Transactions in it are nested.
///
/// ```
/// # use packetboat_orm::{DbPool, Model, ModelExt, Result, test};
/// # #[derive(Model)] struct User { id: i64, name: String }
/// # async fn f(db: &DbPool) -> Result<()> {
/// test::rolled_back(db, async |tx| {
///     let mut ann = User { id: 0, name: "ann".to_owned() };
///     ann.insert(&mut *tx).await?;
///     assert_eq!(User::select().count(tx).await?, 1);
///     Ok(())
/// })
/// .await?
/// # }
/// ```
///
/// On MySQL, a change of tables would commit the transaction, and is refused in one.
///
/// # Errors
///
/// As [`Executor::enter`]. What the closure returns is given back as it is, an error too.
pub async fn rolled_back<E, T, F>(mut db: E, run: F) -> Result<T>
where
    E: Executor,
    F: AsyncFnOnce(&mut E::Tx) -> T,
{
    let mut tx = db.enter().await?;
    let value = run(&mut tx).await;
    tx.rollback().await?;
    Ok(value)
}
