//! Writing: save, insert, update, delete.

use std::panic::Location;
use std::slice;
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Executor, Finish};
use crate::model::{Key, Model, OwnKey, Part, ReturnedKey, Rows};
use crate::statement::{Kind, Statement};
use crate::table::Table;
use crate::writer::placeholder;

type At = &'static Location<'static>;

/// Rows of one multi-row INSERT. Beyond this, a statement gets no faster, and its text only longer.
const ROWS_PER_STATEMENT: usize = 500;

pub(crate) async fn insert<M: Model>(row: &mut M, mut db: impl Executor, at: At) -> Result<()> {
    if row.is_new() {
        match M::Key::generate() {
            Some(key) => row.set_key(key),
            None => return insert_choosing_key(row, db, at).await,
        }
    }
    insert_with_key(row, &mut db, at).await
}

async fn insert_with_key<M: Model>(row: &M, db: &mut impl Executor, at: At) -> Result<()> {
    let sql = M::TABLE.statements(db.dialect()).insert_with_key;
    let statement = Statement::fixed(Kind::Insert, M::TABLE, sql, at);
    db.exec(&statement, Rows(slice::from_ref(row), Part::KeyThenRest))
        .await
        .map(drop)
}

async fn insert_choosing_key<M: Model>(row: &mut M, mut db: impl Executor, at: At) -> Result<()> {
    let dialect = db.dialect();
    let sql = M::TABLE.statements(dialect).insert;
    let statement = Statement::fixed(Kind::Insert, M::TABLE, sql, at);
    let values = Rows(slice::from_ref(&*row), Part::Rest);
    let key = if dialect == Dialect::Postgres {
        db.one::<ReturnedKey<M>>(&statement, values).await?.0
    } else {
        let id = db.exec(&statement, values).await?.last_insert_id;
        M::Key::from_last_id(id)
            .ok_or_else(|| M::TABLE.key().misfit("a key out of the field's range"))?
    };
    row.set_key(key);
    Ok(())
}

pub(crate) async fn save<M: Model>(row: &mut M, mut db: impl Executor, at: At) -> Result<()> {
    if row.is_new() {
        return insert(row, db, at).await;
    }
    let sql = M::TABLE.statements(db.dialect()).upsert;
    if sql.is_empty() {
        return update_or_insert(row, db, at).await;
    }
    let statement = Statement::fixed(Kind::Insert, M::TABLE, sql, at);
    db.exec(&statement, Rows(slice::from_ref(row), Part::KeyThenRest))
        .await
        .map(drop)
}

/// For MySQL, whose ON DUPLICATE KEY fires on any unique index and would overwrite another row.
///
/// No transaction is needed around the two: an UPDATE that found nothing has done nothing, so that the INSERT is the
/// only effect. (In a transaction it would also lock the gap where the row is missing, and two of them at once would
/// deadlock.) If another connection inserts the same key in between, the INSERT says so, and there is a row to update.
async fn update_or_insert<M: Model>(row: &M, mut db: impl Executor, at: At) -> Result<()> {
    if update_found(row, &mut db, at).await? {
        return Ok(());
    }
    match insert_with_key(row, &mut db, at).await {
        Err(error) if error.is_unique(M::TABLE.key().name()) => {
            if update_found(row, &mut db, at).await? {
                Ok(())
            } else {
                Err(error)
            }
        }
        outcome => outcome,
    }
}

async fn update_found<M: Model>(row: &M, db: &mut impl Executor, at: At) -> Result<bool> {
    let sql = M::TABLE.statements(db.dialect()).update;
    let statement = Statement::fixed(Kind::Update, M::TABLE, sql, at);
    let done = db
        .exec(&statement, Rows(slice::from_ref(row), Part::RestThenKey))
        .await?;
    // Rows found, not rows changed, on MySQL too: sqlx connects with CLIENT_FOUND_ROWS.
    Ok(done.rows_affected > 0)
}

