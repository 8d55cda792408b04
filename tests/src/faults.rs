//! The rows of `faults.toml`, and what a run of the tests says of them.
//!
//! ```toml
//! [F4]
//! meaning = "A length of 2^31 - 1 with no body behind it allocates nothing"
//! tests = ["packetboat-framing::tests/limits::length_bomb_allocates_nothing"]
//! ```
//!
//! A `*` in a test's name stands for one part of its path, so that one line can name a test on every database.

use serde::Deserialize;

use crate::results::Results;

/// A fault that tests cover.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// A letter for the part of the system, and a number: `F4`.
    pub id: String,
    /// What must hold.
    pub meaning: String,
    /// The names of the tests; see [`results`](crate::results).
    pub tests: Vec<String>,
}

/// Reads the file.
///
/// # Errors
///
/// What is wrong with it, a line for each: not TOML, an ID that is none, a row out of order, a row without a meaning or
/// without tests.
pub fn parse(text: &str) -> Result<Vec<Fault>, Vec<String>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row {
        meaning: String,
        tests: Vec<String>,
    }

    let document = text
        .parse::<toml::Table>()
        .map_err(|error| vec![error.to_string()])?;
    let mut faults = Vec::new();
    let mut wrong = Vec::new();
    for (id, row) in document {
        match row.try_into::<Row>() {
            Ok(Row { meaning, tests }) => {
                if meaning.trim().is_empty() {
                    wrong.push(format!("{id} has no meaning"));
                }
                if tests.is_empty() {
                    wrong.push(format!("{id} has no tests"));
                }
                faults.push(Fault { id, meaning, tests });
            }
            Err(error) => wrong.push(format!("{id}: {}", error.message())),
        }
    }

    // The order of the file and not of the table, which toml keeps sorted by letters.
    let headings = text
        .lines()
        .filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'))
        .collect::<Vec<_>>();
    for pair in headings.windows(2) {
        if order(pair[0]) >= order(pair[1]) {
            wrong.push(format!("{} stands before {}", pair[0], pair[1]));
        }
    }
    wrong.extend(
        headings
            .iter()
            .filter(|id| order(id).is_none())
            .map(|id| format!("{id} is no fault's ID")),
    );
    faults.sort_by(|a, b| order(&a.id).cmp(&order(&b.id)));
    if wrong.is_empty() {
        Ok(faults)
    } else {
        Err(wrong)
    }
}

/// What a run does not prove of a fault: names of tests that did not run, and of tests that did not pass.
///
/// `left_out` says which names this run leaves out on purpose.
#[must_use]
pub fn unproven(fault: &Fault, results: &Results, left_out: impl Fn(&str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for pattern in &fault.tests {
        let mut seen = false;
        for (name, passed) in results.iter().filter(|(name, _)| fits(pattern, name)) {
            seen = true;
            if !passed {
                wrong.push(format!("{}: {name} did not pass", fault.id));
            }
        }
        if !seen && !left_out(pattern) {
            wrong.push(format!("{}: there is no test {pattern}", fault.id));
        }
    }
    wrong
}

/// Letters first, then the number as a number: F4 before F12.
fn order(id: &str) -> Option<(&str, u32)> {
    let digits = id.find(|c: char| c.is_ascii_digit())?;
    let (letter, number) = id.split_at(digits);
    let is_letter = letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_uppercase());
    if is_letter {
        Some((letter, number.parse().ok()?))
    } else {
        None
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.split("::"), name.split("::"));
    loop {
        match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if wanted == "*" || wanted == part => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
[A1]
meaning = "x"
tests = ["p::lib::a"]

[F4]
meaning = "y"
tests = ["p::tests/t::b::*::c"]

[F12]
meaning = "z"
tests = ["p::lib::d"]
"#;

    fn results(of: &[(&str, bool)]) -> Results {
        of.iter()
            .map(|(name, passed)| ((*name).to_owned(), *passed))
            .collect()
    }

    #[test]
    fn a_file_is_read_in_order() {
        let faults = parse(FILE).expect("a good file");
        assert_eq!(
            faults
                .iter()
                .map(|fault| fault.id.as_str())
                .collect::<Vec<_>>(),
            ["A1", "F4", "F12"]
        );
    }

    #[test]
    fn a_bad_file_is_told_of() {
        for (text, word) in [
            (
                "[F4]\nmeaning = \"x\"\ntests = [\"a\"]\n[F2]\nmeaning = \"x\"\ntests = [\"a\"]\n",
                "F4 stands before F2",
            ),
            ("[F4]\nmeaning = \"x\"\ntests = []\n", "F4 has no tests"),
            (
                "[F4]\nmeaning = \" \"\ntests = [\"a\"]\n",
                "F4 has no meaning",
            ),
            ("[F4]\ntests = [\"a\"]\n", "missing field `meaning`"),
            (
                "[four]\nmeaning = \"x\"\ntests = [\"a\"]\n",
                "four is no fault's ID",
            ),
            (
                "[F4]\nmeaning = \"x\"\ntests = [\"a\"]\n[F4]\n",
                "duplicate key",
            ),
        ] {
            let wrong = parse(text).expect_err("a bad file").join("\n");
            assert!(wrong.contains(word), "{wrong} does not say {word}");
        }
    }

    #[test]
    fn a_test_that_is_missing_or_failed_is_told_of() {
        let faults = parse(FILE).expect("a good file");
        let ran = results(&[("p::lib::a", false), ("p::tests/t::b::on_sqlite::c", true)]);
        assert_eq!(
            unproven(&faults[0], &ran, |_| false),
            ["A1: p::lib::a did not pass"]
        );
        assert_eq!(unproven(&faults[1], &ran, |_| false), Vec::<String>::new());
        assert_eq!(
            unproven(&faults[2], &ran, |_| false),
            ["F12: there is no test p::lib::d"]
        );
        assert_eq!(
            unproven(&faults[2], &ran, |name| name.ends_with("d")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn one_failure_among_the_databases_is_told_of() {
        let faults = parse(FILE).expect("a good file");
        let ran = results(&[
            ("p::tests/t::b::on_mysql::c", false),
            ("p::tests/t::b::on_sqlite::c", true),
        ]);
        assert_eq!(
            unproven(&faults[1], &ran, |_| false),
            ["F4: p::tests/t::b::on_mysql::c did not pass"]
        );
    }
}
