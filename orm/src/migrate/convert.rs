//! Whether the values of a column fit another type.

use crate::schema::shape::Column;
use crate::table::SqlType;

/// What becomes of a column's values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Conversion {
    /// They stay what they are.
    Lossless,
    /// Some may not fit; how, in words.
    Narrower(String),
    /// There is no way that would be right for everyone.
    None,
}

/// What becomes of the values when a column is changed.
pub(super) fn conversion(from: &Column, to: &Column) -> Conversion {
    use SqlType::{F32, F64, I16, I32, I64};

    let width = |ty| match ty {
        I16 => Some(2),
        I32 => Some(4),
        I64 => Some(8),
        _ => None,
    };
    if from.ty != to.ty {
        return match (width(from.ty), width(to.ty), from.ty, to.ty) {
            (Some(old), Some(new), ..) if new > old => Conversion::Lossless,
            (Some(_), Some(new), ..) => Conversion::Narrower(format!("an integer of {new} bytes")),
            (.., F32, F64) => Conversion::Lossless,
            (.., F64, F32) => Conversion::Narrower("a number of 4 bytes".to_owned()),
            _ => Conversion::None,
        };
    }
    match (from.ty, from.scale, to.scale) {
        (SqlType::Decimal, Some(old), Some(new)) if new < old => {
            return Conversion::Narrower(format!("a number of {new} digits after the point"));
        }
        // More digits after the point leave fewer before it.
        (SqlType::Decimal, Some(old), Some(new)) if new > old => {
            return Conversion::Narrower(format!(
                "a number of {} digits before the point",
                19_u32.saturating_sub(new)
            ));
        }
        (SqlType::Decimal, old, new) if old != new => return Conversion::None,
        _ => {}
    }
    match (from.size, to.size) {
        (None, Some(new)) => Conversion::Narrower(format!("no longer than {new}")),
        (Some(old), Some(new)) if new < old => {
            Conversion::Narrower(format!("no longer than {new}"))
        }
        _ => Conversion::Lossless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(ty: SqlType, size: Option<u32>, scale: Option<u32>) -> Column {
        Column {
            name: "c".to_owned(),
            ty,
            nullable: false,
            default: None,
            size,
            scale,
            computed: None,
            was: None,
        }
    }

    #[test]
    fn what_fits_less_is_narrower_and_what_has_no_order_is_refused() {
        let text = |size| column(SqlType::Text, size, None);
        let plain = |ty| column(ty, None, None);
        let lossless = |from, to| conversion(&from, &to) == Conversion::Lossless;
        let narrower = |from, to| matches!(conversion(&from, &to), Conversion::Narrower(_));
        assert!(lossless(text(Some(64)), text(Some(128))));
        assert!(lossless(text(Some(64)), text(None)));
        assert!(narrower(text(Some(64)), text(Some(63))));
        assert!(narrower(text(None), text(Some(64))));
        assert!(lossless(plain(SqlType::I16), plain(SqlType::I64)));
        assert!(narrower(plain(SqlType::I64), plain(SqlType::I32)));
        assert!(narrower(plain(SqlType::F64), plain(SqlType::F32)));
        assert_eq!(
            conversion(&plain(SqlType::I64), &plain(SqlType::Text)),
            Conversion::None
        );
        assert_eq!(
            conversion(
                &column(SqlType::Decimal, None, None),
                &column(SqlType::Decimal, None, Some(2))
            ),
            Conversion::None
        );
    }
}
