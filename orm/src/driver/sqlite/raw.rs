//! SQLite's own interface, made safe. The one file of this crate with unsafe code.
//!
//! sqlx reads on a thread of its own, duplicates each value, and sends each row through a channel. Past it, a large read
//! takes about a sixth of the time. Nothing here goes past sqlx's lock: a [`Handle`] holds it, and what hangs on a handle
//! cannot outlive it.

#![allow(unsafe_code, reason = "SQLite's C interface; each block has its proof")]

use std::borrow::Cow;
use std::error::Error as StdError;
use std::ffi::{CStr, c_char, c_int};
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libsqlite3_sys as ffi;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::sqlite::LockedSqliteHandle;

use crate::driver::sqlite::cell::Cell;
use crate::driver::sqlite::values::Values;

/// A connection, locked out of the thread that sqlx works on it with.
pub(super) struct Handle<'c> {
    lock: LockedSqliteHandle<'c>,
    interrupt: Arc<Interrupt>,
}

impl<'c> Handle<'c> {
    /// Lets the interrupt reach the connection as long as it is locked; `None` if it has come already.
    pub(super) fn new(mut lock: LockedSqliteHandle<'c>, interrupt: Arc<Interrupt>) -> Option<Self> {
        let mut target = interrupt.target();
        if interrupt.has_come() {
            return None;
        }
        *target = Some(Db(lock.as_raw_handle()));
        drop(target);
        Some(Self { lock, interrupt })
    }

    /// The statement of this text that sqlx has prepared and keeps in the connection's cache.
    ///
    /// While it is borrowed here, sqlx can neither run nor drop it, since both need the lock.
    pub(super) fn cached(&mut self, sql: &str, may: May) -> Option<Query<'_>> {
        let db = self.lock.as_raw_handle().as_ptr();
        let mut at = ptr::null_mut();
        loop {
            // SAFETY: `db` is open, since the lock belongs to its connection; `at` is null, or a statement of `db`,
            // which none but the holder of the lock can have dropped since it was found in the last round.
            at = unsafe { ffi::sqlite3_next_stmt(db, at) };
            let statement = NonNull::new(at)?;
            // SAFETY: the statement is a living one of `db`. Its text is SQLite's own, ends with NUL, and stays as
            // long as the statement.
            let is_it = unsafe {
                let text = ffi::sqlite3_sql(at);
                ffi::sqlite3_stmt_busy(at) == 0
                    && !text.is_null()
                    && CStr::from_ptr(text).to_bytes() == sql.as_bytes()
            };
            if is_it {
                return Query::new(statement, false, may);
            }
        }
    }

    /// Prepares a statement for one run; `None` where SQLite refuses it, or where it is not one statement alone.
    pub(super) fn prepare(&mut self, sql: &str, may: May) -> Option<Query<'_>> {
        let db = self.lock.as_raw_handle().as_ptr();
        let len = c_int::try_from(sql.len()).ok()?;
        let (mut statement, mut tail) = (ptr::null_mut(), ptr::null());
        // SAFETY: `db` is open, as above; text and length are those of `sql`; the last two are valid to write to.
        let code = unsafe {
            ffi::sqlite3_prepare_v2(
                db,
                sql.as_ptr().cast(),
                len,
                &raw mut statement,
                &raw mut tail,
            )
        };
        // From here on it is dropped, whatever follows.
        let query = Query::new(NonNull::new(statement)?, true, may);
        let used = (tail as usize).wrapping_sub(sql.as_ptr() as usize);
        let rest = sql.get(used..).unwrap_or_default();
        if code == ffi::SQLITE_OK && rest.trim().is_empty() {
            query
        } else {
            None
        }
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        // Before the lock goes, and with it what keeps the connection open.
        *self.interrupt.target() = None;
    }
}

