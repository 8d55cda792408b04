//! A place in an order, as a text that goes out to a client and comes back.
//!
//! It holds the values by which the row is sorted, and a sum over them and the order that they belong to. So a text that
//! was changed, or that belongs to another order, is known as such. Whoever makes one up with care gets to another place
//! in the same rows, and to no other row: the values are bound, and the query's conditions hold as ever.

use chrono::{DateTime, Datelike, NaiveDate};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::Source;
use crate::error::Result;
use crate::expr::Term;
use crate::table::{ColumnDef, SqlType};
use crate::value::Value;

/// How a sort value is read and written, alike on all databases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Bool,
    Bytes,
    Date,
    DateTime,
    Decimal,
    Float,
    Int,
    NaiveDateTime,
    Text,
    Uuid,
}

impl Form {
    /// The form of a term; `None` for what no place can be made of.
    pub(crate) fn of(term: &Term) -> Option<Self> {
        Some(match term.def().ty() {
            SqlType::Bool => Self::Bool,
            SqlType::Bytes => Self::Bytes,
            SqlType::Date => Self::Date,
            SqlType::DateTime => Self::DateTime,
            SqlType::Decimal => Self::Decimal,
            SqlType::F32 | SqlType::F64 => Self::Float,
            SqlType::I16 | SqlType::I32 | SqlType::I64 => Self::Int,
            SqlType::Json => return None,
            SqlType::NaiveDateTime => Self::NaiveDateTime,
            SqlType::Text => Self::Text,
            SqlType::Uuid => Self::Uuid,
        })
    }

    /// The value in a row.
    pub(crate) fn read<R: Source>(
        self,
        row: &R,
        index: usize,
        def: &'static ColumnDef,
    ) -> Result<Value> {
        if row.is_null(index, def)? {
            return Ok(Value::Null(def.ty()));
        }
        Ok(match self {
            Self::Bool => Value::Bool(row.bool(index, def)?),
            Self::Bytes => Value::Bytes(row.bytes(index, def)?),
            Self::Date => Value::Date(row.date(index, def)?),
            Self::DateTime => Value::DateTime(row.datetime(index, def)?),
            Self::Decimal => Value::Decimal(row.decimal(index, def)?),
            // Of 4 bytes too, which 8 hold exactly: what is made of these has 8 on some databases.
            Self::Float => Value::F64(row.f64(index, def)?),
            Self::Int => Value::I64(row.i64(index, def)?),
            Self::NaiveDateTime => Value::NaiveDateTime(row.naive_datetime(index, def)?),
            Self::Text => Value::Text(row.text(index, def)?),
            Self::Uuid => Value::Uuid(row.uuid(index, def)?),
        })
    }
}

/// Which way a page lies from its cursor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    After,
    Before,
    /// After it, and the row of the cursor itself.
    From,
    /// Before it, and the row of the cursor itself.
    UpTo,
}

impl Direction {
    const ALL: [Self; 4] = [Self::After, Self::Before, Self::From, Self::UpTo];

    pub(crate) const fn is_backward(self) -> bool {
        matches!(self, Self::Before | Self::UpTo)
    }

    pub(crate) const fn is_inclusive(self) -> bool {
        matches!(self, Self::From | Self::UpTo)
    }

    /// The way back to where a page of no rows was asked for.
    pub(crate) const fn back(self) -> Self {
        if self.is_backward() {
            Self::From
        } else {
            Self::UpTo
        }
    }
}

/// The text of a place. `shape` is the sum of the order that it belongs to.
pub(crate) fn encode(direction: Direction, values: &[Value], shape: u64) -> String {
    let mut out = vec![direction as u8];
    for value in values {
        put(value, &mut out);
    }
    let sum = fnv(shape, &out);
    out.extend(sum.to_le_bytes());
    to_base64(&out)
}

/// The place of a text; `None` where it is none of this order.
pub(crate) fn decode(text: &str, forms: &[Form], shape: u64) -> Option<(Direction, Vec<Value>)> {
    let bytes = from_base64(text)?;
    let (body, sum) = bytes.split_last_chunk::<8>()?;
    if fnv(shape, body) != u64::from_le_bytes(*sum) {
        return None;
    }
    let (direction, mut rest) = body.split_first()?;
    let direction = *Direction::ALL.get(usize::from(*direction))?;
    let mut values = Vec::with_capacity(forms.len());
    for form in forms {
        values.push(take(*form, &mut rest)?);
    }
    rest.is_empty().then_some((direction, values))
}

fn put(value: &Value, out: &mut Vec<u8>) {
    // A value is never of a type beside these: `Form::read` made it.
    let mut sized = |bytes: &[u8]| {
        out.push(1);
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::Bool(value) => sized(&[u8::from(*value)]),
        Value::Bytes(value) => sized(value),
        Value::Date(value) => sized(&value.num_days_from_ce().to_le_bytes()),
        Value::DateTime(value) => sized(&value.timestamp_micros().to_le_bytes()),
        Value::Decimal(value) => sized(&value.serialize()),
        Value::F64(value) => sized(&value.to_bits().to_le_bytes()),
        Value::I64(value) => sized(&value.to_le_bytes()),
        Value::NaiveDateTime(value) => sized(&value.and_utc().timestamp_micros().to_le_bytes()),
        Value::Text(value) => sized(value.as_bytes()),
        Value::Uuid(value) => sized(value.as_bytes()),
        _ => out.push(0),
    }
}

