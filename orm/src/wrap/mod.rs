//! Wrappers: executors around executors, as values of one request.

mod counted;
mod rows;
mod traced;

pub use self::counted::Counted;
pub use self::traced::Traced;
