//! What an application does around each write of a model.

use std::future::{Future, ready};

use crate::error::Result;
use crate::executor::Executor;
use crate::model::Model;

/// What happens around each write of a model: checks, and further writes that stand or fall with it.
///
/// Implement it for a model with `#[model(hooks)]`; each method does nothing by default.
///
/// ```
/// use packetboat_orm::{Error, Executor, Hooks, Model, ModelExt, Result};
///
/// #[derive(Model)]
/// #[model(hooks)]
/// struct User { id: i64, #[model(unique)] name: String }
///
/// #[derive(Model)]
/// struct Audit { id: i64, text: String }
///
/// impl Hooks for User {
///     async fn before_save(&mut self, _tx: &mut impl Executor) -> Result<()> {
///         self.name = self.name.trim().to_lowercase();
///         Ok(())
///     }
///
///     fn validate(&self) -> Result<()> {
///         if self.name.is_empty() { Err(Error::invalid("a user has a name")) } else { Ok(()) }
///     }
///
///     async fn after_save(&mut self, tx: &mut impl Executor) -> Result<()> {
///         Audit { id: 0, text: format!("saved {}", self.name) }.insert(tx).await
///     }
/// }
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let db = packetboat_orm::sqlite::open(folder.path().join("db")).await?;
/// # User::create_table(&db).await?;
/// # Audit::create_table(&db).await?;
/// let mut ann = User { id: 0, name: " Ann ".to_owned() };
/// ann.save(&db).await?;
/// assert_eq!(ann.name, "ann");
/// assert_eq!(Audit::select().count(&db).await?, 1);
/// # Ok(()) }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
///
/// Hooks, statement and whatever the hooks write are one transaction, and a savepoint where one is open: an error of
/// any of them undoes all. What the write filled into the struct (key, version, times, what the database fills) is then
/// taken out again; what `before_save` did to it stays. A delete that finds no row undoes what `before_delete` wrote.
///
/// `insert`, `insert_all`, `save`, `update`, `upsert` and [`Tracked::update`](crate::Tracked::update) run the hooks of
/// a save; `delete` and `purge` run that of a delete. What a filter finds, and is updated or deleted there, is never
/// read: [`Select::update`](crate::Select::update) and [`Select::delete`](crate::Select::delete) run no hooks, and
/// neither does `restore`. Read the rows and delete them one by one where the hooks matter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` says that it has hooks, and has none",
    note = "implement `Hooks` for it, if only as `impl Hooks for {Self} {{}}`; or leave `#[model(hooks)]` out"
)]
pub trait Hooks: Model {
    /// Before a row is inserted or updated. May change it.
    ///
    /// # Errors
    ///
    /// Any; the row is not written.
    fn before_save(&mut self, _tx: &mut impl Executor) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// Whether the row may be written as it is, after [`before_save`](Self::before_save).
    ///
    /// # Errors
    ///
    /// [`Error::invalid`](crate::Error::invalid), or any other; the row is not written.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// After a row was inserted or updated, in the same transaction; its key is filled in.
    ///
    /// # Errors
    ///
    /// Any; the write is undone.
    fn after_save(&mut self, _tx: &mut impl Executor) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// Before a row is deleted, in the same transaction. Where there turns out to be no such row, all of it is undone.
    ///
    /// # Errors
    ///
    /// Any; the row is not deleted.
    fn before_delete(
        &mut self,
        _tx: &mut impl Executor,
    ) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }
}
