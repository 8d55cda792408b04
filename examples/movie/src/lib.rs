//! Video on demand, for Rust and existing Python clients.

pub mod accounts;
pub mod classic;
pub mod config;
pub mod database;
pub mod library;
pub mod logs;
pub mod messages;
pub mod names;
pub mod refusals;
pub mod sampled;
