//! Target `native`: two native connections that do whatever the bytes say.
#![no_main]

#[path = "../../tests/native/pair.rs"]
mod pair;
#[path = "../../tests/native/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| world::fuzz_steps(data));
