//! What a site does, whichever door asks for it: pages for browsers and messages for programs call these.

pub mod counter;
pub mod files;
pub mod guest_book;
pub mod notices;
pub mod owners;
pub mod pages;
pub mod questions;

/// Rows that a list shows at most.
pub const SHOWN: u64 = 50;
