//! The text of a statement and the values of its placeholders, piece by piece; touches no pool.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::expr::Place;
use crate::sql::Sql;
use crate::table::{ColumnDef, SqlType};
use crate::value::{Bound, Value};

/// SQL ready to run and the values of its placeholders.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) values: Vec<Bound>,
    /// Whether a raw piece stands in it that does not say that it needs no scope.
    pub(crate) raw: bool,
}

/// Writes the SQL of one dialect. Takes nothing but `&'static str`, and binds values.
pub(crate) struct Writer {
    dialect: Dialect,
    text: String,
    values: Vec<Bound>,
    /// Whether columns are written with their table, because there are several.
    pub(crate) is_qualified: bool,
    /// Whether a raw piece was written that does not say that it needs no scope.
    has_raw: bool,
}

impl Writer {
    pub(crate) fn new(dialect: Dialect, capacity: usize) -> Self {
        Self {
            dialect,
            text: String::with_capacity(capacity),
            values: Vec::new(),
            is_qualified: false,
            has_raw: false,
        }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) const fn unsupported(&self, what: &'static str) -> Error {
        Error::Unsupported {
            dialect: self.dialect,
            what,
        }
    }

    pub(crate) fn finish(self) -> Result<Rendered> {
        if self.values.len() > self.dialect.max_params() {
            return Err(Error::Unsupported {
                dialect: self.dialect,
                what: "more values than one statement can bind; split the list",
            });
        }
        Ok(Rendered {
            sql: Cow::Owned(self.text),
            values: self.values,
            raw: self.has_raw,
        })
    }

    pub(crate) fn push(&mut self, keyword: &'static str) {
        self.text.push_str(keyword);
    }

    pub(crate) fn name(&mut self, name: &'static str) {
        let quote = self.dialect.quote();
        self.text.push(quote);
        self.text.push_str(name);
        self.text.push(quote);
    }

    pub(crate) fn number(&mut self, number: u32) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{number}");
    }

    pub(crate) fn integer(&mut self, number: i64) {
        let _ = write!(self.text, "{number}");
    }

    pub(crate) fn float(&mut self, number: f64) {
        // `{:?}` always has a point or an exponent.
        let _ = write!(self.text, "{number:?}");
    }

    pub(crate) fn value(&mut self, value: Value, column: &'static ColumnDef) {
        self.values.push((value, column));
        placeholder(&mut self.text, self.dialect, self.values.len());
    }

    /// A column, with its table where there are several.
    pub(crate) fn place(&mut self, place: &Place) {
        if self.is_qualified {
            self.name(place.table());
            self.push(".");
        }
        self.name(place.def.name());
    }

    /// Writes each, and the joint between two.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        joint: &'static str,
        mut each: impl FnMut(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        for (position, item) in items.into_iter().enumerate() {
            if position > 0 {
                self.push(joint);
            }
            each(self, item)?;
        }
        Ok(())
    }

    /// Refuses to sort by a column whose stored form sorts otherwise than its values.
    pub(crate) fn check_ordered(&self, column: &ColumnDef) -> Result<()> {
        let is_text_decimal = self.dialect == Dialect::Sqlite
            && column.ty() == SqlType::Decimal
            && column.scale().is_none();
        if is_text_decimal {
            return Err(Error::Unsupported {
                dialect: self.dialect,
                what: "ordering by a decimal kept as text; give the field a scale: #[model(scale = 2)]",
            });
        }
        Ok(())
    }

    /// A piece of raw SQL, its `?` as this dialect's placeholders.
    pub(crate) fn raw(&mut self, sql: &Sql) -> Result<()> {
        self.has_raw |= !sql.unscoped;
        let mut values = sql.values.iter();
        let mut rest = sql.text;
        while let Some(at) = rest.find(['?', '\'', '"', '`']) {
            let (before, mark) = rest.split_at(at);
            self.push(before);
            rest = &mark[1..];
            match mark.as_bytes()[0] {
                b'?' if rest.starts_with('?') => {
                    self.push("?");
                    rest = &rest[1..];
                }
                b'?' => {
                    let value = values.next().ok_or(MISCOUNT(self.dialect))?;
                    self.value(value.clone(), ColumnDef::UNNAMED);
                }
                // Quoted text stays as it is. A doubled quote inside ends one quotation and begins the next.
                quote => {
                    let end = rest
                        .bytes()
                        .position(|b| b == quote)
                        .map_or(rest.len(), |end| end + 1);
                    self.push(&mark[..=end.min(mark.len() - 1)]);
                    rest = &rest[end..];
                }
            }
        }
        self.push(rest);
        if values.next().is_some() {
            Err(MISCOUNT(self.dialect))
        } else {
            Ok(())
        }
    }
}

/// Raw SQL whose `?` are not as many as its values.
const MISCOUNT: fn(Dialect) -> Error = |dialect| Error::Unsupported {
    dialect,
    what: "raw SQL with another number of `?` than of values bound",
};

/// The mark of the value in position `number`, counted from 1.
pub(crate) fn placeholder(text: &mut String, dialect: Dialect, number: usize) {
    match dialect {
        // Writing to a String cannot fail.
        Dialect::Postgres => drop(write!(text, "${number}")),
        Dialect::MySql | Dialect::Sqlite => text.push('?'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::sql;

    fn text(sql: &Sql, dialect: Dialect) -> String {
        sql.render(dialect).expect("rendering").sql.into_owned()
    }

    #[test]
    fn raw_sql_gets_the_placeholders_of_its_dialect() {
        let piece = sql("a = ? AND b = ?").bind(1_i64).bind("x");
        assert_eq!(text(&piece, Dialect::Sqlite), "a = ? AND b = ?");
        assert_eq!(text(&piece, Dialect::Postgres), "a = $1 AND b = $2");
    }

    #[test]
    fn raw_sql_leaves_quoted_and_doubled_question_marks() {
        let piece = sql("a = '?''?' AND \"b?\" ?? 'k' AND c = ? AND d = '?").bind(1_i64);
        assert_eq!(
            text(&piece, Dialect::Postgres),
            "a = '?''?' AND \"b?\" ? 'k' AND c = $1 AND d = '?"
        );
    }

    #[test]
    fn raw_sql_counts_its_values() {
        assert!(matches!(
            sql("a = ?").render(Dialect::Sqlite),
            Err(Error::Unsupported { .. })
        ));
        assert!(matches!(
            sql("a").bind(1_i64).render(Dialect::Sqlite),
            Err(Error::Unsupported { .. })
        ));
    }
}
