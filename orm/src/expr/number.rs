//! Arithmetic on numbers.

use std::ops::{Add, Mul, Sub};

use rust_decimal::Decimal;

use crate::cover::Over;
use crate::expr::{Arithmetic, Column, Expr, Scalar, Term};
use crate::field::Field;
use crate::value::Value;

/// A field that is a number: it can be added and subtracted, and a sum can be made of it.
///
/// A newtype is one by hand: `impl Numeric for Cents { type Sum = i64; }`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number",
    note = "for a newtype around a number, say `impl Numeric for {Self} {{ type Sum = i64; }}`"
)]
pub trait Numeric: Scalar {
    /// The type of a sum: `i64` for integers, `f64` for floating point, `Decimal` for itself.
    type Sum: Scalar;
}

/// A number whose product with another has the same type, on every database.
///
/// A `Decimal` has not: its digits after the point would add up.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be multiplied on every database")]
pub trait Factor: Numeric {}

macro_rules! numbers {
    ($($ty:ty => $sum:ty),+ $(,)?) => {$(
        impl Numeric for $ty {
            type Sum = $sum;
        }
    )+};
}

numbers! {
    i16 => i64, i32 => i64, i64 => i64, u32 => i64, u64 => i64, f32 => f64, f64 => f64, Decimal => Decimal,
}

impl<T: Numeric + Scalar<Bare = T>> Numeric for Option<T> {
    type Sum = T::Sum;
}

macro_rules! factors {
    ($($ty:ty),+) => {$(
        impl Factor for $ty {}
        impl Factor for Option<$ty> {}
    )+};
}

factors!(i16, i32, i64, u32, u64, f32, f64);

macro_rules! operator {
    ($Trait:ident, $method:ident, $bound:ident, $operator:ident: $($side:ident)+) => {$(
        operator!(@ $Trait, $method, $bound, $operator, $side, Column);
        operator!(@ $Trait, $method, $bound, $operator, $side, Expr);

        /// With a value.
        impl<M, T: $bound> $Trait<T> for $side<M, T> {
            type Output = Expr<M, T>;

            fn $method(self, right: T) -> Expr<M, T> {
                with_value(self.into_own_term(), Arithmetic::$operator, &right)
            }
        }

        /// With a value; NULL stays NULL.
        impl<M, T: $bound> $Trait<T> for $side<M, Option<T>> {
            type Output = Expr<M, Option<T>>;

            fn $method(self, right: T) -> Expr<M, Option<T>> {
                with_value(self.into_own_term(), Arithmetic::$operator, &right)
            }
        }
    )+};
    (@ $Trait:ident, $method:ident, $bound:ident, $operator:ident, $left:ident, $right:ident) => {
        /// With another column or expression of the same type.
        impl<M, N, T: $bound> $Trait<$right<N, T>> for $left<M, T> {
            type Output = Expr<Over<(M, N)>, T>;

            fn $method(self, right: $right<N, T>) -> Self::Output {
                let sides = (self.into_own_term(), right.into_own_term());
                Expr::new(Term::Arithmetic(Box::new(sides), Arithmetic::$operator))
            }
        }
    };
}

operator!(Add, add, Numeric, Plus: Column Expr);
operator!(Sub, sub, Numeric, Minus: Column Expr);
operator!(Mul, mul, Factor, Times: Column Expr);

fn with_value<M, T, V: Field>(left: Term, operator: Arithmetic, right: &V) -> Expr<M, T> {
    let def = left.def();
    let right = Term::Value(Value::of(def, right), def);
    Expr::new(Term::Arithmetic(Box::new((left, right)), operator))
}
