//! Our types in the words of each database's catalogue.

use super::live;
use crate::dialect::Dialect;
use crate::schema::shape::Column;
use crate::table::SqlType;

/// What the catalogue says of a column that was made by us.
pub(super) fn of(dialect: Dialect, column: &Column) -> String {
    match dialect {
        Dialect::MySql => mysql(column),
        Dialect::Postgres => postgres(column),
        // SQLite keeps what was declared and goes by the class that follows from it.
        Dialect::Sqlite => live::affinity(&dialect.column_type(column)).to_owned(),
    }
}

/// Whether it is a document: on MariaDB that is a long text with a check.
pub(super) fn is_json(column: &Column, live: &str) -> bool {
    column.ty == SqlType::Json && live == "longtext"
}

fn postgres(column: &Column) -> String {
    match column.ty {
        SqlType::Bool => "boolean",
        SqlType::Bytes => "bytea",
        SqlType::Date => "date",
        SqlType::DateTime => "timestamp with time zone",
        SqlType::Decimal => match column.scale {
            Some(scale) => return format!("numeric({},{scale})", 20.max(scale + 1)),
            None => "numeric",
        },
        SqlType::F32 => "real",
        SqlType::F64 => "double precision",
        SqlType::I16 => "smallint",
        SqlType::I32 => "integer",
        SqlType::I64 => "bigint",
        SqlType::Json => "jsonb",
        SqlType::NaiveDateTime => "timestamp without time zone",
        SqlType::Text => "text",
        SqlType::Uuid => "uuid",
    }
    .to_owned()
}

fn mysql(column: &Column) -> String {
    match (column.ty, column.size) {
        (SqlType::Bool, _) => "tinyint(1)",
        (SqlType::Bytes, Some(size)) => return format!("varbinary({size})"),
        (SqlType::Bytes, None) => "longblob",
        (SqlType::Date, _) => "date",
        (SqlType::DateTime | SqlType::NaiveDateTime, _) => "datetime(6)",
        (SqlType::Decimal, _) => match column.scale {
            Some(scale) => return format!("decimal({},{scale})", 20.max(scale + 1)),
            None => "decimal(57,28)",
        },
        (SqlType::F32, _) => "float",
        (SqlType::F64, _) => "double",
        (SqlType::I16, _) => "smallint",
        (SqlType::I32, _) => "int",
        (SqlType::I64, _) => "bigint",
        (SqlType::Json, _) => "json",
        (SqlType::Text, Some(size)) => return format!("varchar({size})"),
        (SqlType::Text, None) => "longtext",
        (SqlType::Uuid, _) => "binary(16)",
    }
    .to_owned()
}
