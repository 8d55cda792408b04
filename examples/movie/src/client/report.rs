//! What a command prints when it has done what it was asked.

use serde_json::{Value, json};

use crate::client::failure::Failure;
use crate::client::lang::Lang;
use crate::client::terminal::{line, padded, paragraph, width};
use crate::messages::{Fee, MovieList, NoticeList, RecordList};

/// One result, for people and for programs.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// For people. Nothing in it steers the terminal.
    pub text: String,
    /// For programs.
    pub json: Value,
}

impl Report {
    /// A success that says only that.
    pub fn done(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            json: json!({ "ok": true }),
        }
    }

    /// Movies, newest first, numbered by their id.
    pub fn movies(list: &MovieList, lang: Lang) -> Self {
        let rows: Vec<Value> = list
            .movie_list
            .iter()
            .map(|row| json!({ "id": row.2, "name": row.0, "free": row.1 == Fee::Free }))
            .collect();
        let json = json!({ "ok": true, "movies": rows, "more": list.more });
        if list.movie_list.is_empty() {
            let text = lang.no_movies().to_owned();
            return Self { text, json };
        }
        let cells = list.movie_list.iter().map(|row| {
            let fee = fee(row.1, lang).to_owned();
            [row.2.to_string(), fee, line(&row.0)]
        });
        let head = [lang.column_id(), lang.column_price(), lang.column_movie()];
        let text = table(head, cells.collect(), list.more, lang);
        Self { text, json }
    }

    /// The user's own downloads, newest first.
    pub fn records(list: &RecordList, lang: Lang) -> Self {
        let rows: Vec<Value> = list
            .record_list
            .iter()
            .map(|row| json!({ "movie": row.movie, "time": row.download_time }))
            .collect();
        let cells = list
            .record_list
            .iter()
            .map(|row| [line(&row.download_time), line(&row.movie)]);
        let head = [lang.column_time(), lang.column_movie()];
        Self {
            text: table(head, cells.collect(), list.more, lang),
            json: json!({ "ok": true, "records": rows, "more": list.more }),
        }
    }

    /// Notices, newest first.
    pub fn notices(list: &NoticeList, lang: Lang) -> Self {
        let mut texts: Vec<String> = list
            .notices
            .iter()
            .map(|notice| format!("{}\n{}", line(&notice.title), paragraph(&notice.content)))
            .collect();
        if list.more {
            texts.push(lang.more().to_owned());
        }
        Self {
            text: texts.join("\n"),
            json: json!({ "ok": true, "notices": list.notices, "more": list.more }),
        }
    }

    /// A failure, for programs: its code and its words.
    pub fn failure(failure: &Failure, lang: Lang) -> Self {
        let text = failure.text(lang);
        let json = json!({ "ok": false, "code": failure.code(), "msg": text });
        Self { text, json }
    }
}

/// Whether a movie costs money, in the user's language.
pub fn fee(fee: Fee, lang: Lang) -> &'static str {
    match fee {
        Fee::Charged => lang.charged(),
        Fee::Free => lang.free(),
    }
}

fn table<const N: usize>(
    head: [&str; N],
    rows: Vec<[String; N]>,
    more: bool,
    lang: Lang,
) -> String {
    let rows: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: [usize; N] =
        std::array::from_fn(|column| width(rows.iter().map(|row| row[column].as_str())));
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| padded(cell, width))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    if more {
        lines.push(lang.more().to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{MovieRow, Notice};
    use crate::names::is_hidden;

    #[test]
    fn movies_stand_in_columns() {
        let list = MovieList {
            movie_list: vec![
                MovieRow("雪.mp4".into(), Fee::Free, 10),
                MovieRow("a\u{1b}[2J.mp4".into(), Fee::Charged, 9),
            ],
            more: true,
        };
        let report = Report::movies(&list, Lang::En);
        let text =
            "id  price    movie\n10  free     雪.mp4\n9   charged  a[2J.mp4\nThere are older ones.";
        assert_eq!(report.text, text);
        assert_eq!(
            report.json["movies"][0],
            json!({"id": 10, "name": "雪.mp4", "free": true})
        );
    }

    #[test]
    fn notice_cannot_steer_the_terminal() {
        let notice = Notice {
            title: "\u{1b}]0;pwned\u{7}hi".into(),
            content: "one\n\u{9b}31mtwo\u{202e}".into(),
        };
        let list = NoticeList {
            notices: vec![notice],
            more: false,
        };
        let text = Report::notices(&list, Lang::En).text;
        assert_eq!(text, "]0;pwnedhi\n  one\n  31mtwo");
        assert!(text.lines().all(|line| !line.chars().any(is_hidden)));
    }
}
