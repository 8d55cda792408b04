//! The harness of the tests: what several of them need, and nothing that none needs.
//!
//! | module | what it gives |
//! | --- | --- |
//! | [`child`] | a server as a process of its own, to measure and to kill |
//! | [`databases`] | whether the orm suite was the same on every database |
//! | [`faults`] | the rows of `faults.toml` |
//! | [`hostile`] | a peer that breaks every rule, and what has to come back |
//! | [`node`] | a small server of which many share a Redis: its messages, and how it is started |
//! | [`peer`] | a peer that speaks raw bytes |
//! | [`postgres`] | a PostgreSQL of a test's own, to crash |
//! | [`proxy`] | a network that fails |
//! | [`redis`] | a Redis of a test's own, to stop and to crash |
//! | [`results`] | which tests ran, out of a test runner's log |
//! | [`trace`] | system calls: traced, made to fail, replayed on the model of a disk |

pub mod child;
pub mod databases;
pub mod faults;
pub mod hostile;
pub mod node;
pub mod peer;
pub mod postgres;
pub mod proxy;
pub mod redis;
pub mod results;
pub mod trace;

/// The project's front page, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct FrontPage;
