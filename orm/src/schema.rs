//! CREATE TABLE from a model.

use std::panic::Location;
use std::sync::Arc;

use rust_decimal::Decimal;

use crate::dialect::Dialect;
use crate::statement::{Kind, Statement};
use crate::table::{ColumnDef, DefaultValue, SqlType, Table};
use crate::unfit;
use crate::writer::Writer;

/// The statement that creates the table with its key and unique constraints.
pub(crate) fn create_table(
    table: &'static Table,
    dialect: Dialect,
    location: &'static Location<'static>,
) -> Statement {
    let mut writer = Writer::new(dialect, 64 * table.columns().len());
    writer.push("CREATE TABLE IF NOT EXISTS ");
    writer.name(table.name());
    writer.push(" (");
    for (position, column) in table.columns().iter().enumerate() {
        if position > 0 {
            writer.push(", ");
        }
        writer.name(column.name());
        writer.push(" ");
        column_type(&mut writer, column, dialect);
        if column.is_key() {
            key(&mut writer, column, dialect);
        } else if !column.is_nullable() {
            writer.push(" NOT NULL");
        }
        if let Some(value) = column.default() {
            default(&mut writer, column, value, dialect);
        }
    }
    for unique in table.uniques() {
        writer.push(", CONSTRAINT ");
        writer.name(unique.name());
        writer.push(" UNIQUE (");
        for (position, column) in unique.columns().iter().enumerate() {
            if position > 0 {
                writer.push(", ");
            }
            writer.name(column);
        }
        writer.push(")");
    }
    writer.push(")");
    if dialect == Dialect::MySql {
        writer.push(" DEFAULT CHARACTER SET utf8mb4");
    }
    Statement::rendered(
        Kind::Schema,
        Some(table),
        Arc::from(writer.into_text()),
        location,
    )
}

/// The type as the database spells it.
fn column_type(writer: &mut Writer, column: &ColumnDef, dialect: Dialect) {
    use Dialect::{MySql, Postgres, Sqlite};

    let name = match (column.ty(), dialect) {
        (SqlType::Bool, _) => "BOOLEAN",
        (SqlType::Bytes, Sqlite) => "BLOB",
        (SqlType::Bytes, Postgres) => "BYTEA",
        (SqlType::Bytes, MySql) => {
            return sized(writer, column, "VARBINARY", "LONGBLOB");
        }
        (SqlType::Date, Sqlite) => "TEXT",
        (SqlType::Date, _) => "DATE",
        (SqlType::DateTime | SqlType::NaiveDateTime, Sqlite) => "TEXT",
        (SqlType::DateTime, Postgres) => "TIMESTAMPTZ",
        (SqlType::NaiveDateTime, Postgres) => "TIMESTAMP",
        // Not TIMESTAMP, which ends in 2038 and moves with the session's zone.
        (SqlType::DateTime | SqlType::NaiveDateTime, MySql) => "DATETIME(6)",
        (SqlType::Decimal, _) => return decimal_type(writer, column, dialect),
        (SqlType::F32, MySql) => "FLOAT",
        (SqlType::F32 | SqlType::F64, Sqlite) => "REAL",
        (SqlType::F32, Postgres) => "REAL",
        (SqlType::F64, Postgres) => "DOUBLE PRECISION",
        (SqlType::F64, MySql) => "DOUBLE",
        (SqlType::I16 | SqlType::I32 | SqlType::I64, Sqlite) => "INTEGER",
        (SqlType::I16, _) => "SMALLINT",
        (SqlType::I32, _) => "INTEGER",
        (SqlType::I64, _) => "BIGINT",
        (SqlType::Json, Sqlite) => "TEXT",
        (SqlType::Json, Postgres) => "JSONB",
        (SqlType::Json, MySql) => "JSON",
        (SqlType::Text, Sqlite) => "TEXT",
        // By bytes, as elsewhere, and not by the language of the cluster.
        (SqlType::Text, Postgres) => "TEXT COLLATE \"C\"",
        (SqlType::Text, MySql) => {
            sized(writer, column, "VARCHAR", "LONGTEXT");
            // By bytes, and without the padding that makes `Ann ` equal `Ann`. MariaDB and MySQL have different names
            // for it; each reads the comment that is meant for it.
            " CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */"
        }
        (SqlType::Uuid, Sqlite) => "BLOB",
        (SqlType::Uuid, Postgres) => "UUID",
        (SqlType::Uuid, MySql) => "BINARY(16)",
    };
    writer.push(name);
}

