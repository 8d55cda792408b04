//! HTTP and WebSocket on the server's port.
#![cfg(all(feature = "tls", feature = "web"))]

#[path = "../common/authority.rs"]
mod authority;
mod files;
mod http;
mod life;
mod protocol;
mod raw;
mod socket;
mod world;
