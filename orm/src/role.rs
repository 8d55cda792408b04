//! Which types the columns that statements look after can have; checked when a model is compiled.

use crate::field::Field;
use crate::table::SqlType;

/// Refuses to compile a version that does not count.
pub const fn check_version<F: Field>() {
    assert!(
        matches!(F::TYPE, SqlType::I16 | SqlType::I32 | SqlType::I64) && !F::NULLABLE,
        "a `version` counts changes: it is an integer, and not an Option"
    );
}

/// Refuses to compile a time that is none.
pub const fn check_time<F: Field>() {
    assert!(
        matches!(F::TYPE, SqlType::DateTime | SqlType::NaiveDateTime),
        "`created` and `updated` are times: a DateTime<Utc>, or an Option of it"
    );
}

/// Refuses to compile a time of deletion that every row would have.
pub const fn check_deleted<F: Field>() {
    assert!(
        matches!(F::TYPE, SqlType::DateTime | SqlType::NaiveDateTime) && F::NULLABLE,
        "`deleted` is None until the row is deleted: it is an Option<DateTime<Utc>>"
    );
}