fn take(form: Form, rest: &mut &[u8]) -> Option<Value> {
    if *rest.split_off_first()? == 0 {
        return Some(Value::Null(SqlType::Text));
    }
    let (length, after) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (bytes, after) = after.split_at_checked(length)?;
    *rest = after;
    let micros =
        |bytes: &[u8]| DateTime::from_timestamp_micros(i64::from_le_bytes(bytes.try_into().ok()?));
    Some(match form {
        Form::Bool => Value::Bool(bytes == [1]),
        Form::Bytes => Value::Bytes(bytes.to_owned()),
        Form::Date => {
            let days = i32::from_le_bytes(bytes.try_into().ok()?);
            Value::Date(NaiveDate::from_num_days_from_ce_opt(days)?)
        }
        Form::DateTime => Value::DateTime(micros(bytes)?),
        Form::Decimal => {
            // Not by `Decimal::deserialize`, which takes any flags.
            let bytes: [u8; 16] = bytes.try_into().ok()?;
            let value = Decimal::deserialize(bytes);
            if value.scale() > Decimal::MAX_SCALE || value.serialize() != bytes {
                return None;
            }
            Value::Decimal(value)
        }
        Form::Float => {
            let value = f64::from_bits(u64::from_le_bytes(bytes.try_into().ok()?));
            Value::F64(value.is_finite().then_some(value)?)
        }
        Form::Int => Value::I64(i64::from_le_bytes(bytes.try_into().ok()?)),
        Form::NaiveDateTime => Value::NaiveDateTime(micros(bytes)?.naive_utc()),
        Form::Text => Value::Text(String::from_utf8(bytes.to_owned()).ok()?),
        Form::Uuid => Value::Uuid(Uuid::from_slice(bytes).ok()?),
    })
}

/// FNV-1a: the same on every machine and in every version, which `std`'s hasher does not promise.
pub(crate) fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What [`fnv`] begins with.
pub(crate) const SEED: u64 = 0xcbf2_9ce4_8422_2325;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 for URLs, without padding.
fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().enumerate().fold(0_u32, |group, (at, byte)| {
            group | u32::from(*byte) << (16 - 8 * at)
        });
        for at in 0..=chunk.len() {
            out.push(char::from(LETTERS[(group >> (18 - 6 * at) & 63) as usize]));
        }
    }
    out
}

/// One text for each sequence of bytes, so that no other text is taken for it.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let mut group = 0_u32;
        for (at, letter) in chunk.iter().enumerate() {
            let digit = LETTERS.iter().position(|other| other == letter)?;
            group |= u32::try_from(digit).ok()? << (18 - 6 * at);
        }
        let [_, bytes @ ..] = group.to_be_bytes();
        let count = chunk.len().checked_sub(1).filter(|count| *count > 0)?;
        if bytes[count..].iter().any(|rest| *rest != 0) {
            return None;
        }
        out.extend(&bytes[..count]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> (Vec<Form>, Vec<Value>) {
        let forms = vec![Form::Text, Form::Int, Form::Decimal, Form::Float, Form::Int];
        let values = vec![
            Value::Text("käse".to_owned()),
            Value::I64(-5),
            Value::Decimal(Decimal::new(-12_345, 3)),
            Value::F64(0.1),
            Value::Null(SqlType::I64),
        ];
        (forms, values)
    }

    #[test]
    fn a_place_comes_back() {
        let (forms, values) = values();
        for direction in Direction::ALL {
            let text = encode(direction, &values, 7);
            let (way, back) = decode(&text, &forms, 7).expect("our own cursor");
            assert_eq!(way, direction);
            // The type of NULL does not matter.
            assert_eq!(format!("{:?}", &back[..4]), format!("{:?}", &values[..4]));
            assert!(back[4].is_null());
        }
    }

    #[test]
    fn a_changed_text_is_refused() {
        let (forms, values) = values();
        let text = encode(Direction::After, &values, 7);
        assert!(decode(&text, &forms, 8).is_none());
        assert!(decode(&text, &forms[1..], 7).is_none());
        for at in 0..text.len() {
            for letter in ["A", "b", "_", "!", ""] {
                let mut changed = text.clone();
                changed.replace_range(at..=at, letter);
                assert!(
                    changed == text || decode(&changed, &forms, 7).is_none(),
                    "{changed}"
                );
            }
        }
        for junk in ["", "A", "é", "AAAAAAAAAAAAAAAAAAAA", &text.repeat(2)] {
            assert!(decode(junk, &forms, 7).is_none(), "{junk}");
        }
    }
}
