//! The client: what people type, see and keep.

pub mod args;
pub mod commands;
pub mod download;
pub mod failure;
pub mod health;
pub mod kept;
pub mod lang;
pub mod menu;
mod native;
pub mod place;
pub mod progress;
pub mod prompt;
pub mod remote;
pub mod report;
pub mod terminal;
pub mod transfer;