/// Whether the connection is in no transaction.
pub(super) fn is_autocommit(lock: &mut LockedSqliteHandle<'_>) -> bool {
    // SAFETY: the connection is open, since the lock belongs to it, and nobody else uses it as long as the lock is held.
    // The call only looks.
    unsafe { ffi::sqlite3_get_autocommit(lock.as_raw_handle().as_ptr()) != 0 }
}

/// What a statement may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum May {
    Read,
    Write,
}

/// A prepared statement, and the values that are bound to it. Dropped, it is reset, so that it holds no lock of the
/// database, and no value is bound to it any more.
pub(super) struct Query<'h> {
    statement: NonNull<ffi::sqlite3_stmt>,
    /// Whether it was prepared here, and is to be dropped here.
    is_own: bool,
    /// As it was found when it was stepped last.
    columns: c_int,
    handle: PhantomData<&'h mut ffi::sqlite3>,
}

impl<'h> Query<'h> {
    /// `None` where it is not for here: it writes and may not, or has parameters with names, which sqlx reads otherwise
    /// than SQLite.
    fn new(statement: NonNull<ffi::sqlite3_stmt>, is_own: bool, may: May) -> Option<Self> {
        let query = Self {
            statement,
            is_own,
            columns: 0,
            handle: PhantomData,
        };
        let at = statement.as_ptr();
        // SAFETY: the statement lives as long as the borrow of the handle that it came from. These calls only look.
        let fits = unsafe {
            (may == May::Write || ffi::sqlite3_stmt_readonly(at) != 0)
                && (1..=ffi::sqlite3_bind_parameter_count(at))
                    .all(|number| ffi::sqlite3_bind_parameter_name(at, number).is_null())
        };
        fits.then_some(query)
    }

    /// Binds the values in order, which stay where they are. What has no value is NULL, as with sqlx.
    pub(super) fn bind(&mut self, values: &'h Values) -> Result<(), Fault> {
        let statement = self.statement.as_ptr();
        // SAFETY: as in `new`.
        let count = unsafe { ffi::sqlite3_bind_parameter_count(statement) };
        for (number, value) in (1..=count).zip(values.cells()) {
            // SAFETY: the statement lives and is not running; the number is one of its own; pointer and length are
            // those of a slice, which SQLite does not copy (STATIC). The slice is borrowed as long as this query, which
            // is never leaked, and unbinds it when it is dropped. A text is UTF-8, which SQLite is told.
            let code = unsafe {
                match value {
                    Cell::Null => ffi::sqlite3_bind_null(statement, number),
                    Cell::Integer(value) => ffi::sqlite3_bind_int64(statement, number, value),
                    Cell::Real(value) => ffi::sqlite3_bind_double(statement, number, value),
                    Cell::Text(text) => ffi::sqlite3_bind_text64(
                        statement,
                        number,
                        text.as_ptr().cast::<c_char>(),
                        text.len() as u64,
                        ffi::SQLITE_STATIC(),
                        ffi::SQLITE_UTF8 as u8,
                    ),
                    // An empty slice's pointer is no null, which would bind NULL.
                    Cell::Blob(bytes) => ffi::sqlite3_bind_blob64(
                        statement,
                        number,
                        bytes.as_ptr().cast(),
                        bytes.len() as u64,
                        ffi::SQLITE_STATIC(),
                    ),
                }
            };
            if code != ffi::SQLITE_OK {
                return Err(self.fault());
            }
        }
        Ok(())
    }

