//! What is read: one model and several side by side, conditions, orders, groups, pages, relations.

#![allow(
    clippy::type_complexity,
    reason = "the types of what was read are spelled out, since they are what is tested"
)]

#[path = "../common/mod.rs"]
mod common;

mod aggregates;
mod agreement;
mod expressions;
mod grouping;
mod joins;
mod pages;
mod query;
mod relations;
mod row_locks;
mod streams;
mod sub_selects;
