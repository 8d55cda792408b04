//! A bool that travels as 0 or 1; `true` and `false` are read as well.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

/// Writes 0 or 1.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*value))
}

/// Reads 0, 1, `false` or `true`.
///
/// # Errors
/// Anything else is a wrong value.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(ZeroOne)
}

/// What is written, or what is read.
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    match generator.contract().is_serialize() {
        true => json_schema!({ "enum": [0, 1] }),
        false => json_schema!({ "enum": [0, 1, false, true] }),
    }
}

struct ZeroOne;

impl Visitor<'_> for ZeroOne {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("0 or 1")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        Ok(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        match value {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(E::invalid_value(Unexpected::Unsigned(other), &self)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        let unsigned =
            u64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))?;
        self.visit_u64(unsigned)
    }
}
