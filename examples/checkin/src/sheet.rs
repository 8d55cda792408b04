//! Attendance as CSV for a spreadsheet, in which no name becomes a formula.

use chrono::{DateTime, FixedOffset, Offset, TimeZone, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Rows as CSV in UTF-8, with the mark by which spreadsheets know that.
///
/// # Errors
///
/// None that is known: the rows are written into memory.
pub fn write(rows: &[Vec<String>]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    for row in rows {
        writer.write_record(row.iter().map(|cell| harmless(cell)))?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// A cell that a spreadsheet takes as text: what would begin a formula gets an apostrophe before it.
///
/// Tab and carriage return count, since some programs drop them and look at what follows, and so
/// do spaces before the sign and the full-width forms of the signs.
pub fn harmless(cell: &str) -> String {
    let is_blank = |c: char| c.is_whitespace() || c.is_control();
    let first = cell.chars().find(|c| !is_blank(*c));
    let begins_formula = matches!(
        first,
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
    );
    if begins_formula || cell.starts_with(['\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// A time as a spreadsheet reads it: seconds, in the server's own zone.
pub fn time(time: DateTime<Utc>) -> String {
    local(time).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The time in the server's own zone.
pub fn local(time: DateTime<Utc>) -> DateTime<FixedOffset> {
    let offset = chrono::Local.offset_from_utc_datetime(&time.naive_utc());
    time.with_timezone(&offset.fix())
}

/// What RFC 8187 lets stand in a value as it is, beside letters and digits.
const OUTSIDE_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The value of `Content-Disposition` for a file of this name (RFC 6266): a plain form for old
/// programs, and the whole name encoded as RFC 8187 says. Nothing of the name can end the value,
/// or the header.
pub fn disposition(name: &str) -> String {
    let is_hidden = |c: char| c.is_control() || matches!(c, '/' | '\\' | '\u{202a}'..='\u{202e}');
    let name: String = name
        .chars()
        .map(|c| if is_hidden(c) { '_' } else { c })
        .collect();
    let plain = |c: char| match c {
        ' ' | '(' | ')' | '-' | '.' | '_' => c,
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    };
    let old: String = name.chars().map(plain).collect();
    let encoded = utf8_percent_encode(&name, OUTSIDE_ATTR_CHAR);
    format!("attachment; filename=\"{old}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_become_text() {
        for cell in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            " =1",
            "\u{3000}=1",
            "＝1",
            "\n",
            "=HYPERLINK(\"http://x\",\"y\")",
        ] {
            assert!(harmless(cell).starts_with('\''), "{cell:?}");
        }
        for cell in ["", "Ann", "李雷", "2026-01-02", "a=1", "'=1"] {
            assert_eq!(harmless(cell), cell);
        }
    }

    #[test]
    fn a_sheet_is_read_back_as_it_was_but_for_formulas() {
        let rows = [
            vec!["number".to_owned(), "name".to_owned()],
            vec!["1".to_owned(), "Lee, \"Bob\"\nJr".to_owned()],
            vec!["2".to_owned(), "=cmd|' /C calc'!A0".to_owned()],
        ];
        let bytes = write(&rows).expect("written");
        let text = std::str::from_utf8(&bytes).expect("UTF-8");
        let text = text.strip_prefix('\u{feff}').expect("a mark");
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        let back: Vec<Vec<String>> = reader
            .records()
            .map(|r| r.expect("a record").iter().map(str::to_owned).collect())
            .collect();
        assert_eq!(back[1], rows[1]);
        assert_eq!(back[2][1], "'=cmd|' /C calc'!A0");
    }

    #[test]
    fn a_file_name_keeps_its_characters_in_the_encoded_form() {
        assert_eq!(
            disposition("数学 \"A\".csv"),
            "attachment; filename=\"__ _A_.csv\"; filename*=UTF-8''%E6%95%B0%E5%AD%A6%20%22A%22.csv"
        );
    }

    /// What names are made of to break a header.
    fn hostile() -> impl Strategy<Value = String> {
        let nasty = prop::sample::select(vec![
            "\r\n",
            "\r",
            "\n",
            "\0",
            "\"",
            "\\",
            ";",
            "filename=",
            "../",
            "\u{85}",
            "\u{2028}",
            "\u{202e}",
            "%0d%0a",
            "''",
            "*",
            "Set-Cookie: a=b",
            "雪",
            "\u{7f}",
        ]);
        let piece = prop_oneof![2 => nasty.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
        prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn no_name_breaks_the_header(name in hostile()) {
            let value = disposition(&name);
            prop_assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{value:?}");
            prop_assert!(HeaderValue::from_str(&value).is_ok());
            // Two quotes, and each part once: the name has ended nothing.
            prop_assert_eq!(value.matches('"').count(), 2);
            prop_assert_eq!(value.matches(';').count(), 2);
            prop_assert_eq!(value.matches("filename*=").count(), 1);
        }
    }
}
