//! What several nodes share by way of Redis: one handle, and the connection behind it.
//!
//! [`RedisBroker`](crate::push::RedisBroker), [`RedisPresence`](crate::push::RedisPresence) and
//! [`RedisStore`](crate::session::RedisStore) stand on a [`Redis`], which they may share. It is
//! written for Redis 6.2 and later, and what speaks as it does (RESP3, scripts).
//!
//! A [`Redis`] connects when it is first used, and again by itself when it has lost its connection.
//! So a server starts while Redis is down, and goes on when it is back. While it is away, commands
//! fail at once; the one that finds out waits for [`RedisOptions::limit`] at the most.

mod call;
mod error;
mod keeper;
mod link;
mod options;

pub use error::RedisError;
pub use link::Redis;
pub use options::RedisOptions;

pub(crate) use call::Call;
pub(crate) use link::{Again, Connection};
