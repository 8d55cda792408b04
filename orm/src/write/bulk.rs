//! Writing many rows in few statements.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use crate::codec::Source as _;
use crate::dialect::Dialect;
use crate::error::Result;
use crate::executor::{Executor, Finish as _};
use crate::model::{Key as _, Model};
use crate::statement::{Kind, Statement};
use crate::table::Table;
use crate::tenant::TenantId;
use crate::value::Value;
use crate::write::bind::{Part, ReturnedKey, Rows, counted_key};
use crate::write::chunks::{Back, How, chunks, goes_by_column, is_counted, rows_per_statement};
use crate::write::one::{At, is_plain};
use crate::write::read_back::reread;
use crate::write::stamps::{self, Stamps};
use crate::writer::placeholder;

/// Up to so many rows, an application inserts the same number again and again, so that its statement is kept.
const ROWS_THAT_COME_AGAIN: usize = 100;

pub(crate) async fn insert_all<M: Model>(
    rows: &mut [M],
    back: Back,
    mut db: impl Executor,
    at: At,
) -> Result<u64> {
    if const { is_plain::<M>() } {
        write(rows, back, &mut db, at).await?;
    } else {
        Box::pin(write_undone(rows, back, &mut db, at)).await?;
    }
    Ok(rows.len() as u64)
}

/// Takes out again what a failed write filled in.
async fn write_undone<M: Model>(
    rows: &mut [M],
    back: Back,
    db: &mut impl Executor,
    at: At,
) -> Result<()> {
    let before = rows.iter().map(Stamps::of).collect::<Vec<_>>();
    let outcome = if M::HOOKS {
        in_transaction(rows, db, at).await
    } else {
        write(rows, back, db, at).await.map(drop)
    };
    if outcome.is_err() {
        for (before, row) in before.into_iter().zip(rows) {
            before.restore(row);
        }
    }
    outcome
}

async fn in_transaction<M: Model>(rows: &mut [M], db: &mut impl Executor, at: At) -> Result<()> {
    let mut tx = db.enter().await?;
    let mut before = Vec::new();
    let outcome = match with_hooks(rows, &mut tx, at, &mut before).await {
        Ok(()) => tx.commit().await,
        Err(error) => {
            // The first error is the one to tell; a rollback that fails closes the connection.
            let _ = tx.rollback().await;
            Err(error)
        }
    };
    if outcome.is_err() {
        for (row, before) in rows.iter_mut().zip(before) {
            *row = before;
        }
    }
    outcome
}

/// Leaves in `before` the rows as they were written, where they were read back since.
async fn with_hooks<M: Model>(
    rows: &mut [M],
    tx: &mut impl Executor,
    at: At,
    before: &mut Vec<M>,
) -> Result<()> {
    for row in rows.iter_mut() {
        row.before_save(tx).await?;
        row.validate()?;
    }
    // What comes after the save may want the row as it is stored, key and all.
    *before = write(rows, Back::Read, tx, at).await?;
    for row in rows {
        row.after_save(tx).await?;
    }
    Ok(())
}

/// Gives back what the structs were, if they are others now: those that were read back.
async fn write<M: Model>(
    rows: &mut [M],
    back: Back,
    db: &mut impl Executor,
    at: At,
) -> Result<Vec<M>> {
    for row in rows.iter_mut().filter(|row| row.is_new()) {
        match M::Key::generate() {
            Some(key) => row.set_key(key),
            // Then the database chooses it, for the other rows too.
            None => break,
        }
    }
    if const { !M::TABLE.roles().is_empty() } {
        let now = stamps::now();
        rows.iter_mut()
            .try_for_each(|row| stamps::inserted(row, now))?;
    }
    let by_column = goes_by_column(rows, db.dialect());
    let how = How { by_column, back };
    let chunks = chunks(rows, db.dialect(), how);
    let filled = match chunks.as_slice() {
        [] => return Ok(Vec::new()),
        // What is read back may not fit, and then nothing is to be kept.
        [only] if !how.reads_back(M::TABLE) => {
            vec![insert_rows(&rows[only.clone()], how, db, at).await?]
        }
        chunks => {
            let mut tx = db.enter().await?;
            match insert_chunks(rows, chunks, how, &mut tx, at).await {
                Ok(filled) => {
                    tx.commit().await?;
                    filled
                }
                Err(error) => {
                    let _ = tx.rollback().await;
                    return Err(error);
                }
            }
        }
    };
    // Not before all of it is written: a row whose INSERT was undone has no key.
    let mut before = Vec::new();
    for (chunk, filled) in chunks.into_iter().zip(filled) {
        before.extend(filled.into_rows(&mut rows[chunk])?);
    }
    Ok(before)
}

async fn insert_chunks<M: Model>(
    rows: &[M],
    chunks: &[Range<usize>],
    how: How,
    tx: &mut impl Executor,
    at: At,
) -> Result<Vec<Filled<M>>> {
    let mut filled = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        filled.push(insert_rows(&rows[chunk.clone()], how, tx, at).await?);
    }
    Ok(filled)
}

