//! Many nodes that share a Redis.

mod conformance;
mod crowd;
mod lifetime;
mod lossy;
mod outage;
mod posts;
mod processes;
mod sessions;
mod world;
