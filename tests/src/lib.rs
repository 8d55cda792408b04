//! The harness of the tests: what several of them need, and nothing that none needs.
//!
//! | module | what it gives |
//! | --- | --- |
//! | [`database`] | a fresh database for a test, on each kind of server |
//! | [`faults`] | the rows of `faults.toml` |
//! | [`results`] | which tests ran, out of a test runner's log |

pub mod child;
pub mod database;
pub mod faults;
pub mod peer;
pub mod proxy;
pub mod results;
