//! An error of whatever kind: it ends the benchmark.

/// One that a task may give.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
