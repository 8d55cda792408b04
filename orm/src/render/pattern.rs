//! LIKE with one meaning: upper and lower case differ, `\` takes away the meaning of `%` and `_`.

use crate::dialect::Dialect;

/// The most bytes of a pattern that SQLite takes, as it is built by default (`SQLITE_MAX_LIKE_PATTERN_LENGTH`).
pub(super) const SQLITE_MAX: usize = 50_000;

/// The operator, the pattern in its language, and what follows.
///
/// SQLite's LIKE takes `A` for `a`, its GLOB does not. Elsewhere the escape character is `!`: a backslash in SQL text
/// means one thing or another by the server's settings.
pub(super) fn render(pattern: &str, dialect: Dialect) -> (&'static str, String, &'static str) {
    let is_glob = dialect == Dialect::Sqlite;
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '%' => out.push(if is_glob { '*' } else { '%' }),
            '_' => out.push(if is_glob { '?' } else { '_' }),
            '\\' => literal(
                chars
                    .next_if(|next| matches!(next, '%' | '_' | '\\'))
                    .unwrap_or(c),
                is_glob,
                &mut out,
            ),
            c => literal(c, is_glob, &mut out),
        }
    }
    if is_glob {
        (" GLOB ", out, "")
    } else {
        (" LIKE ", out, " ESCAPE '!'")
    }
}

fn literal(c: char, is_glob: bool, out: &mut String) {
    match c {
        '*' | '?' | '[' if is_glob => {
            out.push('[');
            out.push(c);
            out.push(']');
        }
        '%' | '_' | '!' if !is_glob => {
            out.push('!');
            out.push(c);
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_translated_and_what_means_nothing_is_escaped() {
        let pattern = r"a%b_c\%d\_e\\f*g?h[i]j!k\l";
        assert_eq!(
            render(pattern, Dialect::Postgres),
            (
                " LIKE ",
                r"a%b_c!%d!_e\f*g?h[i]j!!k\l".to_owned(),
                " ESCAPE '!'"
            )
        );
        assert_eq!(
            render(pattern, Dialect::Sqlite),
            (" GLOB ", r"a*b?c%d_e\f[*]g[?]h[[]i]j!k\l".to_owned(), "")
        );
    }
}