/// What the database filled into the rows of one statement.
enum Filled<M: Model> {
    /// The keys, in the order of the rows.
    Keys(Vec<M::Key>, Option<TenantId>),
    /// Nothing but the tenant's.
    Nothing(Option<TenantId>),
    /// The rows themselves, in their order.
    Rows(Vec<M>),
}

impl<M: Model> Filled<M> {
    /// Fills the structs; gives back what they were, if they are others now.
    fn into_rows(self, rows: &mut [M]) -> Result<Vec<M>> {
        let tenant = match self {
            Self::Keys(keys, tenant) => {
                for (row, key) in rows.iter_mut().zip(keys) {
                    row.set_key(key);
                }
                tenant
            }
            Self::Nothing(tenant) => tenant,
            Self::Rows(mut stored) => {
                rows.swap_with_slice(&mut stored);
                return Ok(stored);
            }
        };
        if tenant.is_some() {
            rows.iter_mut()
                .try_for_each(|row| stamps::owned(row, tenant.clone()))?;
        }
        Ok(Vec::new())
    }
}

async fn insert_rows<M: Model>(
    rows: &[M],
    mut how: How,
    db: &mut impl Executor,
    at: At,
) -> Result<Filled<M>> {
    let unset = rows[0].is_new();
    how.by_column &= how.is_many(M::TABLE, unset);
    let part = if unset {
        Part::Inserted
    } else {
        Part::KeyThenInserted
    };
    let statement = insert_statement(M::TABLE, db.dialect(), unset, rows.len(), how, at);
    let mut values = Rows::new(rows, part);
    if how.by_column {
        values = values.by_column(width(M::TABLE, unset));
    }
    if how.back == Back::Left {
        db.exec(&statement, &values).await?;
        return Ok(Filled::Nothing(values.into_tenant()));
    }
    if const { M::TABLE.reads_back() } {
        let (stored, done) = db.run(&statement, values, Vec::<M>::new()).await?;
        let stored = if stored.is_empty() {
            reread_rows(rows, db, unset, done.last_insert_id, at).await?
        } else {
            in_order(rows, stored, unset)?
        };
        return Ok(Filled::Rows(stored));
    }
    if !unset {
        db.exec(&statement, &values).await?;
        return Ok(Filled::Nothing(values.into_tenant()));
    }
    if !is_counted(M::TABLE) || M::TABLE.inserted().is_empty() {
        let keys = insert_one_unset::<M>(&statement, &values, db).await?;
        return Ok(Filled::Keys(keys, values.into_tenant()));
    }
    let (keys, done) = db.run(&statement, &values, Vec::<(i64,)>::new()).await?;
    let mut keys: Vec<i64> = keys.into_iter().map(|(key,)| key).collect();
    if keys.is_empty() {
        keys = counted_from(done.last_insert_id, rows.len(), db).await?;
    }
    check_count::<M>(keys.len(), rows.len())?;
    // They were chosen in the order of the rows, and come in any order.
    keys.sort_unstable();
    let keys = keys.into_iter().map(counted_key::<M>);
    Ok(Filled::Keys(
        keys.collect::<Result<_>>()?,
        values.into_tenant(),
    ))
}

/// One row whose key no number says.
async fn insert_one_unset<M: Model>(
    statement: &Statement,
    values: &Rows<'_, M>,
    db: &mut impl Executor,
) -> Result<Vec<M::Key>> {
    let key = if db.dialect() == Dialect::Postgres {
        db.one::<ReturnedKey<M>>(statement, values).await?.0
    } else {
        counted_key::<M>(db.exec(statement, values).await?.last_insert_id)?
    };
    Ok(vec![key])
}

/// The keys that MySQL counted for a statement of so many rows, of which it tells the first: in one INSERT whose number
/// of rows is known before, they follow each other.
async fn counted_from(first: i64, rows: usize, db: &mut impl Executor) -> Result<Vec<i64>> {
    let step = Statement::write("SELECT CAST(@@auto_increment_increment AS SIGNED)").unscoped();
    let (step,) = db.one::<(i64,)>(&step, ()).await?;
    Ok((0..rows as i64).map(|row| first + row * step).collect())
}

fn check_count<M: Model>(back: usize, rows: usize) -> Result<()> {
    if back == rows {
        return Ok(());
    }
    Err(M::TABLE
        .key()
        .misfit("another number of rows was inserted than given"))
}