fn sized(writer: &mut Writer, column: &ColumnDef, bounded: &'static str, unbounded: &'static str) {
    match column.size() {
        Some(size) => {
            writer.push(bounded);
            writer.push("(");
            writer.number(size);
            writer.push(")");
        }
        None => writer.push(unbounded),
    }
}

/// SQLite has no decimals: an integer of the column's scale, or else text. MySQL wants both sizes; without a scale,
/// 28 digits on either side of the point hold every `Decimal`.
fn decimal_type(writer: &mut Writer, column: &ColumnDef, dialect: Dialect) {
    match (dialect, column.scale()) {
        (Dialect::Sqlite, Some(_)) => writer.push("INTEGER"),
        (Dialect::Sqlite, None) => writer.push("TEXT"),
        (Dialect::Postgres, None) => writer.push("NUMERIC"),
        (Dialect::MySql, None) => writer.push("DECIMAL(57, 28)"),
        (Dialect::MySql | Dialect::Postgres, Some(scale)) => {
            // 19 digits hold every i64, which is what SQLite has; a leading zero before the point needs one more.
            writer.push(if dialect == Dialect::MySql {
                "DECIMAL("
            } else {
                "NUMERIC("
            });
            writer.number(20.max(scale + 1));
            writer.push(", ");
            writer.number(scale);
            writer.push(")");
        }
    }
}

/// An integer key is chosen by the database, and never given twice, even after a delete.
fn key(writer: &mut Writer, column: &ColumnDef, dialect: Dialect) {
    let is_integer = matches!(column.ty(), SqlType::I16 | SqlType::I32 | SqlType::I64);
    match dialect {
        Dialect::Sqlite if is_integer => writer.push(" PRIMARY KEY AUTOINCREMENT"),
        Dialect::Sqlite => writer.push(" PRIMARY KEY NOT NULL"),
        Dialect::Postgres if is_integer => {
            writer.push(" GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY");
        }
        Dialect::MySql if is_integer => writer.push(" AUTO_INCREMENT PRIMARY KEY"),
        Dialect::Postgres | Dialect::MySql => writer.push(" PRIMARY KEY"),
    }
}

fn default(writer: &mut Writer, column: &ColumnDef, value: DefaultValue, dialect: Dialect) {
    // In brackets: MySQL takes an expression there, but for TEXT and BLOB no bare literal.
    writer.push(" DEFAULT (");
    // SQLite keeps the digits of a decimal with a scale as an integer.
    let scale = column.scale().filter(|_| dialect == Dialect::Sqlite);
    if let Some(digits) = scale.and_then(|scale| digits(column, value, scale)) {
        writer.integer(digits);
        writer.push(")");
        return;
    }
    match value {
        DefaultValue::Bool(value) => writer.push(match (value, dialect) {
            (true, Dialect::Sqlite) => "1",
            (false, Dialect::Sqlite) => "0",
            (true, _) => "TRUE",
            (false, _) => "FALSE",
        }),
        DefaultValue::Float(value) => writer.float(value),
        DefaultValue::Int(value) => writer.integer(value),
        // The very text that the SQLite codec writes: fixed width, microseconds.
        DefaultValue::Now => writer.push(match (dialect, column.ty()) {
            (Dialect::Sqlite, SqlType::Date) => "strftime('%Y-%m-%d', 'now')",
            (Dialect::Sqlite, SqlType::NaiveDateTime) => "strftime('%Y-%m-%dT%H:%M:%f000', 'now')",
            (Dialect::Sqlite, _) => "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')",
            (Dialect::Postgres, SqlType::Date) => "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')::date",
            (Dialect::Postgres, SqlType::NaiveDateTime) => "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'",
            (Dialect::Postgres, _) => "CURRENT_TIMESTAMP",
            (Dialect::MySql, SqlType::Date) => "UTC_DATE()",
            (Dialect::MySql, _) => "UTC_TIMESTAMP(6)",
        }),
        DefaultValue::Text(value) => writer.literal(value),
    }
    writer.push(")");
}

