//! framing alone: a line or a file, there and back.
fn main() {}