    /// The next row; `None` after the last.
    #[inline]
    pub(super) fn step(&mut self) -> Result<Option<Row<'_>>, Fault> {
        let statement = self.statement.as_ptr();
        // SAFETY: the statement lives, and no other thread uses it or its connection while the lock is held. No row of
        // an earlier step is left, since it would borrow this query.
        match unsafe { ffi::sqlite3_step(statement) } {
            ffi::SQLITE_ROW => {
                // Each time, since a table that was changed meanwhile changes `SELECT *`.
                // SAFETY: as above.
                self.columns = unsafe { ffi::sqlite3_data_count(statement) };
                Ok(Some(Row {
                    statement: self.statement,
                    columns: self.columns,
                    query: PhantomData,
                }))
            }
            ffi::SQLITE_DONE => Ok(None),
            _ => Err(self.fault()),
        }
    }

    /// What the connection says of its last write: how many rows it changed, and the last row's number.
    pub(super) fn changes(&self) -> (u64, i64) {
        // SAFETY: the statement lives, and so does its connection. These calls only look.
        unsafe {
            let db = ffi::sqlite3_db_handle(self.statement.as_ptr());
            let rows = u64::try_from(ffi::sqlite3_changes(db)).unwrap_or_default();
            (rows, ffi::sqlite3_last_insert_rowid(db))
        }
    }

    /// What SQLite said of the last call that failed.
    #[cold]
    fn fault(&self) -> Fault {
        // SAFETY: the statement lives, and so does its connection, whose last message is there, ends with NUL, and
        // stays until the next call. It is copied before that.
        unsafe {
            let db = ffi::sqlite3_db_handle(self.statement.as_ptr());
            Fault {
                code: ffi::sqlite3_extended_errcode(db),
                message: CStr::from_ptr(ffi::sqlite3_errmsg(db))
                    .to_string_lossy()
                    .into_owned(),
            }
        }
    }
}

impl Drop for Query<'_> {
    fn drop(&mut self) {
        let statement = self.statement.as_ptr();
        // SAFETY: the statement lives, and is not used after this: one of our own is nobody else's, and one of sqlx's is
        // left as sqlx leaves it. The codes repeat an error that was told when it happened.
        unsafe {
            if self.is_own {
                ffi::sqlite3_finalize(statement);
            } else {
                ffi::sqlite3_reset(statement);
                ffi::sqlite3_clear_bindings(statement);
            }
        }
    }
}

/// The row that a query stands on, until its next step.
pub(super) struct Row<'q> {
    statement: NonNull<ffi::sqlite3_stmt>,
    columns: c_int,
    query: PhantomData<&'q ()>,
}

impl Row<'_> {
    /// The value in a column; `None` where there is no such column, or no memory.
    pub(super) fn cell(&self, index: usize) -> Option<Cell<'_>> {
        let value = self.value(index)?;
        // SAFETY: the value is one of the row that the statement stands on, and stays until the next step, for which the
        // query would be needed that this row borrows. SQLite's values may be read by one thread at a time, which the
        // lock sees to. Each is read as what it is, so that SQLite converts none, but for a text of a database in UTF-16,
        // which is converted once and then stays; so the pointers hold as long as the value. A length is that of what is
        // behind the pointer, asked for after it.
        unsafe {
            Some(match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => Cell::Integer(ffi::sqlite3_value_int64(value)),
                ffi::SQLITE_FLOAT => Cell::Real(ffi::sqlite3_value_double(value)),
                ffi::SQLITE_TEXT => {
                    let text = NonNull::new(ffi::sqlite3_value_text(value).cast_mut())?;
                    let len = usize::try_from(ffi::sqlite3_value_bytes(value)).ok()?;
                    Cell::Text(slice::from_raw_parts(text.as_ptr(), len))
                }
                ffi::SQLITE_BLOB => {
                    let bytes = ffi::sqlite3_value_blob(value).cast::<u8>().cast_mut();
                    match usize::try_from(ffi::sqlite3_value_bytes(value)).ok()? {
                        // Then the pointer is null.
                        0 => Cell::Blob(&[]),
                        len => {
                            Cell::Blob(slice::from_raw_parts(NonNull::new(bytes)?.as_ptr(), len))
                        }
                    }
                }
                _ => Cell::Null,
            })
        }
    }

    /// The integer in a column; `None` where something else stands there, or nothing.
    ///
    /// This and [`text`](Self::text) are most of what is read. They give back what fits into registers: a [`Cell`] is
    /// written to memory in parts and read again as a whole, for which the processor has to wait.
    #[inline]
    pub(super) fn integer(&self, index: usize) -> Option<i64> {
        let value = self.value(index)?;
        // SAFETY: as in `cell`.
        unsafe {
            (ffi::sqlite3_value_type(value) == ffi::SQLITE_INTEGER)
                .then(|| ffi::sqlite3_value_int64(value))
        }
    }

    /// The text in a column, not necessarily UTF-8; `None` where something else stands there, or nothing, or where there
    /// is no memory for it.
    #[inline]
    pub(super) fn text(&self, index: usize) -> Option<&[u8]> {
        let value = self.value(index)?;
        // SAFETY: as in `cell`: the text stays until the next step, and its length is asked for after it.
        unsafe {
            if ffi::sqlite3_value_type(value) != ffi::SQLITE_TEXT {
                return None;
            }
            let text = NonNull::new(ffi::sqlite3_value_text(value).cast_mut())?;
            let len = usize::try_from(ffi::sqlite3_value_bytes(value)).ok()?;
            Some(slice::from_raw_parts(text.as_ptr(), len))
        }
    }

    /// Whether the value in a column is NULL; `None` where there is no such column.
    #[inline]
    pub(super) fn is_null(&self, index: usize) -> Option<bool> {
        let value = self.value(index)?;
        // SAFETY: as in `cell`.
        Some(unsafe { ffi::sqlite3_value_type(value) } == ffi::SQLITE_NULL)
    }

    #[inline]
    fn value(&self, index: usize) -> Option<*mut ffi::sqlite3_value> {
        let index = c_int::try_from(index).ok()?;
        if index >= self.columns {
            return None;
        }
        // SAFETY: the statement lives and stands on a row, as in `cell`, and the column is one of it.
        Some(unsafe { ffi::sqlite3_column_value(self.statement.as_ptr(), index) })
    }
}