/// The digits of a default that is a number which the column can hold.
fn digits(column: &ColumnDef, value: DefaultValue, scale: u32) -> Option<i64> {
    let number: Decimal = match value {
        DefaultValue::Float(value) => format!("{value}").parse().ok()?,
        DefaultValue::Int(value) => value.into(),
        DefaultValue::Text(value) => value.parse().ok()?,
        DefaultValue::Bool(_) | DefaultValue::Now => return None,
    };
    unfit::scaled(column, number, scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Statements, Unique};

    const NONE: Statements = Statements {
        select: "",
        find: "",
        insert: "",
        insert_with_key: "",
        insert_rows: "",
        insert_rows_with_key: "",
        upsert: "",
        update: "",
        delete: "",
    };

    const COLUMNS: &[ColumnDef] = &[
        ColumnDef::new("coin", "id", SqlType::I64, false).with_key(),
        ColumnDef::new("coin", "owner", SqlType::Text, false)
            .with_unique()
            .with_default(DefaultValue::Text("it's")),
        ColumnDef::new("coin", "value", SqlType::Decimal, true)
            .with_scale(2)
            .with_default(DefaultValue::Int(5)),
        ColumnDef::new("coin", "minted", SqlType::DateTime, false).with_default(DefaultValue::Now),
    ];

    const UNIQUES: &[Unique] = &[Unique::new("coin_owner_key", &["owner"])];

    const COIN: &Table = &Table::new("coin", COLUMNS, &[0], NONE, NONE, NONE).with_uniques(UNIQUES);

    fn rendered(dialect: Dialect) -> String {
        create_table(COIN, dialect, Location::caller())
            .sql()
            .to_owned()
    }

    #[test]
    fn table_for_sqlite_scales_decimals_and_writes_times_as_the_codec_does() {
        assert_eq!(
            rendered(Dialect::Sqlite),
            "CREATE TABLE IF NOT EXISTS \"coin\" (\
             \"id\" INTEGER PRIMARY KEY AUTOINCREMENT, \
             \"owner\" TEXT NOT NULL DEFAULT ('it''s'), \
             \"value\" INTEGER DEFAULT (500), \
             \"minted\" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')), \
             CONSTRAINT \"coin_owner_key\" UNIQUE (\"owner\"))"
        );
    }

    #[test]
    fn table_for_postgres_compares_text_by_bytes() {
        assert_eq!(
            rendered(Dialect::Postgres),
            "CREATE TABLE IF NOT EXISTS \"coin\" (\
             \"id\" BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, \
             \"owner\" TEXT COLLATE \"C\" NOT NULL DEFAULT ('it''s'), \
             \"value\" NUMERIC(20, 2) DEFAULT (5), \
             \"minted\" TIMESTAMPTZ NOT NULL DEFAULT (CURRENT_TIMESTAMP), \
             CONSTRAINT \"coin_owner_key\" UNIQUE (\"owner\"))"
        );
    }

    #[test]
    fn table_for_mysql_has_bounded_unpadded_text() {
        assert_eq!(
            rendered(Dialect::MySql),
            "CREATE TABLE IF NOT EXISTS `coin` (\
             `id` BIGINT AUTO_INCREMENT PRIMARY KEY, \
             `owner` VARCHAR(255) CHARACTER SET utf8mb4 \
             COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ \
             NOT NULL DEFAULT ('it''s'), \
             `value` DECIMAL(20, 2) DEFAULT (5), \
             `minted` DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)), \
             CONSTRAINT `coin_owner_key` UNIQUE (`owner`)) DEFAULT CHARACTER SET utf8mb4"
        );
    }
}
