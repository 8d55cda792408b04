//! Video on demand, for Rust and existing Python clients.

// Three quarters of what the compiler allows: what the crates need of it must leave room for who builds on them.
#![recursion_limit = "96"]

pub mod accounts;
pub mod app;
pub mod classic;
pub mod client;
pub mod config;
pub mod database;
pub mod demo;
pub mod fit;
pub mod guards;
pub mod handlers;
pub mod health;
pub mod library;
pub mod logs;
pub mod messages;
pub mod metrics;
pub mod migrate;
pub mod models;
pub mod names;
pub mod refusals;
pub mod sampled;
pub mod schema;
pub mod server;
pub mod sessions;
