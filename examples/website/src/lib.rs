//! Sites for many companies, on one port: a database for each, components by plan, two doors to the same pages.

pub mod accounts;
pub mod app;
pub mod browser;
pub mod config;
pub mod demo;
pub mod directory;
pub mod gate;
pub mod handlers;
pub mod logs;
pub mod markup;
pub mod messages;
pub mod models;
pub mod operator;
pub mod plans;
pub mod rates;
pub mod recent;
pub mod refusals;
pub mod secret;
pub mod server;
pub mod sessions;
pub mod site;
pub mod storage;
pub mod text;
pub mod web;
pub mod words;
