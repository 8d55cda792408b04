//! What statements go over: pools, transactions and wrappers, and what is left when one is cancelled, cut or locked.

#[path = "../common/mod.rs"]
mod common;

mod busy;
mod cancel;
mod counted;
mod executors;
mod partition;
mod race;
mod read_only;
mod restart;
mod retry;
mod rollback;
mod rolled_back;
mod router;
mod stack;
mod tenants;
mod traced;
mod transactions;
mod unit_of_work;
mod wrappers;
