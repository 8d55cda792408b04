//! The corpus of the native fuzz targets, replayed without a fuzzer.

use std::{fs, path::Path};

use crate::{
    reassembly::fuzz_reassembly,
    world::{fuzz_frames, fuzz_steps},
};

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
fn native_corpus_is_replayed() {
    replay("native", fuzz_steps);
}

#[test]
fn native_frames_corpus_is_replayed() {
    replay("native_frames", fuzz_frames);
}

#[test]
fn reassembly_corpus_is_replayed() {
    replay("reassembly", fuzz_reassembly);
}
