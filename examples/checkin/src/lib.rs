//! Attendance: a code that changes on the wall, students who sign in by phone.

pub mod accounts;
pub mod admin;
pub mod app;
pub mod classes;
pub mod client;
pub mod clock;
pub mod codes;
pub mod config;
pub mod courses;
pub mod database;
pub mod demo;
pub mod guards;
pub mod handlers;
pub mod logs;
pub mod messages;
pub mod migrate;
pub mod models;
pub mod pages;
pub mod refusals;
pub mod roster;
pub mod secrets;
pub mod server;
pub mod sessions;
pub mod sheet;
pub mod signing;
pub mod words;
