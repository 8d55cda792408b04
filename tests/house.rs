//! Rules that hold for every file of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of the repository, without what is built and what git keeps.
fn files() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, root: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder)
            .expect("a folder of the repository")
            .flatten()
        {
            let path = entry.path();
            let name = entry.file_name();
            // In a linked worktree `.git` is a file.
            if [".git", "target", "mutants.out"]
                .iter()
                .any(|skipped| name == *skipped)
            {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                walk(&path, root, files);
            } else if let Ok(text) = fs::read_to_string(&path) {
                // What is not text says nothing.
                files.push((
                    path.strip_prefix(root)
                        .expect("a path below the root")
                        .to_owned(),
                    text,
                ));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files.sort();
    assert!(files.len() > 20, "only {} files found", files.len());
    files
}

/// Where a file says one of the words: `path:line: word`.
fn places(words: &[String]) -> Vec<String> {
    let mut places = Vec::new();
    for (path, text) in files() {
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                places.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    places
}

#[test]
fn sql_is_declared_safe_in_one_module_only() {
    // Put together here, so that this file does not name it itself.
    let word = ["AssertSql", "Safe"].concat();
    let mut modules = places(&[word])
        .iter()
        // Another test may look for the word as well.
        .filter(|place| !place.contains("tests/"))
        .filter_map(|place| {
            place
                .split_once(".rs:")
                .map(|(path, _)| format!("{path}.rs"))
        })
        .collect::<Vec<_>>();
    modules.dedup();
    assert_eq!(modules.len(), 1, "{modules:?}");
    assert!(modules[0].starts_with("orm/src/"), "{modules:?}");
}

#[test]
fn arithmetic_is_checked_in_release() {
    let (_, manifest) = files()
        .into_iter()
        .find(|(path, _)| path == Path::new("Cargo.toml"))
        .expect("the workspace's manifest");
    let manifest = manifest.parse::<toml::Table>().expect("TOML");
    let checks = &manifest["profile"]["release"]["overflow-checks"];
    assert_eq!(checks.as_bool(), Some(true));
}

#[test]
fn the_checks_look_at_every_feature() {
    let files = files();
    let text = |path: &str| {
        let found = files.iter().find(|(name, _)| name == Path::new(path));
        &found.expect("a file of the repository").1
    };
    let checks = text("tests/run.d/steps.sh");
    for (folder, except) in [
        ("dispatch", None),
        ("framing", None),
        ("orm", None),
        ("tests/bench", Some("peers")),
    ] {
        let manifest = text(&format!("{folder}/Cargo.toml"));
        let manifest = manifest.parse::<toml::Table>().expect("a manifest");
        let package = manifest["package"]["name"].as_str().expect("a name");
        let features = manifest.get("features").and_then(toml::Value::as_table);
        for feature in features.into_iter().flat_map(toml::Table::keys) {
            let is_named = checks.contains(&format!("{package}/{feature}"));
            assert!(
                is_named || feature == "default" || Some(feature.as_str()) == except,
                "{package}/{feature} is looked at by no check"
            );
        }
    }
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let folders = ["home", "root", "Users", "work", "opt", "workspace"];
    let words = folders.map(|folder| format!(" /{folder}/"));
    let quoted = folders.map(|folder| format!("\"/{folder}/"));
    let temporary = ["wt", "t", "brief"].map(|folder| format!("/{}/{folder}/", "tmp"));
    let words = [&words[..], &quoted[..], &temporary[..]].concat();
    assert_eq!(places(&words), Vec::<String>::new());
}

#[test]
fn every_rust_file_begins_with_its_sign() {
    let nameless = files()
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs"))
        // What the compiler must refuse, and what it says, are data.
        .filter(|(path, _)| {
            !path
                .components()
                .any(|part| matches!(part.as_os_str().to_str(), Some("ui" | "compile_fail")))
        })
        .filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#![doc = include_str!"))
        .map(|(path, _)| path)
        .collect::<Vec<_>>();
    assert_eq!(nameless, Vec::<PathBuf>::new());
}
