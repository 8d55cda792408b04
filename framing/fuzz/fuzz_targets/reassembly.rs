//! Target `reassembly`: attachments that come in several goes, as the bytes say.
#![no_main]

#[path = "../../tests/native/pair.rs"]
mod pair;
#[path = "../../tests/native/reassembly/mod.rs"]
mod reassembly;
#[path = "../../tests/native/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reassembly::fuzz_reassembly(data));
