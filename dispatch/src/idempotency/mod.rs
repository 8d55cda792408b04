//! A request that is sent twice counts once.

mod in_flight;
mod key;

pub(crate) use in_flight::{InFlight, Joined};
pub use key::{Idempotency, IdempotencyKey, InvalidIdempotencyKey};
