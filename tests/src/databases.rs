//! Whether the orm suite was the same on every database, and how many of its tests ran on each.
//!
//! The suite is the test programs `orm-THEME`. A test of it is named `room::on_DATABASE::test`, with `_by_url` behind the
//! database where the pool is the one that a URL chooses. What runs on SQLite's own pool runs on every own pool, what
//! runs on SQLite by its URL runs on every URL. A test that never runs on SQLite is about what only a server does, as
//! being cut off, and is left out, as is one in a room `only_on_DATABASE`.

use std::collections::{BTreeMap, BTreeSet};

use crate::results::Results;

const SUITE: &str = "packetboat-tests::tests/orm-";
const POOLS: [&str; 4] = ["mysql", "postgres", "sqlite", "sqlite_file"];
const URLS: [&str; 3] = ["mysql_by_url", "postgres_by_url", "sqlite_by_url"];

/// What ran of the suite.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Databases {
    /// The number of tests on each database.
    pub counts: BTreeMap<String, usize>,
    /// The tests that should have run and did not, by name.
    pub lacking: Vec<String>,
}

/// Counts the tests of the suite among those that ran.
#[must_use]
pub fn count(results: &Results) -> Databases {
    let mut tests = BTreeMap::<_, BTreeSet<_>>::new();
    for name in results.keys() {
        let Some((before, on)) = name
            .strip_prefix(SUITE)
            .and_then(|path| path.split_once("::on_"))
        else {
            continue;
        };
        if let Some((database, test)) = on.split_once("::") {
            tests.entry((before, test)).or_default().insert(database);
        }
    }
    let mut databases = Databases::default();
    for ((room, test), on) in tests {
        let mut expected = Vec::new();
        for family in [POOLS.as_slice(), &URLS] {
            if family
                .iter()
                .any(|name| name.starts_with("sqlite") && on.contains(name))
            {
                expected.extend_from_slice(family);
            }
        }
        for database in expected {
            if on.contains(database) {
                *databases.counts.entry(database.to_owned()).or_default() += 1;
            } else {
                databases
                    .lacking
                    .push(format!("{room}::on_{database}::{test}"));
            }
        }
    }
    databases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(names: &[&str]) -> Results {
        let named = |name: &&str| (format!("{SUITE}{name}"), true);
        names.iter().map(named).collect()
    }

    #[test]
    fn a_test_that_lacks_a_database_is_named() {
        let mut ran = results(&[
            "writing::write::on_sqlite::keys",
            "writing::write::on_sqlite_file::keys",
            "writing::write::on_postgres::keys",
            "writing::write::on_mysql::keys",
        ]);
        let counted = count(&ran);
        assert_eq!(counted.lacking, Vec::<String>::new());
        assert_eq!(counted.counts["mysql"], 1);
        ran.remove(&format!("{SUITE}writing::write::on_mysql::keys"));
        let counted = count(&ran);
        assert_eq!(counted.lacking, ["writing::write::on_mysql::keys"]);
        assert!(!counted.counts.contains_key("mysql"));
    }

    #[test]
    fn pools_by_url_are_counted_for_themselves() {
        let counted = count(&results(&[
            "tables::migrate::on_sqlite_by_url::kills",
            "tables::migrate::on_mysql_by_url::kills",
        ]));
        assert_eq!(
            counted.lacking,
            ["tables::migrate::on_postgres_by_url::kills"]
        );
        assert_eq!(counted.counts.len(), 2);
    }

    #[test]
    fn what_only_a_server_does_is_left_out() {
        let counted = count(&results(&["connections::restart::on_postgres::a_crash"]));
        assert_eq!(counted, Databases::default());
    }
}