/// Breaks off what is under way on a connection, from another thread.
#[derive(Default)]
pub(super) struct Interrupt {
    has_come: AtomicBool,
    /// The connection, as long as a [`Handle`] holds its lock.
    target: Mutex<Option<Db>>,
}

/// A pointer for one call, which may come from any thread.
struct Db(NonNull<ffi::sqlite3>);

// SAFETY: nothing is done with the pointer but `sqlite3_interrupt`, which SQLite allows from every thread.
unsafe impl Send for Db {}

impl Interrupt {
    /// Breaks off what is stepped now, where it only reads; what is stepped next finds that it is not wanted.
    pub(super) fn interrupt(&self, may: May) {
        let target = self.target();
        self.has_come.store(true, Ordering::Release);
        if let (Some(Db(db)), May::Read) = (&*target, may) {
            // SAFETY: the connection is open, which is all that is asked: a handle holds its lock, and does not let go
            // of it before it has emptied `target`, for which it would have to wait here.
            unsafe { ffi::sqlite3_interrupt(db.as_ptr()) };
        }
    }

    pub(super) fn has_come(&self) -> bool {
        self.has_come.load(Ordering::Acquire)
    }

    fn target(&self) -> MutexGuard<'_, Option<Db>> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error of SQLite, with its extended code. As sqlx's own, which cannot be made outside of it.
#[derive(Debug)]
pub(super) struct Fault {
    code: c_int,
    message: String,
}

impl Fault {
    /// Whether a connection that shares its cache with this one has a table locked.
    pub(super) const fn is_shared_cache_lock(&self) -> bool {
        self.code == ffi::SQLITE_LOCKED_SHAREDCACHE
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl StdError for Fault {}

impl DatabaseError for Fault {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.code {
            ffi::SQLITE_CONSTRAINT_CHECK => ErrorKind::CheckViolation,
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ErrorKind::ForeignKeyViolation,
            ffi::SQLITE_CONSTRAINT_NOTNULL => ErrorKind::NotNullViolation,
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE => {
                ErrorKind::UniqueViolation
            }
            _ => ErrorKind::Other,
        }
    }
}
