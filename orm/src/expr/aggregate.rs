//! Functions of all rows of a group: count, sum, average, least and greatest.

use crate::cover::{Aggregated, Over};
use crate::expr::{Aggregate, Column, Expr, Numeric, Scalar, Term};

/// An aggregate over columns of `F`.
type Of<F, T> = Expr<Over<Aggregated<F>>, T>;

/// How many rows.
///
/// ```
/// # use packetboat_orm::{Executor, Model, ModelExt, Result, count};
/// # #[derive(Model)] struct User { id: i64, city: String }
/// # async fn f(db: impl Executor) -> Result<()> {
/// let sizes: Vec<(String, i64)> =
///     User::select().group_by(user::city).columns((user::city, count())).all(db).await?;
/// # Ok(()) }
/// ```
pub const fn count() -> Of<(), i64> {
    Expr::new(Term::Aggregate(Aggregate::Count, None))
}

macro_rules! aggregates {
    ($side:ident<$M:ident>) => {
        impl<$M, T> $side<$M, T> {
            /// In how many rows it is not NULL.
            pub fn count(self) -> Of<$M, i64> {
                of(Aggregate::Count, self.into_own_term())
            }

            /// How many different values there are, NULL aside.
            pub fn count_distinct(self) -> Of<$M, i64> {
                of(Aggregate::CountDistinct, self.into_own_term())
            }
        }

        impl<$M, T: Scalar> $side<$M, T> {
            /// The least value; `None` where there is none but NULL.
            ///
            /// [`Error::Unsupported`](crate::Error::Unsupported) for what not every database compares: truth values,
            /// bytes, UUIDs, JSON.
            pub fn min(self) -> Of<$M, Option<T::Bare>> {
                of(Aggregate::Min, self.into_own_term())
            }

            /// The greatest value; `None` where there is none but NULL.
            ///
            /// [`Error::Unsupported`](crate::Error::Unsupported) for what not every database compares: truth values,
            /// bytes, UUIDs, JSON.
            pub fn max(self) -> Of<$M, Option<T::Bare>> {
                of(Aggregate::Max, self.into_own_term())
            }
        }

        impl<$M, T: Numeric> $side<$M, T> {
            /// The sum: an `i64` of integers, an `f64` of floating point numbers, a `Decimal` of such; `None` where
            /// there is none but NULL.
            ///
            /// A sum of integers beyond `i64` is an error on every database.
            pub fn sum(self) -> Of<$M, Option<T::Sum>> {
                of(Aggregate::Sum, self.into_own_term())
            }

            /// The mean, in floating point; `None` where there is none but NULL.
            pub fn avg(self) -> Of<$M, Option<f64>> {
                of(Aggregate::Avg, self.into_own_term())
            }
        }
    };
}

aggregates!(Column<M>);
aggregates!(Expr<F>);

fn of<F, T>(aggregate: Aggregate, term: Term) -> Of<F, T> {
    Expr::new(Term::Aggregate(aggregate, Some(Box::new(term))))
}
