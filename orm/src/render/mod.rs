//! From a query as a value to the SQL of a database. Compiled once, and not for every model.

mod assign;
mod check;
mod condition;
mod pattern;
mod position;
mod select;
mod tail;
mod term;
mod write;
