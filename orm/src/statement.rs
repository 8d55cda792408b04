//! A statement that describes itself: its SQL, and what wrappers want to know of it.

use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::table::Table;

/// What a statement does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Takes rows away.
    Delete,
    /// Adds rows, with or without RETURNING.
    Insert,
    /// Reads rows and locks them until the transaction ends, or reads back what was written: it goes where writes go.
    Lock,
    /// Changes tables, not rows.
    Schema,
    /// Reads rows, and nothing else.
    Select,
    /// Begins or ends a transaction. Drivers send these themselves; no wrapper sees one.
    Transaction,
    /// Changes rows.
    Update,
    /// Raw SQL that writes.
    Write,
}

impl Kind {
    /// Whether the statement only reads, so that a replica or a read-only connection can run it.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Select)
    }
}

/// SQL for one run, with what is known about it: table, kind, fingerprint, and the line of code that asked for it.
///
/// Wrappers around an [`Executor`](crate::Executor) see it on its way: a tracer logs it, a router looks at its kind.
#[derive(Clone, Debug)]
pub struct Statement {
    sql: SqlStr,
    kind: Kind,
    table: Option<&'static Table>,
    location: &'static Location<'static>,
    persistent: bool,
    raw: bool,
}

impl Statement {
    /// Raw SQL that only reads, with the placeholders of the database it is for.
    ///
    /// [`sql`](crate::sql) is the form that runs on every database.
    #[track_caller]
    pub fn read(sql: impl SqlSafeStr) -> Self {
        Self::new(Kind::Select, None, sql.into_sql_str(), Location::caller()).with_raw(true)
    }

    /// Raw SQL that writes, with the placeholders of the database it is for.
    #[track_caller]
    pub fn write(sql: impl SqlSafeStr) -> Self {
        Self::new(Kind::Write, None, sql.into_sql_str(), Location::caller()).with_raw(true)
    }

    /// One of a model's fixed statements.
    pub(crate) const fn fixed(
        kind: Kind,
        table: &'static Table,
        sql: &'static str,
        location: &'static Location<'static>,
    ) -> Self {
        Self::new(kind, Some(table), SqlStr::from_static(sql), location)
    }

    /// SQL that this crate rendered.
    ///
    /// The one place where a string made at run time becomes a statement. It is safe because a
    /// [`Writer`](crate::writer::Writer) is fed with nothing but `&'static str`: names out of the derive, keywords, raw
    /// pieces that stand in the program's own source. Values are bound. Tables are rendered by `schema::ddl` out of what
    /// the derive says, every name quoted.
    pub(crate) fn rendered(
        kind: Kind,
        table: Option<&'static Table>,
        sql: Arc<str>,
        location: &'static Location<'static>,
    ) -> Self {
        Self::new(kind, table, AssertSqlSafe(sql).into_sql_str(), location)
    }

    /// Transaction control: `SAVEPOINT packetboat_2`.
    pub(crate) fn control(verb: &'static str, savepoint: Option<u32>) -> Self {
        let sql = match savepoint {
            Some(depth) => AssertSqlSafe(format!("{verb} packetboat_{depth}")).into_sql_str(),
            None => SqlStr::from_static(verb),
        };
        Self::new(Kind::Transaction, None, sql, Location::caller())
    }

    /// How long SQLite waits for a lock on this connection.
    #[cfg(feature = "sqlite")]
    pub(crate) fn busy_timeout(millis: u32) -> Self {
        let sql = AssertSqlSafe(format!("PRAGMA busy_timeout = {millis}")).into_sql_str();
        Self::new(Kind::Transaction, None, sql, Location::caller())
    }

    const fn new(
        kind: Kind,
        table: Option<&'static Table>,
        sql: SqlStr,
        location: &'static Location<'static>,
    ) -> Self {
        Self {
            sql,
            kind,
            table,
            location,
            persistent: true,
            raw: false,
        }
    }

    /// This statement, prepared for one run and not kept in the connection's cache of prepared statements, since its
    /// text will hardly come again.
    pub(crate) fn unprepared(mut self) -> Self {
        self.persistent = false;
        self
    }

    /// Says whether raw SQL of the application stands in it.
    pub(crate) const fn with_raw(mut self, raw: bool) -> Self {
        self.raw = raw;
        self
    }

    /// This statement, allowed for a [`Tenant`](crate::Tenant) too: its raw SQL keeps to the tenant by itself, or is
    /// about nobody's rows.
    #[must_use]
    pub const fn unscoped(self) -> Self {
        self.with_raw(false)
    }

    /// Whether raw SQL stands in it that nobody can hold to a tenant: all of it, or a condition.
    #[must_use]
    pub const fn is_raw(&self) -> bool {
        self.raw
    }

    /// The SQL.
    #[must_use]
    pub fn sql(&self) -> &str {
        self.sql.as_str()
    }

    /// What it does.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The model's table; `None` for raw SQL.
    #[must_use]
    pub const fn table(&self) -> Option<&'static Table> {
        self.table
    }

    /// The table's name; empty for raw SQL.
    #[must_use]
    pub fn table_name(&self) -> &'static str {
        self.table.map_or("", Table::name)
    }

    /// Where in the program it was asked for.
    #[must_use]
    pub const fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// Whether its prepared form is kept for the next run.
    #[must_use]
    pub const fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// The same for statements that differ only in how many values they bind, such as two lengths of `IN (..)`.
    ///
    /// Stable within one build; not to be stored.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        fingerprint(self.sql(), &mut hasher);
        hasher.finish()
    }

    pub(crate) fn sql_str(&self) -> SqlStr {
        self.sql.clone()
    }
}

/// Feeds the SQL to the hasher with every placeholder as `?` and every list of them as one.
fn fingerprint(sql: &str, hasher: &mut impl Hasher) {
    let bytes = sql.as_bytes();
    let mut at = 0;
    let mut last_was_mark = false;
    while at < bytes.len() {
        match bytes[at] {
            b'?' => {
                at += 1;
                mark(&mut last_was_mark, hasher);
            }
            b'$' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                at += 1;
                while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                }
                mark(&mut last_was_mark, hasher);
            }
            // What stands between two placeholders of a list; anything else ends the list.
            b',' | b' ' | b'(' | b')' if last_was_mark => at += 1,
            other => {
                other.hash(hasher);
                last_was_mark = false;
                at += 1;
            }
        }
    }
}

fn mark(last_was_mark: &mut bool, hasher: &mut impl Hasher) {
    if !*last_was_mark {
        b'?'.hash(hasher);
    }
    *last_was_mark = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_ignores_how_many_values_are_bound() {
        let print = |sql: &'static str| Statement::read(sql).fingerprint();
        assert_eq!(print("a IN (?, ?) AND b = ?"), print("a IN (?) AND b = ?"));
        assert_eq!(
            print("a IN ($1, $2) AND b = $3"),
            print("a IN ($1) AND b = $2")
        );
        assert_eq!(print("VALUES (?,?),(?,?)"), print("VALUES (?,?)"));
        assert_ne!(print("a = ?"), print("b = ?"));
        assert_ne!(print("a = ? AND b = ?"), print("a = ?"));
    }

    #[test]
    fn statement_knows_its_caller() {
        let line = line!() + 1;
        let statement = Statement::read("SELECT 1");
        assert_eq!(statement.location().line(), line);
        assert!(statement.location().file().ends_with("statement.rs"));
    }
}
