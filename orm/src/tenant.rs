//! Who a scope works for, as a value.

use std::sync::Arc;

use uuid::Uuid;

/// The value of a tenant column that a scope is held to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[doc(hidden)]
pub enum TenantId {
    /// Of an integer column.
    Int(i64),
    /// Of a text column.
    Text(Arc<str>),
    /// Of a UUID column.
    Uuid(Uuid),
}

impl TenantId {
    /// Whether it is the value of rows that belong to nobody yet: 0, `""`, nil.
    pub(crate) fn is_unset(&self) -> bool {
        match self {
            Self::Int(id) => *id == 0,
            Self::Text(id) => id.is_empty(),
            Self::Uuid(id) => id.is_nil(),
        }
    }
}
