//! What a write fills into a row by itself: times, version, tenant; and how it is taken out again.

use chrono::{DateTime, SubsecRound as _, Utc};

use crate::error::Result;
use crate::model::Model;
use crate::table::{Roles, SqlType};
use crate::tenant::TenantId;
use crate::value::Value;

/// This instant, as exact as every database keeps it.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// What stood in the columns that a write fills in, to put it back when the write fails.
pub(crate) struct Stamps<M: Model> {
    key: M::Key,
    columns: Vec<(usize, Value)>,
}

impl<M: Model> Stamps<M> {
    pub(crate) fn of(row: &M) -> Self {
        let roles = M::TABLE.roles();
        let all = [
            roles.created,
            roles.deleted,
            roles.tenant,
            roles.updated,
            roles.version,
        ];
        let columns = all
            .into_iter()
            .flatten()
            .map(|at| (at, Value::of_column(row, at)))
            .collect();
        Self {
            key: row.key(),
            columns,
        }
    }

    pub(crate) fn restore(self, row: &mut M) {
        row.set_key(self.key);
        for (at, value) in self.columns {
            // What came out of a field fits it.
            let _ = row.set_column(at, &value, 0);
        }
    }
}

fn set<M: Model>(row: &mut M, at: Option<usize>, value: &Value) -> Result<()> {
    match at {
        Some(at) => row.set_column(at, value, 0),
        None => Ok(()),
    }
}

/// For an INSERT: the row is new as of now.
pub(crate) fn inserted<M: Model>(row: &mut M, now: DateTime<Utc>) -> Result<()> {
    let &Roles {
        created,
        updated,
        version,
        ..
    } = M::TABLE.roles();
    let now = Value::DateTime(now);
    set(row, created, &now)?;
    set(row, updated, &now)?;
    set(row, version, &Value::I64(1))
}

/// For an UPDATE, which compares the version as it is and counts it by itself.
pub(crate) fn updated<M: Model>(row: &mut M, now: DateTime<Utc>) -> Result<()> {
    set(row, M::TABLE.roles().updated, &Value::DateTime(now))
}

/// For a soft delete.
pub(crate) fn deleted<M: Model>(row: &mut M, now: DateTime<Utc>) -> Result<()> {
    set(row, M::TABLE.roles().deleted, &Value::DateTime(now))?;
    updated(row, now)
}

/// After a soft delete was taken back.
pub(crate) fn restored<M: Model>(row: &mut M) -> Result<()> {
    let none = Value::Null(SqlType::DateTime);
    set(row, M::TABLE.roles().deleted, &none)
}

/// After a statement that counted the version.
pub(crate) fn counted<M: Model>(row: &mut M) -> Result<()> {
    let Some(at) = M::TABLE.roles().version else {
        return Ok(());
    };
    let column = &M::TABLE.columns()[at];
    let version = version(row)?
        .checked_add(1)
        .ok_or_else(|| column.misfit("a version that cannot be counted further"))?;
    row.set_column(at, &Value::I64(version), 0)
}

/// How often the row was changed, as far as it knows; 0 for one that was never read or written.
pub(crate) fn version<M: Model>(row: &M) -> Result<i64> {
    use crate::codec::Source as _;

    match M::TABLE.roles().version {
        Some(at) => Value::of_column(row, at).i64(0, &M::TABLE.columns()[at]),
        None => Ok(0),
    }
}

/// After a statement that was held to a tenant.
pub(crate) fn owned<M: Model>(row: &mut M, tenant: Option<TenantId>) -> Result<()> {
    match tenant {
        Some(id) => set(row, M::TABLE.roles().tenant, &Value::from(id)),
        None => Ok(()),
    }
}
