//! What is written: one row and many, what the database adds, what is refused, and whose rows are never touched.

#[path = "../common/mod.rs"]
mod common;

mod assignments;
mod bulk;
mod errors;
mod generated;
mod hooks;
mod injection;
mod read_back;
mod roles;
mod scope;
mod size;
mod tracked;
mod unread;
mod upsert;
mod write;
