//! Writing one row: insert, save, update, delete, restore.

use std::panic::Location;
use std::slice;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Executor, Finish as _, First};
use crate::model::{Key as _, Model};
use crate::statement::{Kind, Statement};
use crate::write::bind::{Part, ReturnedKey, Rows, counted_key};
use crate::write::read_back::{Found, Stored, reread};
use crate::write::stamps::{self, Stamps};
use crate::write::upsert::Plan;
use crate::write::{tracked, upsert};

pub(super) type At = &'static Location<'static>;

/// What is done with a row.
#[derive(Clone, Copy)]
pub(crate) enum Act<'a> {
    /// An UPDATE of these columns.
    Change(&'a tracked::Original),
    Delete,
    Insert,
    Purge,
    Restore,
    Save,
    Update,
    Upsert(&'a Plan),
}

impl Act<'_> {
    const fn is_delete(self) -> bool {
        matches!(self, Self::Delete | Self::Purge)
    }

    const fn is_save(self) -> bool {
        !matches!(self, Self::Delete | Self::Purge | Self::Restore)
    }
}

/// Whether one statement is all there is to a write.
pub(super) const fn is_plain<M: Model>() -> bool {
    !M::HOOKS && M::TABLE.roles().is_empty() && !M::TABLE.reads_back()
}

/// Does it; says whether there was such a row.
pub(crate) async fn act<M: Model>(
    row: &mut M,
    mut db: impl Executor,
    act: Act<'_>,
    at: At,
) -> Result<bool> {
    if const { is_plain::<M>() } {
        return Ok(write(row, &mut db, act, at).await?.fill(row));
    }
    // In a box, so that only who has more to do has the larger future.
    Box::pin(async move {
        let before = Stamps::of(row);
        let outcome = if M::HOOKS && (act.is_save() || act.is_delete()) {
            in_transaction(row, &mut db, act, at).await
        } else {
            let found = write(row, &mut db, act, at).await;
            found.map(|found| found.fill(row))
        };
        if !matches!(outcome, Ok(true) | Err(Error::Unread { .. })) {
            before.restore(row);
        }
        outcome
    })
    .await
}

async fn in_transaction<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    act: Act<'_>,
    at: At,
) -> Result<bool> {
    let mut tx = db.enter().await?;
    let mut before = None;
    let outcome = match with_hooks(row, &mut tx, act, at, &mut before).await {
        Ok(true) => tx.commit().await.map(|()| true),
        // A delete that found no row: what its hook did, it did for nothing.
        undone => {
            // The first error is the one to tell; a rollback that fails closes the connection.
            let _ = tx.rollback().await;
            undone.map_err(Error::undone)
        }
    };
    if let (Some(before), false) = (before, matches!(outcome, Ok(true))) {
        *row = before;
    }
    outcome
}

/// Leaves in `before` the row as it was written, where it was read back since.
async fn with_hooks<M: Model>(
    row: &mut M,
    tx: &mut impl Executor,
    act: Act<'_>,
    at: At,
    before: &mut Option<M>,
) -> Result<bool> {
    if act.is_delete() {
        row.before_delete(tx).await?;
        return Ok(write(row, tx, act, at).await?.fill(row));
    }
    row.before_save(tx).await?;
    row.validate()?;
    let found = write(row, tx, act, at).await?;
    let is_there = found.is_there();
    *before = found.replace(row);
    row.after_save(tx).await?;
    Ok(is_there)
}

/// The statements themselves.
async fn write<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    act: Act<'_>,
    at: At,
) -> Result<Found<M>> {
    match act {
        // In boxes here and below what is of several statements: the compiler follows futures in futures only so deep,
        // and a stack of wrappers stands below these.
        Act::Change(original) => Box::pin(tracked::change(row, db, original, at)).await,
        Act::Delete => delete(row, db, at).await.map(Found::new),
        Act::Insert => insert(row, db, at).await,
        Act::Purge => purge(row, db, at).await.map(Found::new),
        Act::Restore => restore(row, db, at).await.map(Found::new),
        Act::Save => save(row, db, at).await,
        Act::Update => update(row, db, at).await,
        Act::Upsert(plan) => Box::pin(upsert::write(row, db, plan, at)).await,
    }
}

