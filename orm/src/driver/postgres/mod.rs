//! PostgreSQL: values that it does not take, values that Rust does not take, and its errors.

mod values;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgArguments, PgConnection, PgDatabaseError, PgHasArrayType, PgRow, Postgres};
use sqlx::types::Json;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use crate::codec::{Sink, Source, sealed};
use crate::dialect::Dialect;
use crate::driver::postgres::values::Values;
use crate::driver::refusal::{self, Violated};
use crate::driver::run::{drive, executors, gets, puts};
use crate::driver::{Driver, Harm};
use crate::error::{Error, Result, Unfit};
use crate::executor::{Collect, Done};
use crate::statement::Statement;
use crate::table::{ColumnDef, SqlType};
use crate::unfit;
use crate::value::List;

impl sealed::Sealed for Postgres {}
impl sealed::Sealed for Values {}
impl sealed::Sealed for PgRow {}

impl Driver for Postgres {
    type Values = Values;

    const DIALECT: Dialect = Dialect::Postgres;
    const BEGIN: &'static str = "BEGIN";
    const BEGIN_READ: &'static str = "BEGIN READ ONLY";
    const SCHEMA_COMMITS: bool = false;
    // A server that does not answer would not answer a rollback either.
    const ROLLS_BACK_WHEN_LEFT: bool = false;
    // sqlx counts the answers that are owed, and reads past them.
    const SURVIVES_CANCEL: bool = true;

    async fn run<C: Collect>(
        connection: &mut PgConnection,
        owes: &mut bool,
        statement: &Statement,
        values: Values,
        mut out: C,
    ) -> Result<(C, Done)> {
        // The key that the database chose comes as a row, by RETURNING.
        drive!(
            Self,
            connection,
            owes,
            statement,
            values.into_arguments()?,
            out,
            |done| 0,
            |error| refuse(error, statement)
        )
    }

    async fn control(connection: &mut PgConnection, statement: Statement) -> Result<()> {
        let outcome = sqlx::raw_sql(statement.sql_str()).execute(connection).await;
        outcome.map(drop).map_err(|error| refuse(error, &statement))
    }

    fn harm(error: &sqlx::Error) -> Harm {
        match error {
            // After any error the server takes nothing but a rollback.
            sqlx::Error::Database(_) => Harm::Level,
            _ => Harm::Transaction,
        }
    }

    fn is_outdated(error: &sqlx::Error) -> bool {
        // A column has another type than when the statement was prepared, and the driver keeps what it has prepared:
        // "cached plan must not change result type", for as long as the connection lives.
        refusal_of(error).is_some_and(|refusal| {
            refusal.code() == "0A000" && refusal.routine() == Some("RevalidateCachedQuery")
        })
    }

    fn takes_no_writes(error: &sqlx::Error) -> bool {
        // A server that was made a standby, or whose disk is full.
        refusal_of(error).is_some_and(|refusal| refusal.code() == "25006")
    }

    fn says_no_transaction(_: &sqlx::Error) -> bool {
        // That is a warning here, not an error.
        false
    }
}

executors!(Postgres, PgConnection);

