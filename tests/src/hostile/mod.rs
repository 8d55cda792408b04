//! A hostile peer: scripted exchanges of raw bytes that a server has to stand.
//!
//! Each [`Script`] breaks one rule of a wire, or keeps one that is easily got wrong, and says exactly what has to come
//! back: which frames and codes, whether the connection is closed, and in which time. It shares no code with the crates;
//! the native half is written from `framing/WIRE.md`. After each script a well-behaved peer looks whether the server
//! still serves.
//!
//! | module | what it gives |
//! | --- | --- |
//! | [`target`] | the server: where it is, and what may be asked of it |
//! | [`script`] | a script, how it went, and the run of it |
//! | `movie` | the movie server as a target |
//! | `line` | a connection that tells a close from a reset |
//! | `classic`, `native` | the scripts of each wire, and a peer that speaks it |

mod classic;
mod line;
mod movie;
mod native;
pub mod script;
pub mod target;

pub use movie::movie;
pub use script::{Outcome, Report, Script, Wire, Wrong};
pub use target::{Ask, Need, Target};

/// Every script, those of the classic wire first.
#[must_use]
pub fn scripts() -> Vec<Script> {
    let mut scripts = classic::scripts();
    scripts.extend(native::scripts());
    scripts
}
