//! What must not compile, and what the compiler says about it.

// axum has a `Handler` as well, and where both are there the compiler calls ours by its whole name.
#[test]
#[cfg_attr(
    not(feature = "web"),
    ignore = "the words are those of a build with the feature web"
)]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