pub(super) async fn insert<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    at: At,
) -> Result<Found<M>> {
    if row.is_new()
        && let Some(key) = M::Key::generate()
    {
        row.set_key(key);
    }
    if const { !M::TABLE.roles().is_empty() } {
        stamps::inserted(row, stamps::now())?;
    }
    let (dialect, is_new) = (db.dialect(), row.is_new());
    let statements = M::TABLE.statements(dialect);
    let (sql, part) = if is_new {
        (statements.insert, Part::Inserted)
    } else {
        (statements.insert_with_key, Part::KeyThenInserted)
    };
    let statement = Statement::fixed(Kind::Insert, M::TABLE, sql, at);
    let values = Rows::new(slice::from_ref(&*row), part);
    if const { M::TABLE.reads_back() } {
        let (First(stored), done) = db
            .run(&statement, &values, First::<Stored<M>>(None))
            .await?;
        let tenant = values.into_tenant();
        if let Some(Stored::Row(stored)) = stored {
            return Ok(Found::Stored(stored));
        }
        stamps::owned(row, tenant)?;
        if let Some(Stored::Misfit(key, error)) = stored {
            row.set_key(key.unwrap_or_else(|| row.key()));
            return Err(error.unread(M::TABLE.name()));
        }
        // MySQL returns nothing.
        if is_new {
            row.set_key(counted_key::<M>(done.last_insert_id)?);
        }
        let stored = Box::pin(reread(&row.key(), db, at)).await;
        return stored
            .map(Found::Stored)
            .map_err(|error| error.unread(M::TABLE.name()));
    }
    let key = if !is_new {
        db.exec(&statement, &values).await?;
        None
    } else if dialect == Dialect::Postgres {
        Some(db.one::<ReturnedKey<M>>(&statement, &values).await?.0)
    } else {
        let id = db.exec(&statement, &values).await?.last_insert_id;
        Some(counted_key::<M>(id)?)
    };
    let tenant = values.into_tenant();
    stamps::owned(row, tenant)?;
    if let Some(key) = key {
        row.set_key(key);
    }
    Ok(Found::Row)
}

async fn save<M: Model>(row: &mut M, db: &mut impl Executor, at: At) -> Result<Found<M>> {
    if row.is_new() {
        return insert(row, db, at).await;
    }
    if const { M::TABLE.version().is_some() } {
        // A row that was read or written has a version, and one without was not.
        return if stamps::version(row)? == 0 {
            insert(row, db, at).await
        } else {
            update(row, db, at).await
        };
    }
    let sql = M::TABLE.statements(db.dialect()).upsert;
    if sql.is_empty() {
        return Box::pin(update_or_insert(row, db, at)).await;
    }
    let statement = Statement::fixed(Kind::Insert, M::TABLE, sql, at);
    let values = Rows::new(slice::from_ref(&*row), Part::KeyThenInserted);
    db.exec(&statement, values).await?;
    Ok(Found::Row)
}

/// For MySQL, whose ON DUPLICATE KEY fires on any unique index and would overwrite another row; and for rows that one
/// statement does not say all about.
///
/// No transaction is needed around the two: an UPDATE that found nothing has done nothing, so that the INSERT is the
/// only effect. (In a transaction it would also lock the gap where the row is missing, and two of them at once would
/// deadlock.) If another connection inserts the same key in between, the INSERT says so, and there is a row to update.
async fn update_or_insert<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    at: At,
) -> Result<Found<M>> {
    let found = update_found(row, db, at).await?;
    if found.is_there() {
        return Ok(found);
    }
    match insert(row, db, at).await {
        Err(error) if is_key_taken::<M>(&error) => {
            // In a transaction on PostgreSQL the INSERT was the end of it, and its error the one to tell.
            match update_found(row, db, at).await {
                Ok(found) if found.is_there() => Ok(found),
                Ok(_) | Err(_) => Err(error),
            }
        }
        outcome => outcome,
    }
}

fn is_key_taken<M: Model>(error: &Error) -> bool {
    matches!(error, Error::UniqueViolation { constraint, .. } if M::TABLE.is_key_constraint(constraint))
}

async fn update<M: Model>(row: &mut M, db: &mut impl Executor, at: At) -> Result<Found<M>> {
    let found = update_found(row, db, at).await?;
    if found.is_there() {
        Ok(found)
    } else {
        Err(gone::<M>())
    }
}

/// Why an UPDATE found no row.
pub(super) const fn gone<M: Model>() -> Error {
    let table = M::TABLE.name();
    if M::TABLE.version().is_some() {
        Error::Stale { table }
    } else {
        Error::NotFound { table }
    }
}

