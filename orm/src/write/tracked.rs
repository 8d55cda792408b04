//! A row that knows what it was, and writes only what changed.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::model::Model;
use crate::statement::{Kind, Statement};
use crate::table::{ColumnDef, Table};
use crate::value::Value;
use crate::write::bind::Part;
use crate::write::one::{Act, At, act, gone, run_update};
use crate::write::read_back::Found;
use crate::write::stamps;
use crate::write::text::Text;

/// A row together with what it was when it was read, so that an update writes only the columns that changed, and does
/// nothing where none did.
///
/// It dereferences to the row.
///
/// ```
/// # use packetboat_orm::{Error, Executor, Model, ModelExt, Result};
/// # #[derive(Model)] struct User { id: i64, name: String, visits: i64 }
/// async fn rename(mut db: impl Executor, id: i64, to: &str) -> Result<bool> {
///     let found = User::find(id, &mut db).await?;
///     let mut user = found.ok_or(Error::NotFound { table: "user" })?.tracked();
///     user.name = to.to_owned();
///     // UPDATE user SET name = ? WHERE id = ?, and no statement at all if it is named so already.
///     user.update(&mut db).await
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Tracked<M> {
    row: M,
    original: Original,
}

/// What each column was.
#[derive(Clone, Debug)]
pub(crate) struct Original(Vec<Value>);

impl Original {
    fn of<M: Model>(row: &M) -> Self {
        let columns = 0..M::TABLE.columns().len();
        Self(columns.map(|at| Value::of_column(row, at)).collect())
    }

    fn differs<M: Model>(&self, row: &M, at: usize) -> bool {
        // What its own field refuses counts as changed; storing it will say why not.
        !Value::of_column(row, at).is_same(&self.0[at])
    }

    /// The columns to write, apart from the time of the update.
    fn changed<M: Model>(&self, row: &M) -> Vec<usize> {
        let stamp = M::TABLE.roles().updated;
        let columns = M::TABLE.updated_columns().iter().copied();
        columns
            .filter(|&at| Some(at) != stamp && self.differs(row, at))
            .collect()
    }

    fn is_key_changed<M: Model>(&self, row: &M) -> bool {
        let mut key = M::TABLE.key_positions().iter();
        key.any(|&at| self.differs(row, at))
    }
}

impl<M: Model> Tracked<M> {
    /// Takes the row for what the database has.
    #[must_use]
    pub fn new(row: M) -> Self {
        let original = Original::of(&row);
        Self { row, original }
    }

    /// The names of the columns that an update would write.
    pub fn changes(&self) -> impl Iterator<Item = &'static str> + use<M> {
        let changed = self.original.changed(&self.row).into_iter();
        changed.map(|at| M::TABLE.columns()[at].name())
    }

    /// Updates the columns that changed; says whether there were any. Without a change nothing is sent, and no hook
    /// runs.
    ///
    /// What it is compared with next time is what was written now.
    ///
    /// # Errors
    ///
    /// As [`ModelExt::update`](crate::ModelExt::update). [`Error::Unsupported`] when the key was changed: that would be
    /// another row.
    #[track_caller]
    pub fn update<E: Executor>(&mut self, db: E) -> impl Future<Output = Result<bool>> + Send {
        let at = Location::caller();
        async move {
            if self.original.is_key_changed(&self.row) {
                return Err(Error::Unsupported {
                    dialect: db.dialect(),
                    what: "an update that changes the key; insert the row anew, and delete the old one",
                });
            }
            if self.original.changed(&self.row).is_empty() {
                return Ok(false);
            }
            act(&mut self.row, db, Act::Change(&self.original), at).await?;
            self.original = Original::of(&self.row);
            Ok(true)
        }
    }

    /// [`update`](Self::update), under the name by which a row is written that may be new: this one was read.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    #[track_caller]
    pub fn save<E: Executor>(&mut self, db: E) -> impl Future<Output = Result<bool>> + Send {
        self.update(db)
    }

    /// The row, and what it was forgotten.
    #[must_use]
    pub fn into_inner(self) -> M {
        self.row
    }
}

impl<M> Deref for Tracked<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.row
    }
}

impl<M> DerefMut for Tracked<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.row
    }
}

/// Writes what changed, after the hooks changed what they would.
pub(super) async fn change<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    original: &Original,
    at: At,
) -> Result<Found<M>> {
    let mut changed = original.changed(row);
    if changed.is_empty() {
        // A hook took the change back.
        return Ok(Found::Row);
    }
    changed.extend(M::TABLE.roles().updated);
    stamps::updated(row, stamps::now())?;
    let statement = statement(M::TABLE, &changed, db.dialect(), at);
    let found = run_update(row, db, &statement, Part::ColumnsThenOwn(&changed), at).await?;
    if found.is_there() {
        Ok(found)
    } else {
        Err(gone::<M>())
    }
}

/// Like the fixed statement of an update, with fewer columns.
fn statement(table: &'static Table, changed: &[usize], dialect: Dialect, at: At) -> Statement {
    let columns = table.columns();
    let mut text = Text::new(dialect);
    text.push("UPDATE ").name(table.name()).push(" SET ");
    text.equal(changed.iter().map(|&at| &columns[at]), ", ");
    if let Some(version) = table.version().map(ColumnDef::name) {
        text.push(", ").name(version).push(" = ");
        text.name(version).push(" + 1");
    }
    let own = table.key_columns().chain(table.version());
    text.push(" WHERE ");
    text.equal(own.chain(table.tenant()), " AND ");
    if let Some(deleted) = table.deleted() {
        text.push(" AND ").name(deleted.name()).push(" IS NULL");
    }
    if table.reads_back() && dialect != Dialect::MySql {
        text.returning(table);
    }
    text.into_statement(Kind::Update, table, at)
}
