//! The whole server, by HTTP and by messages, as browsers, programs and attackers use it.
#![allow(
    clippy::unwrap_used,
    reason = "a test that fails shall stop where it fails"
)]

mod attacks;
mod coming;
mod commands;
mod components;
mod files;
mod forms;
mod load;
mod managing;
mod noise;
mod owners;
mod plans;
mod programs;
mod proxies;
mod routing;
mod support;
mod tenants;
