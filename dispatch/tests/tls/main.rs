//! What only TLS has: handshakes that fail, stall or are turned down, certificates that change.
#![cfg(feature = "tls")]

#[path = "../common/authority.rs"]
mod authority;
mod certificates;
mod clients;
mod files;
mod hostile;
mod port;
mod world;
