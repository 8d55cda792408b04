//! The numbers that both sides must agree on. `WIRE.md` has the same.

/// The version that this crate speaks.
pub const VERSION: u8 = 1;

/// The largest payload of one data frame, in bytes: at 200 MB/s other frames then wait 5 ms at
/// most, and a header each 1 MiB costs nothing.
pub const MAX_DATA: u32 = 1024 * 1024;

/// The largest block of extension fields, in bytes, without the two that state its length. All
/// fields of version 1 together need under 400.
pub const MAX_EXTENSIONS: usize = 1024;

/// The most credit that may be outstanding for one attachment, in bytes.
pub const MAX_CREDIT: u64 = 16 * 1024 * 1024;

/// How many requests a client may have in flight before the server's preface has come.
pub const REQUESTS_BEFORE_PREFACE: u16 = 1;
