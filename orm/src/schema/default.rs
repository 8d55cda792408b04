//! Whether two spellings of a DEFAULT are one value.

use rust_decimal::Decimal;

use crate::schema::shape::{Column, Default};

/// What a database says of a DEFAULT, against the expression that we give it.
pub(super) fn is_same(column: &Column, ours: &str, live: &str) -> bool {
    let (ours, live) = (bare(ours), bare(live));
    if column.default == Some(Default::Now) {
        return is_now(&live);
    }
    if ours == live {
        return true;
    }
    if let (Ok(ours), Ok(live)) = (ours.parse::<Decimal>(), live.parse::<Decimal>()) {
        return ours == live;
    }
    if let (Ok(ours), Ok(live)) = (ours.parse::<f64>(), live.parse::<f64>()) {
        #[allow(clippy::float_cmp, reason = "two spellings of one number")]
        return ours == live;
    }
    let truth = |text: &str| match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    matches!((truth(&ours), truth(&live)), (Some(ours), Some(live)) if ours == live)
}

/// Without brackets, casts and quotes: `('it''s'::text)` as `it's`.
fn bare(text: &str) -> String {
    let mut text = text.trim();
    loop {
        if let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'))
            && is_closed(inner)
        {
            text = inner.trim();
        } else if let Some((value, ty)) = text.rsplit_once("::")
            && !ty.contains('\'')
        {
            text = value.trim();
        } else {
            break;
        }
    }
    match text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        Some(inner) => inner
            .replace("''", "'")
            .replace("\\'", "'")
            .replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}

/// Whether every bracket in it is closed in it.
fn is_closed(text: &str) -> bool {
    let mut depth = 0_i32;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

fn is_now(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["current_", "now(", "utc_", "curdate", "strftime("]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn a_default_is_bared_of_brackets_casts_and_quotes() {
        for (text, value) in [
            ("('it''s'::text)", "it's"),
            ("'-5'::integer", "-5"),
            ("((-5))", "-5"),
            ("(1) + (2)", "(1) + (2)"),
            ("'a::b'", "a::b"),
            ("'it\\'s'", "it's"),
            ("TRUE", "TRUE"),
            ("'{}'::jsonb", "{}"),
        ] {
            assert_eq!(bare(text), value, "{text}");
        }
    }
}
