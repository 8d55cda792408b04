//! What is read of each row, where that is not all of it.

use crate::codec::Decode;
use crate::cover::{Certain, Doubtful, Grouped, TableRef};
use crate::expr::{Column, Expr, Row, Scalar};
use crate::query::Item;
use crate::select::Select;

/// What [`Select::columns`] takes: columns and expressions of the query's models, [`row`](crate::ModelExt::row)s, and
/// tuples of these.
#[diagnostic::on_unimplemented(
    message = "this cannot be read in a query of `{S}`",
    label = "not columns of `{S}`",
    note = "read columns and expressions of the models that are selected or joined, or a tuple of up to 8 of them"
)]
pub trait Columns<S, I> {
    /// What each row is read into.
    type Row: Decode;

    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn items(self, out: &mut Vec<Item>);
}

/// In each row.
#[derive(Debug)]
pub struct Sure<I>(std::marker::PhantomData<fn() -> I>);
/// In some rows: of a model on the right of a left join.
#[derive(Debug)]
pub struct Unsure<I>(std::marker::PhantomData<fn() -> I>);

macro_rules! columns {
    ($($side:ident)+) => {$(
        impl<S, F, T: Scalar, I> Columns<S, Sure<I>> for $side<F, T>
        where
            F: Certain<Grouped<S>, I>,
        {
            type Row = T;

            #[allow(private_interfaces, reason = "only this crate implements it")]
            fn items(self, out: &mut Vec<Item>) {
                out.push(Item::Term(self.into_own_term()));
            }
        }

        /// `None` where the model is missing.
        impl<S, F, T: Scalar, I> Columns<S, Unsure<I>> for $side<F, T>
        where
            F: Doubtful<Grouped<S>, I>,
        {
            type Row = Option<T::Bare>;

            #[allow(private_interfaces, reason = "only this crate implements it")]
            fn items(self, out: &mut Vec<Item>) {
                out.push(Item::Term(self.into_own_term()));
            }
        }
    )+};
}

columns!(Column Expr);

impl<S, M: TableRef, I> Columns<S, Sure<I>> for Row<M>
where
    M: Certain<S, I>,
{
    type Row = M;

    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn items(self, out: &mut Vec<Item>) {
        out.push(table::<M>());
    }
}

impl<S, M: TableRef, I> Columns<S, Unsure<I>> for Row<M>
where
    M: Doubtful<S, I>,
{
    type Row = Option<M>;

    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn items(self, out: &mut Vec<Item>) {
        out.push(table::<M>());
    }
}

fn table<M: TableRef>() -> Item {
    let name = if M::ALIAS.is_empty() {
        M::TABLE.name()
    } else {
        M::ALIAS
    };
    Item::Table(M::TABLE, name)
}

macro_rules! tuples {
    ($($($part:ident $how:ident $index:tt),+;)+) => {$(
        impl<S, $($part, $how),+> Columns<S, ($($how,)+)> for ($($part,)+)
        where
            $($part: Columns<S, $how>),+
        {
            type Row = ($($part::Row,)+);

            #[allow(private_interfaces, reason = "only this crate implements it")]
            fn items(self, out: &mut Vec<Item>) {
                $(self.$index.items(out);)+
            }
        }
    )+};
}

tuples! {
    A HA 0;
    A HA 0, B HB 1;
    A HA 0, B HB 1, C HC 2;
    A HA 0, B HB 1, C HC 2, D HD 3;
    A HA 0, B HB 1, C HC 2, D HD 3, E HE 4;
    A HA 0, B HB 1, C HC 2, D HD 3, E HE 4, F HF 5;
    A HA 0, B HB 1, C HC 2, D HD 3, E HE 4, F HF 5, G HG 6;
    A HA 0, B HB 1, C HC 2, D HD 3, E HE 4, F HF 5, G HG 6, H HH 7;
}

impl<S, T> Select<S, T> {
    /// Reads these of each row: a column or expression, or a tuple of such.
    ///
    /// Columns of a model on the right of a left join are `Option`.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] struct User { id: i64, name: String, age: i32 }
    /// # #[derive(Model)] struct Post { id: i64, author: i64, title: String }
    /// # async fn f(mut db: impl Executor) -> Result<()> {
    /// let names: Vec<String> = User::select().columns(user::name).all(&mut db).await?;
    /// let titles: Vec<(String, i32, Option<String>)> = User::select()
    ///     .left_join(Post::on(post::author.eq(user::id)))
    ///     .columns((user::name, user::age + 1, post::title))
    ///     .all(&mut db)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn columns<P: Columns<S, I>, I>(self, columns: P) -> Select<S, P::Row> {
        let mut query = self.into_query();
        let mut items = Vec::new();
        columns.items(&mut items);
        query.more().columns = Some(items);
        Select::from_query(query)
    }
}
