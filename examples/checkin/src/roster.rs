//! A roster as CSV: read whole or not at all, with each mistake under its line.

use std::collections::HashMap;

use crate::accounts;
use crate::words::Lang;

/// Students of one file at most.
pub const MAX_STUDENTS: usize = 2_000;

/// Bytes of one file at most: room for every name of that many students.
pub const MAX_BYTES: usize = 512 * 1_024;

/// Mistakes that are told at most; a file of another kind has one on every line.
const MAX_MISTAKES: usize = 20;

/// A student as the file names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line in the file.
    pub line: u64,
    /// The student number.
    pub number: String,
    /// The full name.
    pub name: String,
}

/// A mistake in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line; 1 is the header.
    pub line: u64,
    /// What is wrong there.
    pub what: Wrong,
}

/// What can be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// The first line is not `number,name` or `学号,姓名`.
    Header,
    /// The file is not text in UTF-8.
    Encoding,
    /// The line has more or fewer than two fields, or a quote that does not end.
    Fields,
    /// The number is empty, too long, or has other characters than letters, digits, `-` and `_`.
    Number,
    /// The name is empty, too long, or has characters that cannot be seen.
    Name,
    /// The number stands on an earlier line.
    Twice,
    /// The number is that of an account with another name.
    OtherName,
    /// The file has no students.
    Empty,
    /// The file has more students, or bytes, than a roster may.
    TooLong,
}

impl Wrong {
    /// What people read.
    pub fn text(self, lang: Lang) -> &'static str {
        let (en, zh) = match self {
            Self::Header => (
                "the first line must be: number,name",
                "首行必须为:学号,姓名",
            ),
            Self::Encoding => ("save the file as UTF-8", "请将文件保存为 UTF-8 编码"),
            Self::Fields => ("a line has a number and a name", "每行须有学号和姓名两列"),
            Self::Number => (
                "a number has 1 to 32 letters, digits, - or _",
                "学号须为 1 至 32 个字母、数字、- 或 _",
            ),
            Self::Name => (
                "a name has 1 to 64 visible characters",
                "姓名须为 1 至 64 个可见字符",
            ),
            Self::Twice => ("this number is on an earlier line", "学号重复"),
            Self::OtherName => ("this number belongs to somebody else", "该学号属于其他人"),
            Self::Empty => ("there are no students in it", "名单中没有学生"),
            Self::TooLong => ("more than 2,000 students", "学生超过 2000 人"),
        };
        match lang {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }
}