/// The rows that came back, each in the place of the one that was given.
fn in_order<M: Model>(given: &[M], stored: Vec<M>, unset: bool) -> Result<Vec<M>> {
    check_count::<M>(stored.len(), given.len())?;
    if stored.len() < 2 {
        return Ok(stored);
    }
    let mut by_key = stored
        .into_iter()
        .map(|row| Ok((number(&row)?, row)))
        .collect::<Result<Vec<_>>>()?;
    by_key.sort_unstable_by_key(|(key, _)| *key);
    let stored = by_key.into_iter().map(|(_, row)| row);
    if unset {
        // They were chosen in the order of the rows.
        return Ok(stored.collect());
    }
    let mut places = Vec::with_capacity(given.len());
    for (at, row) in given.iter().enumerate() {
        places.push((number(row)?, at));
    }
    places.sort_unstable();
    let mut placed: Vec<(usize, M)> = places.into_iter().map(|(_, at)| at).zip(stored).collect();
    placed.sort_unstable_by_key(|(at, _)| *at);
    Ok(placed.into_iter().map(|(_, row)| row).collect())
}

/// A key that is an integer.
fn number<M: Model>(row: &M) -> Result<i64> {
    Value::of_column(row, M::TABLE.key_positions()[0]).i64(0, M::TABLE.key())
}

/// For MySQL, which returns nothing.
async fn reread_rows<M: Model>(
    rows: &[M],
    db: &mut impl Executor,
    unset: bool,
    first: i64,
    at: At,
) -> Result<Vec<M>> {
    let keys = if unset {
        let keys = counted_from(first, rows.len(), db).await?;
        keys.into_iter()
            .map(counted_key::<M>)
            .collect::<Result<_>>()?
    } else {
        rows.iter().map(M::key).collect::<Vec<_>>()
    };
    let mut stored = Vec::with_capacity(keys.len());
    for key in keys {
        stored.push(reread(&key, db, at).await?);
    }
    Ok(stored)
}

fn insert_statement(
    table: &'static Table,
    dialect: Dialect,
    unset: bool,
    rows: usize,
    how: How,
    at: At,
) -> Statement {
    let statements = table.statements(dialect);
    if !how.is_many(table, unset) {
        let sql = if unset {
            statements.insert
        } else {
            statements.insert_with_key
        };
        return Statement::fixed(Kind::Insert, table, sql, at);
    }
    let (head, end) = if unset {
        (statements.insert_rows, statements.insert_rows_end)
    } else {
        (
            statements.insert_rows_with_key,
            statements.insert_rows_with_key_end,
        )
    };
    // Keys that come back are those of rows in their order, which has to be said.
    let with_place = unset && how.back == Back::Read;
    let columns = width(table, unset);
    let size = if how.by_column { 1 } else { rows };
    let mut sql = String::with_capacity(head.len() + end.len() + size * (columns * 7 + 8) + 32);
    sql.push_str(head);
    match dialect {
        Dialect::Postgres if how.by_column => {
            sql.push_str("UNNEST(");
            marks(&mut sql, dialect, 0..columns);
            sql.push_str(if with_place { ") WITH ORDINALITY" } else { ")" });
        }
        Dialect::Postgres => {
            sql.push_str("(VALUES ");
            tuples(&mut sql, dialect, rows, columns, with_place);
            sql.push(')');
        }
        Dialect::MySql | Dialect::Sqlite => tuples(&mut sql, dialect, rows, columns, false),
    }
    // With a place, the end names them.
    if dialect == Dialect::Postgres && !with_place {
        name_rows(&mut sql, table, unset);
    }
    if how.back == Back::Read {
        sql.push_str(end);
    }
    let statement = Statement::rendered(Kind::Insert, Some(table), Arc::from(sql), at);
    // What will hardly come again is not kept: the rest of many rows, where each number of rows has its own text.
    if how.by_column || rows <= ROWS_THAT_COME_AGAIN || rows == rows_per_statement(table, dialect) {
        statement
    } else {
        statement.unprepared()
    }
}

/// Names the rows, and their columns as the statement's head calls them.
fn name_rows(sql: &mut String, table: &'static Table, unset: bool) {
    sql.push_str(" AS \"packetboat_rows\"");
    if !unset {
        // The head takes all of them.
        return;
    }
    for (at, &position) in table.inserted().iter().enumerate() {
        sql.push_str(if at == 0 { " (\"" } else { "\", \"" });
        sql.push_str(table.columns()[position].name());
    }
    sql.push_str("\")");
}

/// How many values of a row are bound.
fn width(table: &'static Table, unset: bool) -> usize {
    let key = if unset {
        0
    } else {
        table.key_positions().len()
    };
    table.inserted().len() + key
}

/// The marks of rows: `(?, ?), (?, ?)`, and behind each its place if it is asked for.
fn tuples(sql: &mut String, dialect: Dialect, rows: usize, columns: usize, with_place: bool) {
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        marks(sql, dialect, row * columns..(row + 1) * columns);
        if with_place {
            // By which they are sorted before their keys are chosen. Writing to a String cannot fail.
            let _ = write!(sql, ", {row}");
        }
        sql.push(')');
    }
}

/// The marks of values, of which the first has number 1.
fn marks(sql: &mut String, dialect: Dialect, values: Range<usize>) {
    for value in values.clone() {
        if value > values.start {
            sql.push_str(", ");
        }
        placeholder(sql, dialect, value + 1);
    }
}