fn refusal_of(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

fn refuse(error: sqlx::Error, statement: &Statement) -> Error {
    let code = error.as_database_error().and_then(DatabaseError::code);
    // A serialization failure, a deadlock, a lock not available.
    let is_busy = matches!(code.as_deref(), Some("40001" | "40P01" | "55P03"));
    // The server goes away: an administrator's command, a crash, a restart, too many connections.
    if matches!(code.as_deref(), Some("57P01" | "57P02" | "57P03" | "53300")) {
        return refusal::broken(error, statement);
    }
    drop(code);
    refusal::statement(error, statement, Dialect::Postgres, is_busy, |refusal| {
        let refusal = refusal.downcast_ref::<PgDatabaseError>();
        // "Key (name, age)=(ann, 3) already exists."
        let keys = refusal
            .detail()
            .and_then(|detail| detail.strip_prefix("Key ("))
            .and_then(|detail| detail.split_once(")=("))
            .map_or("", |(keys, _)| keys);
        let named = refusal
            .column()
            .into_iter()
            .chain(keys.split(", ").filter(|key| !key.is_empty()));
        Violated {
            constraint: refusal.constraint().map(str::to_owned),
            columns: named
                .map(|name| name.trim_matches('"').to_owned())
                .collect(),
        }
    })
}

fn add<'q, T>(values: &mut Values, column: &ColumnDef, value: T) -> Result<()>
where
    T: sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres> + PgHasArrayType,
{
    values.add(column, value)
}

fn no_nul(column: &ColumnDef, value: &str) -> Result<()> {
    if value.contains('\0') {
        Err(unfit::encode(column, Unfit::Nul))
    } else {
        Ok(())
    }
}

/// Whether a JSON text has NUL in a string, which serializes as `\u0000`. JSONB refuses it.
fn has_escaped_nul(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        if rest[at + 1..].starts_with("u0000") {
            return true;
        }
        // Past the escaped character, which may be another backslash. In JSON it is ASCII.
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

impl Sink for Values {
    fn reserve(&mut self, additional: usize) {
        self.reserve(additional);
    }

    fn null(&mut self, column: &ColumnDef, ty: SqlType) -> Result<()> {
        match ty {
            SqlType::Bool => add(self, column, None::<bool>),
            SqlType::Bytes => add(self, column, None::<Vec<u8>>),
            SqlType::Date => add(self, column, None::<NaiveDate>),
            SqlType::DateTime => add(self, column, None::<DateTime<Utc>>),
            SqlType::Decimal => add(self, column, None::<Decimal>),
            SqlType::F32 => add(self, column, None::<f32>),
            SqlType::F64 => add(self, column, None::<f64>),
            SqlType::I16 => add(self, column, None::<i16>),
            SqlType::I32 => add(self, column, None::<i32>),
            SqlType::I64 => add(self, column, None::<i64>),
            SqlType::Json => add(self, column, None::<Json<bool>>),
            SqlType::NaiveDateTime => add(self, column, None::<NaiveDateTime>),
            SqlType::Text => add(self, column, None::<String>),
            SqlType::Uuid => add(self, column, None::<Uuid>),
        }
    }

    puts! {
        bool(bool);
        i16(i16);
        i32(i32);
        i64(i64);
        uuid(Uuid);
    }

    fn u64(&mut self, column: &ColumnDef, value: u64) -> Result<()> {
        add(self, column, unfit::signed(column, value)?)
    }

    fn f32(&mut self, column: &ColumnDef, value: f32) -> Result<()> {
        unfit::finite(column, value.into())?;
        add(self, column, value)
    }

    fn f64(&mut self, column: &ColumnDef, value: f64) -> Result<()> {
        unfit::finite(column, value)?;
        add(self, column, value)
    }

    fn text(&mut self, column: &ColumnDef, value: &str) -> Result<()> {
        unfit::text_size(column, value)?;
        no_nul(column, value)?;
        add(self, column, value)
    }

    fn bytes(&mut self, column: &ColumnDef, value: &[u8]) -> Result<()> {
        unfit::bytes_size(column, value)?;
        add(self, column, value)
    }

    fn datetime(&mut self, column: &ColumnDef, value: DateTime<Utc>) -> Result<()> {
        add(self, column, unfit::datetime(column, value)?)
    }

    fn naive_datetime(&mut self, column: &ColumnDef, value: NaiveDateTime) -> Result<()> {
        add(self, column, unfit::naive_datetime(column, value)?)
    }

    fn date(&mut self, column: &ColumnDef, value: NaiveDate) -> Result<()> {
        add(self, column, unfit::date(column, value)?)
    }

    fn decimal(&mut self, column: &ColumnDef, value: Decimal) -> Result<()> {
        add(self, column, unfit::decimal(column, value)?)
    }

    fn json(&mut self, column: &ColumnDef, value: &str) -> Result<()> {
        if has_escaped_nul(value) {
            return Err(unfit::encode(column, Unfit::Nul));
        }
        let raw: &serde_json::value::RawValue = serde_json::from_str(value)
            .map_err(|error| unfit::encode(column, Unfit::Json(std::sync::Arc::new(error))))?;
        add(self, column, Json(raw))
    }

    fn list(&mut self, column: &ColumnDef, values: &List) -> Result<()> {
        let unfit = || unfit::encode(column, Unfit::OutOfRange);
        match (values, column.ty()) {
            // An index on a narrow column is of use for an array of its own width only.
            (List::Ints(values), SqlType::I16) => {
                let narrow = values.iter().map(|&value| i16::try_from(value));
                let narrow = narrow.collect::<Result<Vec<_>, _>>();
                self.add_list(column, narrow.map_err(|_| unfit())?)
            }
            (List::Ints(values), SqlType::I32) => {
                let narrow = values.iter().map(|&value| i32::try_from(value));
                let narrow = narrow.collect::<Result<Vec<_>, _>>();
                self.add_list(column, narrow.map_err(|_| unfit())?)
            }
            (List::Ints(values), _) => self.add_list(column, values.as_slice()),
            (List::Texts(values), _) => {
                values.iter().try_for_each(|value| no_nul(column, value))?;
                self.add_list(column, values.as_slice())
            }
            (List::Uuids(values), _) => self.add_list(column, values.as_slice()),
        }
    }

    fn by_column(&mut self, columns: usize) {
        self.by_column(columns);
    }

    fn as_postgres(&mut self) -> Option<&mut PgArguments> {
        self.as_arguments()
    }
}

fn get<'r, T>(row: &'r PgRow, index: usize, column: &ColumnDef) -> Result<T>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    row.try_get(index).map_err(|error| column.misfit(error))
}

