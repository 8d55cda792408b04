//! What people may write: length, and no signs that mislead.

use crate::refusals::Refusal;

/// A line: a name, a title. Trimmed, of 1 to `max` characters.
///
/// # Errors
///
/// [`Refusal::BadText`], with the field's name: for what is empty, longer, or has control characters or those that
/// turn the direction of what stands after them.
pub fn line(field: &'static str, text: &str, max: usize) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max || text.chars().any(is_hidden) {
        return Err(Refusal::BadText { field });
    }
    Ok(text.to_owned())
}

/// Several lines. As [`line()`], with line feeds and tabs; CR LF becomes LF.
///
/// # Errors
///
/// As [`line()`].
pub fn lines(field: &'static str, text: &str, max: usize) -> Result<String, Refusal> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let is_bad = |sign: char| is_hidden(sign) && sign != '\n' && sign != '\t';
    if text.is_empty() || text.chars().count() > max || text.chars().any(is_bad) {
        return Err(Refusal::BadText { field });
    }
    Ok(text.to_owned())
}

/// The last part of a page's address: 1 to 60 of `a-z`, `0-9` and `-`.
///
/// # Errors
///
/// As [`line()`].
pub fn slug(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > 60 || !text.bytes().all(fits) {
        return Err(Refusal::BadText { field: "slug" });
    }
    Ok(text.to_owned())
}

/// A control character, or one of those that Unicode has for the direction of text: a file called
/// `invoice\u{202e}fdp.exe` is shown as `invoiceexe.pdf`.
pub(crate) fn is_hidden(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_mislead_are_refused() {
        for bad in [
            "",
            "  ",
            "a\r\nb",
            "a\nb",
            "a\0",
            "a\u{202e}b",
            "\u{1b}[2J",
            "a\u{200b}b",
            &"x".repeat(11),
        ] {
            assert!(line("name", bad, 10).is_err(), "{bad:?}");
        }
        for good in ["ann", "张三", " a b ", "<b>", "' OR 1=1"] {
            assert_eq!(line("name", good, 10).expect("good"), good.trim());
        }
    }

    #[test]
    fn paragraphs_keep_their_lines() {
        assert_eq!(lines("text", " a\r\n\tb\n", 10).expect("good"), "a\n\tb");
        assert!(lines("text", "a\u{202e}b", 10).is_err());
        assert!(lines("text", "\n\r\n", 10).is_err());
    }

    #[test]
    fn slugs_are_parts_of_an_address() {
        for bad in ["", "../a", "a/b", "A", "a b", "é", &"x".repeat(61)] {
            assert!(slug(bad).is_err(), "{bad:?}");
        }
        assert_eq!(slug("about-us").expect("good"), "about-us");
    }
}
