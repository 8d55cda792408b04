//! Raw SQL from the program's own source, its values bound.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::codec::Decode;
use crate::dialect::Dialect;
use crate::error::Result;
use crate::executor::{Done, Executor};
use crate::field::Field;
use crate::statement::{Kind, Statement};
use crate::table::ColumnDef;
use crate::value::{Bound, IntoValue, Value};
use crate::writer::{Rendered, Writer};

/// A piece of SQL from the program's own source, with its values bound: a condition of a filter, or a whole query.
///
/// `?` stands for a value on every database; a `?` of SQL itself is written `??`, and one in quotes stays as it is.
///
/// ```
/// # use packetboat_orm::{Model, ModelExt, sql};
/// # #[derive(Model)] struct User { id: i64, name: String }
/// let anns = User::select().filter(sql("lower(name) = ?").bind("ann"));
/// ```
#[derive(Clone, Debug)]
#[must_use = "SQL does nothing until it is run"]
pub struct Sql {
    pub(crate) text: &'static str,
    pub(crate) values: Vec<Value>,
    pub(crate) unscoped: bool,
}

/// Begins a piece of SQL; see [`Sql`].
pub const fn sql(text: &'static str) -> Sql {
    Sql {
        text,
        values: Vec::new(),
        unscoped: false,
    }
}

impl Sql {
    /// Binds the value of the next `?`.
    pub fn bind<T: BindField>(mut self, value: T) -> Self {
        self.values
            .push(Value::of(ColumnDef::UNNAMED, &value.into_field()));
        self
    }

    /// Says that this SQL keeps to the tenant by itself, or is about nobody's rows, so that a
    /// [`Tenant`](crate::Tenant) runs it.
    pub fn unscoped(mut self) -> Self {
        self.unscoped = true;
        self
    }

    /// All rows of a query.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Result, sql};
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let by_year = sql("SELECT year, COUNT(*) FROM movie WHERE year > ? GROUP BY year").bind(1990);
    /// for (year, count) in by_year.all::<(i32, i64)>(db).await? {
    ///     println!("{year}: {count}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) when there are more or fewer values than `?`; [`Error::Decode`](crate::Error::Decode); and whatever the
    /// database refuses.
    #[track_caller]
    pub fn all<T: Decode>(
        self,
        mut db: impl Executor,
    ) -> impl Future<Output = Result<Vec<T>>> + Send {
        let at = Location::caller();
        async move {
            let (statement, values) = self.into_statement(db.dialect(), at)?;
            db.all(&statement, values).await
        }
    }

    /// The first row of a query.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all), and [`Error::NotFound`](crate::Error::NotFound) when there is none.
    #[track_caller]
    pub fn one<T: Decode>(self, mut db: impl Executor) -> impl Future<Output = Result<T>> + Send {
        let at = Location::caller();
        async move {
            let (statement, values) = self.into_statement(db.dialect(), at)?;
            db.one(&statement, values).await
        }
    }

    /// The first row of a query, if there is one.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn optional<T: Decode>(
        self,
        mut db: impl Executor,
    ) -> impl Future<Output = Result<Option<T>>> + Send {
        let at = Location::caller();
        async move {
            let (statement, values) = self.into_statement(db.dialect(), at)?;
            db.optional(&statement, values).await
        }
    }

    /// Runs the SQL for what it does.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    #[track_caller]
    pub fn exec(self, mut db: impl Executor) -> impl Future<Output = Result<Done>> + Send {
        let at = Location::caller();
        async move {
            let (statement, values) = self.into_statement(db.dialect(), at)?;
            db.exec(&statement, values).await
        }
    }

    fn into_statement(
        self,
        dialect: Dialect,
        at: &'static Location<'static>,
    ) -> Result<(Statement, Vec<Bound>)> {
        let kind = self.kind();
        let Rendered { sql, values, raw } = self.render(dialect)?;
        let statement = Statement::rendered(kind, None, Arc::from(sql), at).with_raw(raw);
        Ok((statement, values))
    }

    /// Only what is sure to read counts as reading: a WITH may write, and a SELECT that locks rows (`FOR UPDATE`, `LOCK
    /// IN SHARE MODE`) or makes a table (`INTO`) goes where writes go too.
    fn kind(&self) -> Kind {
        let mut words = self
            .text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty());
        let is_any = |word: &str, of: &[&str]| of.iter().any(|one| word.eq_ignore_ascii_case(one));
        let reads = words
            .next()
            .is_some_and(|word| is_any(word, &["select", "values"]));
        if reads && !words.any(|word| is_any(word, &["for", "into", "lock"])) {
            Kind::Select
        } else {
            Kind::Write
        }
    }

    /// The SQL of a database and its values.
    pub(crate) fn render(&self, dialect: Dialect) -> Result<Rendered> {
        let mut writer = Writer::new(dialect, self.text.len() + 16);
        writer.raw(self)?;
        writer.finish()
    }
}

/// What [`Sql::bind`] takes: any [`Field`], and text and bytes by reference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be bound to SQL",
    note = "bind a field type: a number, text, bytes, a date, `Json<{Self}>`"
)]
pub trait BindField {
    /// The type that is bound.
    type Field: Field;

    /// The value as that type.
    fn into_field(self) -> Self::Field;
}

impl<T: Field> BindField for T {
    type Field = T;

    fn into_field(self) -> T {
        self
    }
}

impl BindField for &str {
    type Field = String;

    fn into_field(self) -> String {
        self.into_value()
    }
}

impl BindField for &[u8] {
    type Field = Vec<u8>;

    fn into_field(self) -> Vec<u8> {
        self.into_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_sure_to_read_counts_as_reading() {
        for reads in [
            "SELECT 1",
            " select formula FROM t",
            "VALUES (1)",
            "(SELECT 1) UNION (SELECT 2)",
        ] {
            assert_eq!(sql(reads).kind(), Kind::Select, "{reads}");
        }
        for writes in [
            "INSERT INTO t VALUES (1) RETURNING id",
            "WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone",
            "SELECT id FROM t FOR UPDATE",
            "SELECT id FROM t LOCK IN SHARE MODE",
            "SELECT id INTO other FROM t",
            "",
        ] {
            assert_eq!(sql(writes).kind(), Kind::Write, "{writes}");
        }
    }
}
