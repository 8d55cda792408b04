//! Unfinished files that can be gone on with, also after a restart.
//!
//! ```text
//!  .KEY.packetboat-unfinished   | group 0 | group 1 | group 2 | some more |
//!  .KEY.packetboat-groups       | head | value 0 | value 1 |
//!                                                ^ synced up to here: where it goes on
//! ```

mod file;
mod list;
mod policy;
mod store;

pub use file::PartFile;
pub use policy::PartsPolicy;
pub use store::Parts;
