//! System calls of a server: traced, made to fail, and replayed on the model of a disk.

mod call;
mod disk;
mod strace;

pub use call::{Call, calls};
pub use disk::{Disk, Lost};
pub use strace::{Strace, is_missing};