pub(crate) async fn update<M: Model>(row: &M, mut db: impl Executor, at: At) -> Result<()> {
    if update_found(row, &mut db, at).await? {
        Ok(())
    } else {
        Err(Error::NotFound {
            table: M::TABLE.name(),
        })
    }
}

pub(crate) async fn delete<M: Model>(row: &M, mut db: impl Executor, at: At) -> Result<bool> {
    let sql = M::TABLE.statements(db.dialect()).delete;
    let statement = Statement::fixed(Kind::Delete, M::TABLE, sql, at);
    Ok(db.exec(&statement, OwnKey(row)).await?.rows_affected > 0)
}

pub(crate) async fn insert_all<M: Model>(
    rows: &mut [M],
    mut db: impl Executor,
    at: At,
) -> Result<u64> {
    for row in rows.iter_mut().filter(|row| row.is_new()) {
        match M::Key::generate() {
            Some(key) => row.set_key(key),
            // Then the database chooses it, for the other rows too.
            None => break,
        }
    }
    let chunks = chunks(rows, db.dialect());
    match chunks.as_slice() {
        [] => Ok(0),
        [only] => insert_rows(only, &mut db, at).await,
        chunks => {
            let mut tx = db.enter().await?;
            let mut written = 0;
            for chunk in chunks {
                match insert_rows(chunk, &mut tx, at).await {
                    Ok(rows) => written += rows,
                    Err(error) => {
                        // The first error is the one to tell; a rollback that fails closes the connection.
                        let _ = tx.rollback().await;
                        return Err(error);
                    }
                }
            }
            tx.commit().await?;
            Ok(written)
        }
    }
}

/// Cuts the rows into statements: each with the keys given, or each with keys to be chosen.
fn chunks<M: Model>(rows: &[M], dialect: Dialect) -> Vec<&[M]> {
    let columns = M::TABLE.columns().len();
    let most = ROWS_PER_STATEMENT
        .min(dialect.max_params() / columns)
        .max(1);
    let mut chunks = Vec::with_capacity(rows.len() / most + 1);
    for run in rows.chunk_by(|a, b| a.is_new() == b.is_new()) {
        if run[0].is_new() {
            // SQL has no multi-row form of an INSERT that names no column.
            chunks.extend(run.chunks(if columns == 1 { 1 } else { most }));
        } else {
            chunks.extend(run.chunks(most));
        }
    }
    chunks
}

async fn insert_rows<M: Model>(rows: &[M], db: &mut impl Executor, at: At) -> Result<u64> {
    let dialect = db.dialect();
    let unset = rows[0].is_new();
    let part = if unset { Part::Rest } else { Part::KeyThenRest };
    let statement = insert_statement(M::TABLE, dialect, unset, rows.len(), at);
    Ok(db.exec(&statement, Rows(rows, part)).await?.rows_affected)
}

fn insert_statement(
    table: &'static Table,
    dialect: Dialect,
    unset: bool,
    rows: usize,
    at: At,
) -> Statement {
    let statements = table.statements(dialect);
    let columns = table.columns().len() - usize::from(unset);
    if columns == 0 {
        return Statement::fixed(Kind::Insert, table, statements.insert, at);
    }
    let head = if unset {
        statements.insert_rows
    } else {
        statements.insert_rows_with_key
    };
    let mut sql = String::with_capacity(head.len() + rows * (columns * 7 + 3));
    sql.push_str(head);
    let mut number = 0;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            if column > 0 {
                sql.push_str(", ");
            }
            number += 1;
            placeholder(&mut sql, dialect, number);
        }
        sql.push(')');
    }
    let statement = Statement::rendered(Kind::Insert, Some(table), Arc::from(sql), at);
    // A full chunk will come again, an odd rest hardly.
    if rows == ROWS_PER_STATEMENT || rows == 1 {
        statement
    } else {
        statement.unprepared()
    }
}
