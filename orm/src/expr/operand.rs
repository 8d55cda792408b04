//! What an expression may be compared with: values, other expressions, lists, sub-selects.

use crate::codec::Decode;
use crate::cover::{Over, TableRef};
use crate::expr::{Column, Expr, Node, Place, Term};
use crate::field::Field;
use crate::filter::Filter;
use crate::select::{Nested, Select};
use crate::table::ColumnDef;
use crate::value::{IntoValue, Value};

/// What may stand on the right of a comparison with a `T`: a value ([`IntoValue`]), or a column or expression of the
/// same type. Whether one of them may be NULL does not matter.
///
/// `K` says which of these it is; it is inferred.
#[diagnostic::on_unimplemented(
    message = "a column of type `{T}` cannot be compared with `{Self}`",
    label = "expected `{T}`, or a column or expression of that type"
)]
pub trait Operand<T, K> {
    /// The models that it reads.
    type Models;
    /// The models of a comparison with an expression over `F`.
    type With<F>;

    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn into_term(self, left: &'static ColumnDef) -> Term;
}

/// A value.
#[derive(Debug)]
pub struct Plain;
/// A column or an expression of the same type.
#[derive(Debug)]
pub struct Same;
/// A column or an expression that may be NULL where the other side may not, or the other way round.
#[derive(Debug)]
pub struct Near;

impl<T: Field, V: IntoValue<T>> Operand<T, Plain> for V {
    type Models = ();
    type With<F> = F;

    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn into_term(self, left: &'static ColumnDef) -> Term {
        Term::Value(Value::of(left, &self.into_value()), left)
    }
}

macro_rules! operands {
    ($($side:ident);+) => {$(
        operands!(@ $side, T, T, Same);
        operands!(@ $side, T, Option<T>, Near);
        operands!(@ $side, Option<T>, T, Near);
    )+};
    (@ $side:ident, $left:ty, $right:ty, $kind:ident) => {
        impl<N, T> Operand<$left, $kind> for $side<N, $right> {
            type Models = N;
            type With<F> = Over<(F, N)>;

            #[allow(private_interfaces, reason = "only this crate implements it")]
            fn into_term(self, _: &'static ColumnDef) -> Term {
                self.into_own_term()
            }
        }
    };
}

operands!(Column; Expr);

/// What `is_in` takes: a list of values, or a sub-select of one column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a list of `{T}` nor a sub-select of one",
    label = "expected values, or `Model::select().columns(column)`"
)]
pub trait Members<T, K> {
    /// The models of the condition on an expression over `F`.
    type With<F>;

    #[doc(hidden)]
    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn into_node(self, left: Term) -> Node;
}

impl<T: Field, L: IntoIterator<Item: IntoValue<T>>> Members<T, Plain> for L {
    type With<F> = F;

    #[allow(private_interfaces, reason = "only this crate implements it")]
    fn into_node(self, left: Term) -> Node {
        let def = left.def();
        let values = self
            .into_iter()
            .map(|value| Value::of(def, &value.into_value()));
        let (nulls, values): (Vec<_>, Vec<_>) = values.partition(Value::is_null);
        // Inside of IN, NULL finds nothing, and its negation nothing at all.
        if nulls.is_empty() {
            Node::In(left, values)
        } else {
            Node::Null(left.clone()).or(Node::In(left, values))
        }
    }
}

macro_rules! members {
    ($left:ty, $right:ty, $kind:ident) => {
        impl<S: Nested, T> Members<$left, $kind> for Select<S, $right> {
            type With<F> = Over<(F, S::Needs)>;

            #[allow(private_interfaces, reason = "only this crate implements it")]
            fn into_node(self, left: Term) -> Node {
                Node::InSelect(left, Box::new(self.into_query()))
            }
        }
    };
}

members!(T, T, Same);
members!(T, Option<T>, Near);
members!(Option<T>, T, Near);

/// A field that an expression can give back, which is every one that the crate has and every derived one.
///
/// By hand: `impl Scalar for Even { type Bare = Self; }`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read by itself",
    note = "for a `Field` written by hand, say `impl Scalar for {Self} {{ type Bare = Self; }}`"
)]
pub trait Scalar: Field + Decode {
    /// The type without `Option`.
    type Bare: Field + Decode;
}

impl<T: Scalar<Bare = T>> Scalar for Option<T> {
    type Bare = T;
}

impl<T> Scalar for crate::field::Json<T>
where
    Self: Field + Decode,
{
    type Bare = Self;
}

macro_rules! scalars {
    ($($ty:ty),+ $(,)?) => {$(
        impl Scalar for $ty {
            type Bare = Self;
        }
    )+};
}

scalars! {
    bool, i16, i32, i64, u32, u64, f32, f64, String, Vec<u8>, uuid::Uuid, rust_decimal::Decimal,
    chrono::DateTime<chrono::Utc>, chrono::NaiveDate, chrono::NaiveDateTime,
}

/// Every column of a model, in a projection: `User::row()`.
#[derive(Clone, Copy, Debug)]
pub struct Row<M>(pub(crate) std::marker::PhantomData<fn() -> M>);

impl<M: TableRef> Row<M> {
    /// Called by the derive.
    #[doc(hidden)]
    #[must_use]
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }

    /// That there is no such row: what a left join has beside a row that it found nothing for.
    ///
    /// ```
    /// # use packetboat_orm::{Executor, Model, ModelExt, Result};
    /// # #[derive(Model)] struct User { id: i64, name: String }
    /// # #[derive(Model)] struct Post { id: i64, author: i64 }
    /// # async fn f(db: impl Executor) -> Result<()> {
    /// let silent: Vec<String> = User::select()
    ///     .left_join(Post::on(post::author.eq(user::id)))
    ///     .filter(Post::row().is_missing())
    ///     .columns(user::name)
    ///     .all(db)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn is_missing(self) -> Filter<M> {
        Filter::new(Node::Null(Term::Column(Place {
            def: M::TABLE.key(),
            alias: M::ALIAS,
        })))
    }
}
