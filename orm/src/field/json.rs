//! Any serde type as a column.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Decode, Sink, Source};
use crate::error::{Result, Unfit};
use crate::field::Field;
use crate::table::{ColumnDef, SqlType};
use crate::unfit;

/// A value kept as a JSON document: `JSONB` on PostgreSQL, `JSON` on MySQL, text on SQLite.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Json<T>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Json<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Field for Json<T> {
    const TYPE: SqlType = SqlType::Json;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| unfit::encode(column, Unfit::Json(Arc::new(error))))?;
        sink.json(column, &text)
    }

    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        let text = row.json(index, column)?;
        serde_json::from_str(&text)
            .map(Self)
            .map_err(|error| column.misfit(error))
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Decode for Json<T> {
    const WIDTH: usize = 1;

    fn decode<R: Source>(row: &R, at: usize) -> Result<Self> {
        Field::get(row, at, ColumnDef::UNNAMED)
    }
}
