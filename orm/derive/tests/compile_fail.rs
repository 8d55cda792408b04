//! What the compiler says to the usual mistakes.
#![allow(missing_docs, reason = "a test")]

#[test]
fn mistakes_are_told_in_words() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
