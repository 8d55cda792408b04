//! Wrappers: executors around executors, as values of one request.

mod counted;
mod keep;
mod router;
mod rows;
mod traced;
mod using;

pub use self::counted::Counted;
pub use self::router::{Pinned, Routed, Router};
pub use self::traced::Traced;
pub use self::using::Using;
