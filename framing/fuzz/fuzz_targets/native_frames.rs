//! Target `native_frames`: bytes of a stranger, at a native connection.
#![no_main]

#[path = "../../tests/native/pair.rs"]
mod pair;
#[path = "../../tests/native/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| world::fuzz_frames(data));
