//! Writing rows: each by itself, many at once, or only what changed.

mod bind;
mod bulk;
mod chunks;
mod one;
mod read_back;
mod size;
mod stamps;
mod text;
mod tracked;
mod upsert;

pub(crate) use self::bind::KeyOf;
pub(crate) use self::bulk::insert_all;
pub(crate) use self::chunks::Back;
pub(crate) use self::one::{Act, act};

pub(crate) use self::stamps::now;
pub use self::tracked::Tracked;
pub use self::upsert::{ColumnSet, Upsert};
