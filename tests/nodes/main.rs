//! Many nodes that share a Redis.

mod conformance;
mod outage;
mod sessions;
mod world;
