//! The corpus of the fuzz targets, replayed without a fuzzer.

mod fuzzed;
mod support;

use std::{fs, path::Path};

fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(folder).expect("the corpus is in the repository") {
        let path = entry.expect("readable").path();
        println!("{}", path.display());
        run(&fs::read(path).expect("readable"));
        inputs += 1;
    }
    assert!(inputs >= 10, "{inputs} inputs");
}

#[test]
fn decode_corpus_is_replayed() {
    replay("decode", fuzzed::decode);
}

#[test]
fn session_corpus_is_replayed() {
    replay("session", fuzzed::session);
}
