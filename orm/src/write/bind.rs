//! Which of a row's values a statement binds, and in which order.

use std::sync::OnceLock;

use crate::codec::{Decode, Params, Sink, Source};
use crate::error::{Error, Result};
use crate::model::{Key, Model};
use crate::table::Table;
use crate::tenant::TenantId;
use crate::value::{Value, put_tenant};

/// The parts of a row that a statement binds.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    /// The INSERT without a key.
    Inserted,
    /// The INSERT with the key first.
    KeyThenInserted,
    /// The row's own place: key, version, tenant.
    Own,
    /// The UPDATE that is a soft delete: its times, then the row's own place.
    DeletedThenOwn,
    /// The UPDATE that takes it back: its time, then the row's own place.
    RestoredThenOwn,
    /// These columns, then the unique ones by which a row is looked for, and whose it is.
    ColumnsThenOn(&'a [usize], &'a [usize]),
    /// The UPDATE of these columns, then the row's own place.
    ColumnsThenOwn(&'a [usize]),
}

/// The values of rows of a model.
pub(crate) struct Rows<'a, M> {
    rows: &'a [M],
    part: Part<'a>,
    /// So many values of a row, if each column of the rows is bound as one array.
    by_column: Option<usize>,
    /// Who the scope works for, once the values were bound in it.
    tenant: OnceLock<TenantId>,
}

impl<'a, M: Model> Rows<'a, M> {
    pub(crate) const fn new(rows: &'a [M], part: Part<'a>) -> Self {
        Self {
            rows,
            part,
            by_column: None,
            tenant: OnceLock::new(),
        }
    }

    /// Binds each column of the rows as one array; a row has so many values.
    pub(crate) const fn by_column(mut self, columns: usize) -> Self {
        self.by_column = Some(columns);
        self
    }

    /// Who the scope works for, if the table has tenants and the statement was run.
    pub(crate) fn into_tenant(self) -> Option<TenantId> {
        self.tenant.into_inner()
    }

    fn columns<S: Sink>(&self, row: &M, positions: &[usize], sink: &mut S) -> Result<()> {
        positions
            .iter()
            .try_for_each(|&at| self.column(row, at, sink))
    }

    fn column<S: Sink>(&self, row: &M, at: usize, sink: &mut S) -> Result<()> {
        if M::TABLE.roles().tenant != Some(at) {
            return row.put_column(at, sink);
        }
        // The scope's word holds, and not the row's.
        let scope = put_tenant(&M::TABLE.columns()[at], sink)?;
        check_tenant(row, at, &scope)?;
        self.tenant.get_or_init(|| scope);
        Ok(())
    }

    fn own<S: Sink>(&self, row: &M, sink: &mut S) -> Result<()> {
        let (table, roles) = (M::TABLE, M::TABLE.roles());
        self.columns(row, table.key_positions(), sink)?;
        let version_and_tenant = [roles.version, roles.tenant];
        let mut rest = version_and_tenant.iter().flatten();
        rest.try_for_each(|&at| self.column(row, at, sink))
    }
}

/// Refuses a row that says that it is another's. One that says nothing becomes the scope's.
fn check_tenant<M: Model>(row: &M, at: usize, scope: &TenantId) -> Result<()> {
    let own = Value::of_column(row, at);
    let is_right = match own.to_tenant() {
        Some(id) => id.is_unset() || id == *scope,
        None => own.is_null(),
    };
    if is_right {
        return Ok(());
    }
    Err(Error::OtherTenant {
        table: M::TABLE.name(),
    })
}

impl<M: Model> Params for Rows<'_, M> {
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
        let (table, roles) = (M::TABLE, M::TABLE.roles());
        match self.by_column {
            Some(columns) => sink.by_column(columns),
            None => sink.reserve(self.rows.len() * table.columns().len()),
        }
        for row in self.rows {
            match self.part {
                Part::Inserted => self.columns(row, table.inserted(), sink)?,
                Part::KeyThenInserted => {
                    self.columns(row, table.key_positions(), sink)?;
                    self.columns(row, table.inserted(), sink)?;
                }
                Part::Own => self.own(row, sink)?,
                Part::DeletedThenOwn => {
                    let times = [roles.deleted, roles.updated];
                    let mut times = times.iter().flatten();
                    times.try_for_each(|&at| row.put_column(at, sink))?;
                    self.own(row, sink)?;
                }
                Part::RestoredThenOwn => {
                    if let Some(at) = roles.updated {
                        row.put_column(at, sink)?;
                    }
                    self.own(row, sink)?;
                }
                Part::ColumnsThenOn(positions, on) => {
                    self.columns(row, positions, sink)?;
                    self.columns(row, on, sink)?;
                    let mut tenant = roles.tenant.iter();
                    tenant.try_for_each(|&at| self.column(row, at, sink))?;
                }
                Part::ColumnsThenOwn(positions) => {
                    self.columns(row, positions, sink)?;
                    self.own(row, sink)?;
                }
            }
        }
        Ok(())
    }
}

/// The place of a row whose key is known.
pub(crate) struct KeyOf<'a, M: Model>(pub(crate) &'a M::Key);

impl<M: Model> Params for KeyOf<'_, M> {
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
        self.0.put(M::TABLE, sink)?;
        match M::TABLE.tenant() {
            Some(column) => put_tenant(column, sink).map(drop),
            None => Ok(()),
        }
    }
}

/// A key alone in a row: what RETURNING gives back.
pub(crate) struct ReturnedKey<M: Model>(pub(crate) M::Key);

impl<M: Model> Decode for ReturnedKey<M> {
    const WIDTH: usize = 1;

    fn decode<R: Source>(row: &R, at: usize) -> Result<Self> {
        M::Key::get(row, at, M::TABLE).map(Self)
    }
}

/// A key that the database counted up.
pub(crate) fn counted_key<M: Model>(id: i64) -> Result<M::Key> {
    M::Key::from_last_id(id).ok_or_else(|| {
        let table: &Table = M::TABLE;
        table.key().misfit("a key out of the field's range")
    })
}
