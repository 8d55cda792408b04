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

/// The number before which older rows are, where this list may not show them all.
pub fn older<T>(rows: &[T], id: impl Fn(&T) -> i64) -> Option<i64> {
    let is_full = u64::try_from(rows.len()).is_ok_and(|len| len >= SHOWN);
    rows.last().filter(|_| is_full).map(id)
}
