//! What tasks share their state by. It has a room of its own so that `tests/interleavings` can put
//! a model in its place, and run what stands on it in every order.

pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use tokio::sync::Notify;