async fn update_found<M: Model>(row: &mut M, db: &mut impl Executor, at: At) -> Result<Found<M>> {
    let sql = M::TABLE.statements(db.dialect()).update;
    let statement = Statement::fixed(Kind::Update, M::TABLE, sql, at);
    let part = Part::ColumnsThenOwn(M::TABLE.updated_columns());
    if const { !M::TABLE.roles().is_empty() } {
        stamps::updated(row, stamps::now())?;
    }
    run_update(row, db, &statement, part, at).await
}

/// An UPDATE of one row by its own place, and what comes of it for the row.
pub(super) async fn run_update<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    statement: &Statement,
    part: Part<'_>,
    at: At,
) -> Result<Found<M>> {
    let values = Rows::new(slice::from_ref(&*row), part);
    if const { M::TABLE.reads_back() } {
        if db.dialect() == Dialect::MySql {
            return Box::pin(update_and_reread(row, db, statement, values, at)).await;
        }
        let stored = db.optional::<Stored<M>>(statement, &values).await?;
        let tenant = values.into_tenant();
        return match stored {
            None => Ok(Found::None),
            Some(Stored::Row(stored)) => Ok(Found::Stored(stored)),
            Some(Stored::Misfit(_, error)) => {
                stamps::owned(row, tenant)?;
                stamps::counted(row)?;
                Err(error.unread(M::TABLE.name()))
            }
        };
    }
    // Rows found, not rows changed, on MySQL too: sqlx connects with CLIENT_FOUND_ROWS.
    let found = db.exec(statement, &values).await?.rows_affected > 0;
    let tenant = values.into_tenant();
    if found && const { !M::TABLE.roles().is_empty() } {
        stamps::owned(row, tenant)?;
        stamps::counted(row)?;
    }
    Ok(Found::new(found))
}

/// For MySQL, which returns nothing: in one transaction, so that nobody writes in between.
async fn update_and_reread<M: Model>(
    row: &M,
    db: &mut impl Executor,
    statement: &Statement,
    values: Rows<'_, M>,
    at: At,
) -> Result<Found<M>> {
    let mut tx = db.enter().await?;
    let found = match tx.exec(statement, values).await {
        Ok(done) if done.rows_affected == 0 => Ok(Found::None),
        Ok(_) => reread(&row.key(), &mut tx, at).await.map(Found::Stored),
        Err(error) => Err(error),
    };
    if found.is_ok() {
        tx.commit().await?;
    } else {
        let _ = tx.rollback().await;
    }
    found
}

async fn delete<M: Model>(row: &mut M, db: &mut impl Executor, at: At) -> Result<bool> {
    if const { M::TABLE.deleted().is_none() } {
        return purge(row, db, at).await;
    }
    stamps::deleted(row, stamps::now())?;
    let sql = M::TABLE.statements(db.dialect()).delete;
    let statement = Statement::fixed(Kind::Update, M::TABLE, sql, at);
    hide(row, db, &statement, Part::DeletedThenOwn).await
}

async fn restore<M: Model>(row: &mut M, db: &mut impl Executor, at: At) -> Result<bool> {
    let sql = M::TABLE.statements(db.dialect()).restore;
    if sql.is_empty() {
        return Err(Error::Unsupported {
            dialect: db.dialect(),
            what: "restore of a model without a column for deletion: #[model(deleted)]",
        });
    }
    stamps::updated(row, stamps::now())?;
    let statement = Statement::fixed(Kind::Update, M::TABLE, sql, at);
    let found = hide(row, db, &statement, Part::RestoredThenOwn).await?;
    stamps::restored(row)?;
    Ok(found)
}

/// A soft delete, or the end of one.
async fn hide<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    statement: &Statement,
    part: Part<'_>,
) -> Result<bool> {
    let values = Rows::new(slice::from_ref(&*row), part);
    let found = db.exec(statement, &values).await?.rows_affected > 0;
    let tenant = values.into_tenant();
    if found {
        stamps::owned(row, tenant)?;
        stamps::counted(row)?;
    }
    is_there::<M>(found)
}

async fn purge<M: Model>(row: &mut M, db: &mut impl Executor, at: At) -> Result<bool> {
    let sql = M::TABLE.statements(db.dialect()).purge;
    let statement = Statement::fixed(Kind::Delete, M::TABLE, sql, at);
    let values = Rows::new(slice::from_ref(&*row), Part::Own);
    is_there::<M>(db.exec(&statement, values).await?.rows_affected > 0)
}

/// A row that is not found is not there; but where it has a version, it may be there with another.
const fn is_there<M: Model>(found: bool) -> Result<bool> {
    if !found && M::TABLE.version().is_some() {
        Err(gone::<M>())
    } else {
        Ok(found)
    }
}
