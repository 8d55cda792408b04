//! What reaches the terminal: nothing that steers it.

use unicode_width::UnicodeWidthStr;

use crate::names::is_hidden;

/// A text of somebody else's, on one line.
///
/// Line ends and tabs become spaces. What moves the cursor, colours, rings, hides, or turns the
/// reading direction is taken out: a title could otherwise draw a prompt that is not ours.
///
/// ```
/// assert_eq!(movie::client::terminal::line("a\u{1b}[2J\r\nb"), "a[2J  b");
/// ```
pub fn line(text: &str) -> String {
    text.chars()
        .map(|c| if is_space(c) { ' ' } else { c })
        .filter(|c| !is_hidden(*c))
        .collect()
}

/// A text of somebody else's, line by line, each as [`line()`] and indented by two spaces, so that it
/// cannot pass for one of ours.
pub fn paragraph(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|text| format!("  {}", line(text)))
        .collect();
    lines.join("\n")
}

/// A text of ours or already made harmless, padded with spaces to `columns` of the screen. Chinese
/// characters are two wide.
pub fn padded(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

/// The width that a column of these texts needs.
pub fn width<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    texts
        .into_iter()
        .map(UnicodeWidthStr::width)
        .max()
        .unwrap_or(0)
}

fn is_space(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let hostile = [
            "\u{1b}[31mred\u{1b}[0m",
            "\u{1b}]0;title\u{7}",
            "\u{9b}2Jwiped",
            "\u{202e}exe.4pm",
            "\u{2066}isolated\u{2069}",
            "over\rwritten",
            "bell\u{7}back\u{8}space\u{7f}",
            "zero\u{200b}width\u{feff}",
        ];
        for text in hostile {
            for shown in [line(text), paragraph(text)] {
                assert!(!shown.chars().any(is_hidden), "{shown:?}");
            }
        }
        assert_eq!(line("over\rwritten"), "over written");
    }

    #[test]
    fn lines_of_a_paragraph_stay_lines_and_are_indented() {
        assert_eq!(
            paragraph("one\r\ntwo\n\u{1b}[Athree"),
            "  one\n  two\n  [Athree"
        );
    }

    #[test]
    fn chinese_is_two_columns_wide() {
        assert_eq!(padded("电影", 6), "电影  ");
        assert_eq!(width(["abc", "电影"]), 4);
    }

    proptest! {
        #[test]
        fn one_line_stays_one_line_without_controls(text in "\\PC*|.*|[\u{0}-\u{9f}\u{2000}-\u{206f}]*") {
            let shown = line(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c)));
            prop_assert!(paragraph(&text).split('\n').all(|l| !l.chars().any(is_hidden)));
        }
    }
}
