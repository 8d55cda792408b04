//! The orm suite, written once and run on every database.
