//! Sessions: who is calling, proven by a random id that only the caller holds.
//!
//! ```text
//! request ──"session": 32 hex──▶ ConnectionSessions::verify ──▶ Session (for the guard)
//!                                   │                │
//!                        made on this connection   kept: SessionStore, by SHA-256 of the id
//! ```
//!
//! A session ends with its connection and is refused on every other one, unless it was made with
//! `keep`. Only kept sessions reach the [`SessionStore`]: the others live and die in the memory of
//! their connection, which is why they cannot be taken elsewhere.
//!
//! What the server keeps is the SHA-256 of an id, so a stolen store logs nobody in.

mod clock;
mod conformance;
mod connection;
mod extractor;
mod id;
mod manager;
mod memory;
mod policy;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod store;

pub use conformance::check_store;
pub use connection::ConnectionSessions;
pub use extractor::Sessions;
pub use id::{InvalidSessionId, SessionId, SessionKey};
pub use manager::SessionManager;
pub use memory::MemoryStore;
pub use policy::{Lifetime, SessionPolicy};
pub use record::Session;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
pub use store::{SessionStore, StoreError};