/// Reads a roster.
///
/// # Errors
///
/// The first twenty mistakes; then nothing of the file may be used.
pub fn read(text: &[u8]) -> Result<Vec<Entry>, Vec<Mistake>> {
    let whole = |what| vec![Mistake { line: 1, what }];
    if text.len() > MAX_BYTES {
        return Err(whole(Wrong::TooLong));
    }
    // What a browser could not read stands there as a replacement character.
    let text = std::str::from_utf8(text).map_err(|_| whole(Wrong::Encoding))?;
    if text.contains('\u{fffd}') {
        return Err(whole(Wrong::Encoding));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let header = records.next().and_then(Result::ok).unwrap_or_default();
    let header: Vec<_> = header.iter().map(str::to_lowercase).collect();
    if !matches!(&header[..], [number, name]
        if (number == "number" && name == "name") || (number == "学号" && name == "姓名"))
    {
        return Err(whole(Wrong::Header));
    }
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    let mut seen = HashMap::new();
    let mut last = 1;
    for record in records {
        let Ok(record) = record else {
            mistakes.push(Mistake {
                line: last + 1,
                what: Wrong::Fields,
            });
            break;
        };
        let line = record.position().map_or(last + 1, csv::Position::line);
        last = line;
        match entry(line, &record) {
            Err(what) => mistakes.push(Mistake { line, what }),
            Ok(entry) if seen.insert(entry.number.clone(), line).is_some() => {
                mistakes.push(Mistake {
                    line,
                    what: Wrong::Twice,
                });
            }
            Ok(_) if entries.len() == MAX_STUDENTS => {
                mistakes.push(Mistake {
                    line,
                    what: Wrong::TooLong,
                });
                break;
            }
            Ok(entry) => entries.push(entry),
        }
        if mistakes.len() == MAX_MISTAKES {
            break;
        }
    }
    if mistakes.is_empty() && entries.is_empty() {
        return Err(whole(Wrong::Empty));
    }
    if mistakes.is_empty() {
        Ok(entries)
    } else {
        Err(mistakes)
    }
}

fn entry(line: u64, record: &csv::StringRecord) -> Result<Entry, Wrong> {
    let (Some(number), Some(name), 2) = (record.get(0), record.get(1), record.len()) else {
        return Err(Wrong::Fields);
    };
    let is_number = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if number.is_empty() || number.len() > 32 || !number.chars().all(is_number) {
        return Err(Wrong::Number);
    }
    accounts::check_name(name).map_err(|_| Wrong::Name)?;
    Ok(Entry {
        line,
        number: number.to_owned(),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mistakes(text: &str) -> Vec<(u64, Wrong)> {
        let mistakes = read(text.as_bytes()).expect_err("it has mistakes");
        mistakes.iter().map(|m| (m.line, m.what)).collect()
    }

    #[test]
    fn rosters_are_read_in_either_language_with_and_without_a_mark() {
        for text in [
            "number,name\n1,Ann\n2,\"Lee, Bob\"\n",
            "\u{feff}学号,姓名\r\n1,Ann\r\n2,\"Lee, Bob\"\r\n\r\n",
            "Number , Name\n 1 , Ann \n2,\"Lee, Bob\"",
        ] {
            let entries = read(text.as_bytes()).expect("a roster");
            let names: Vec<_> = entries.iter().map(|e| (&*e.number, &*e.name)).collect();
            assert_eq!(names, [("1", "Ann"), ("2", "Lee, Bob")], "{text:?}");
        }
    }

    #[test]
    fn each_mistake_is_told_under_its_line() {
        let text = "number,name\n1,Ann\n1,Bob\n,Cid\n4\n5,\u{202e}Eve\n6,Fay,x\nx y,Gil\n";
        assert_eq!(
            mistakes(text),
            [
                (3, Wrong::Twice),
                (4, Wrong::Number),
                (5, Wrong::Fields),
                (6, Wrong::Name),
                (7, Wrong::Fields),
                (8, Wrong::Number),
            ]
        );
        assert_eq!(mistakes("1,Ann\n"), [(1, Wrong::Header)]);
        assert_eq!(mistakes("name,number\nAnn,1\n"), [(1, Wrong::Header)]);
        assert_eq!(mistakes(""), [(1, Wrong::Header)]);
        assert_eq!(mistakes("number,name\n"), [(1, Wrong::Empty)]);
    }

    #[test]
    fn a_file_in_another_encoding_is_named_as_that() {
        // 学号,姓名 in GBK, as spreadsheets in China write it.
        let gbk = b"\xd1\xa7\xba\xc5,\xd0\xd5\xc3\xfb\n1,\xc0\xee\n";
        let told = read(gbk).expect_err("not UTF-8");
        assert_eq!(told[0].what, Wrong::Encoding);
        assert_eq!(
            mistakes("number,name\n1,\u{fffd}\n"),
            [(1, Wrong::Encoding)]
        );
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let mut text = "number,name\n".to_owned();
        for number in 0..=MAX_STUDENTS {
            text += &format!("{number},n\n");
        }
        assert_eq!(mistakes(&text), [(2_002, Wrong::TooLong)]);
        assert_eq!(mistakes(&"x".repeat(MAX_BYTES + 1)), [(1, Wrong::TooLong)]);
        let bad = "number,name\n".to_owned() + &"\u{7}\n".repeat(50);
        assert_eq!(mistakes(&bad).len(), MAX_MISTAKES);
    }

    proptest! {
        #[test]
        fn anything_is_a_roster_or_has_a_mistake(text in "(number,name\n)?[\\PC\n\"]{0,200}") {
            match read(text.as_bytes()) {
                Ok(entries) => prop_assert!(!entries.is_empty()),
                Err(mistakes) => prop_assert!(!mistakes.is_empty()),
            }
        }
    }
}
