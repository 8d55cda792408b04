//! Rows read into a struct of the fields that are wanted.

use std::fmt;
use std::marker::PhantomData;

use crate::codec::Decode;
use crate::query::Item;
use crate::select::{Columns, Select};

/// A struct that is read from some columns of a query, by name. Derive it; see [`derive@crate::Projection`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    note = "derive it: `#[derive(packetboat_orm::Projection)] #[model(from = Model)]`"
)]
pub trait Projection: Decode {
    /// The query that it is read from: a model, or several side by side.
    type From;

    /// What each field is read from.
    fn fields() -> Fields<Self::From, Self>;
}

/// What the fields of a [`Projection`] are read from, in order.
pub struct Fields<S, P> {
    items: Vec<Item>,
    of: PhantomData<fn() -> (S, P)>,
}

impl<S, P> Fields<S, P> {
    /// No field yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            items: Vec::new(),
            of: PhantomData,
        }
    }

    /// The next field, of type `T`.
    #[must_use]
    pub fn field<T, C: Columns<S, I, Row = T>, I>(mut self, columns: C) -> Self {
        columns.items(&mut self.items);
        self
    }
}

impl<S, P> Default for Fields<S, P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, P> fmt::Debug for Fields<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fields").field(&self.items).finish()
    }
}

impl<S, T> Select<S, T> {
    /// Reads each row into a struct of the columns that it names.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Projection, Result};
    /// # #[derive(Model)] struct User { id: i64, name: String, age: i32, letter: String }
    /// #[derive(Projection)]
    /// #[model(from = User)]
    /// struct Card { name: String, age: i32 }
    ///
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let cards: Vec<Card> = User::select().filter(user::age.ge(18)).project::<Card>().all(db).await?;
    /// # Ok(()) }
    /// ```
    pub fn project<P: Projection<From = S>>(self) -> Select<S, P> {
        let mut query = self.into_query();
        query.more().columns = Some(P::fields().items);
        Select::from_query(query)
    }
}