/// Reads the integer that stands for a value of one of these types.
fn integer(row: &PgRow, index: usize, column: &ColumnDef, types: &[&str]) -> Result<i64> {
    let raw = row
        .try_get_raw(index)
        .map_err(|error| column.misfit(error))?;
    let ty = raw.type_info();
    if !raw.is_null() && !types.contains(&ty.name()) {
        return Err(column.misfit(format!("{} instead of {}", ty.name(), types.join(" or "))));
    }
    row.try_get_unchecked(index)
        .map_err(|error| column.misfit(error))
}

/// PostgreSQL counts from the year 2000, and its largest and smallest numbers are the infinities. The driver adds
/// without a check, so it is done here.
const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day of the calendar");

fn time(row: &PgRow, index: usize, column: &ColumnDef, ty: &str) -> Result<NaiveDateTime> {
    let micros = integer(row, index, column, &[ty])?;
    let epoch = EPOCH.and_time(chrono::NaiveTime::MIN);
    epoch
        .checked_add_signed(TimeDelta::microseconds(micros))
        .ok_or_else(|| column.misfit("a time beyond the calendar"))
}

impl Source for PgRow {
    fn is_null(&self, index: usize, column: &ColumnDef) -> Result<bool> {
        Ok(self
            .try_get_raw(index)
            .map_err(|error| column.misfit(error))?
            .is_null())
    }

    gets! {
        bool(bool);
        f32(f32);
        text(String);
        bytes(Vec<u8>);
        uuid(Uuid);
        decimal(Decimal);
    }

    fn i64(&self, index: usize, column: &ColumnDef) -> Result<i64> {
        // A sum of large integers.
        let is_numeric =
            |value: sqlx::postgres::PgValueRef<'_>| value.type_info().name() == "NUMERIC";
        if self.try_get_raw(index).is_ok_and(is_numeric) {
            return unfit::whole(column, self.decimal(index, column)?);
        }
        integer(self, index, column, &["INT8", "INT4", "INT2"])
    }

    fn f64(&self, index: usize, column: &ColumnDef) -> Result<f64> {
        match self.try_get::<f64, _>(index) {
            Ok(value) => Ok(value),
            Err(error) => match self.try_get::<f32, _>(index) {
                Ok(value) => Ok(value.into()),
                Err(_) => Err(column.misfit(error)),
            },
        }
    }

    fn datetime(&self, index: usize, column: &ColumnDef) -> Result<DateTime<Utc>> {
        time(self, index, column, "TIMESTAMPTZ").map(|time| time.and_utc())
    }

    fn naive_datetime(&self, index: usize, column: &ColumnDef) -> Result<NaiveDateTime> {
        time(self, index, column, "TIMESTAMP")
    }

    fn date(&self, index: usize, column: &ColumnDef) -> Result<NaiveDate> {
        let days = integer(self, index, column, &["DATE"])?;
        let distance = Days::new(days.unsigned_abs());
        let day = if days < 0 {
            EPOCH.checked_sub_days(distance)
        } else {
            EPOCH.checked_add_days(distance)
        };
        day.ok_or_else(|| column.misfit("a day beyond the calendar"))
    }

    fn json(&self, index: usize, column: &ColumnDef) -> Result<String> {
        let raw: Json<&serde_json::value::RawValue> = get(self, index, column)?;
        Ok(raw.0.get().to_owned())
    }

    fn as_postgres(&self) -> Option<&PgRow> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::has_escaped_nul;

    #[test]
    fn escaped_nul_is_told_from_an_escaped_backslash() {
        assert!(has_escaped_nul(r#"{"a":"x\u0000"}"#));
        assert!(has_escaped_nul(r#""\\\u0000""#));
        assert!(!has_escaped_nul(r#""\\u0000""#));
        assert!(!has_escaped_nul(r#""\u0001""#));
    }
}
