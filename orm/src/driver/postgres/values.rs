//! What a statement binds on PostgreSQL: its values one by one, or a column of many rows as one array.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgHasArrayType, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, Type};

use crate::error::{Error, Result, Unfit};
use crate::table::ColumnDef;
use crate::unfit;

/// The values of a statement.
#[derive(Debug, Default)]
#[allow(unnameable_types, reason = "part of a sealed trait")]
pub struct Values {
    arguments: PgArguments,
    /// Where the next value goes, and into which array, if they go by columns.
    columns: Option<(usize, Vec<Array>)>,
}

impl Values {
    /// Values follow row by row, so many in each, and each column of them becomes one array.
    pub(super) fn by_column(&mut self, columns: usize) {
        self.columns = Some((0, (0..columns).map(|_| Array::default()).collect()));
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        if self.columns.is_none() {
            self.arguments.reserve(additional, additional * 8);
        }
    }

    pub(super) fn add<'q, T>(&mut self, column: &ColumnDef, value: T) -> Result<()>
    where
        T: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        let added = match &mut self.columns {
            None => self.arguments.add(value),
            Some((at, arrays)) => {
                let here = *at;
                *at = (here + 1) % arrays.len();
                arrays[here].push(value)
            }
        };
        added.map_err(|error| refused(column, error))
    }

    /// As [`add`](Self::add), for what has no arrays, since it is one.
    pub(super) fn add_list<'q, T>(&mut self, column: &ColumnDef, value: T) -> Result<()>
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        let added = self.arguments.add(value);
        added.map_err(|error| refused(column, error))
    }

    /// The driver's own arguments, where values go into them one by one.
    pub(super) const fn as_arguments(&mut self) -> Option<&mut PgArguments> {
        match self.columns {
            None => Some(&mut self.arguments),
            Some(_) => None,
        }
    }

    pub(super) fn into_arguments(self) -> Result<PgArguments> {
        let mut arguments = self.arguments;
        for array in self.columns.into_iter().flat_map(|(_, arrays)| arrays) {
            let added = arguments.add(array);
            added.map_err(|error| refused(ColumnDef::UNNAMED, error))?;
        }
        Ok(arguments)
    }
}

fn refused(column: &ColumnDef, error: BoxDynError) -> Error {
    unfit::encode(column, Unfit::Driver(error.into()))
}

/// An array of one dimension, as it goes over the wire.
#[derive(Debug, Default)]
struct Array {
    /// Its own type and that of its elements, as the first one has them that is not NULL; as NULL has them until then.
    types: Option<(PgTypeInfo, PgTypeInfo)>,
    has_null: bool,
    has_value: bool,
    count: usize,
    /// The elements, each behind its length; the length of NULL is -1.
    elements: PgArgumentBuffer,
}

impl Array {
    fn push<'q, T>(&mut self, value: T) -> Result<(), BoxDynError>
    where
        T: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        let at = self.elements.len();
        self.elements.extend([0; 4]);
        let len = match value.encode(&mut self.elements)? {
            IsNull::No => {
                self.check_type::<T>()?;
                i32::try_from(self.elements.len() - at - 4)?
            }
            IsNull::Yes => {
                self.has_null = true;
                self.types
                    .get_or_insert_with(|| (T::array_type_info(), T::type_info()));
                -1
            }
        };
        self.elements[at..at + 4].copy_from_slice(&len.to_be_bytes());
        self.count += 1;
        Ok(())
    }

    /// Sees to it that all values have one type.
    fn check_type<T: Type<Postgres> + PgHasArrayType>(&mut self) -> Result<(), BoxDynError> {
        let of = T::type_info();
        match &self.types {
            Some((_, first)) if *first == of => {}
            Some((_, first)) if self.has_value => {
                return Err(format!("{of} in a column of {first}").into());
            }
            _ => self.types = Some((T::array_type_info(), of)),
        }
        self.has_value = true;
        Ok(())
    }
}

impl Type<Postgres> for Array {
    fn type_info() -> PgTypeInfo {
        // Each has its own, which `produces` says.
        <String as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Array {
    fn produces(&self) -> Option<PgTypeInfo> {
        self.types.as_ref().map(|(array, _)| array.clone())
    }

    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let element = self.types.as_ref().and_then(|(_, element)| element.oid());
        let element = element.ok_or("an array of a type that has no number")?;
        buffer.extend(1_i32.to_be_bytes());
        buffer.extend(i32::from(self.has_null).to_be_bytes());
        buffer.extend(element.0.to_be_bytes());
        buffer.extend(i32::try_from(self.count)?.to_be_bytes());
        // Indexes count from 1.
        buffer.extend(1_i32.to_be_bytes());
        buffer.extend_from_slice(&self.elements);
        Ok(IsNull::No)
    }
}
