//! Loading a relation: the keys of the rows, one query, and the rows that it finds put where they belong.

use std::future::{Future, ready};
use std::ops::ControlFlow;
use std::panic::Location;

use crate::codec::Source;
use crate::error::{Error, Result};
use crate::executor::{Collect, Demand, Executor};
use crate::expr::Node;
use crate::model::Model;
use crate::relation::Relation;
use crate::relation::ends::positions;
use crate::relation::index::Index;
use crate::relation::kind::Kind;
use crate::relation::one_of::OneOf;
use crate::relation::top::top;
use crate::select::select;
use crate::table::ColumnDef;

type At = &'static Location<'static>;

/// What can be loaded onto rows of model `M`: its relations. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a relation of `{M}`",
    label = "not a relation of `{M}`",
    note = "a relation is loaded onto rows of the model that declares it"
)]
pub trait Load<M: Model>: sealed::Sealed + Send + Sync + 'static {
    /// What is loaded for each row.
    type Out: Send + 'static;

    #[doc(hidden)]
    fn load_onto<E: Executor>(
        &self,
        rows: &[M],
        db: &mut E,
        at: At,
    ) -> impl Future<Output = Result<Vec<Self::Out>>> + Send;
}

/// Several relations of model `M`, loaded one after the other: a tuple. Sealed.
pub trait LoadAll<M: Model>: sealed::Sealed + Send + Sync + 'static {
    /// The row and what was loaded onto it.
    type Row: Send + 'static;

    #[doc(hidden)]
    fn load_all<E: Executor>(
        &self,
        rows: Vec<M>,
        db: &mut E,
        at: At,
    ) -> impl Future<Output = Result<Vec<Self::Row>>> + Send;
}

/// A tuple with one more place. Sealed.
pub trait Append<L>: sealed::Sealed {
    /// That tuple.
    type Longer;

    #[doc(hidden)]
    fn append(self, last: L) -> Self::Longer;
}

mod sealed {
    /// Only this crate implements what has this bound.
    #[allow(unnameable_types, reason = "this is what seals")]
    pub trait Sealed {}
}

impl sealed::Sealed for () {}

impl<M: Model> LoadAll<M> for () {
    type Row = M;

    fn load_all<E: Executor>(
        &self,
        rows: Vec<M>,
        _: &mut E,
        _: At,
    ) -> impl Future<Output = Result<Vec<M>>> + Send {
        ready(Ok(rows))
    }
}

macro_rules! tuples {
    ($($($relation:ident $rows:ident),+;)+) => {$(
        impl<$($relation),+> sealed::Sealed for ($($relation,)+) {}

        impl<M: Model, $($relation: Load<M>),+> LoadAll<M> for ($($relation,)+) {
            type Row = (M, $($relation::Out),+);

            #[allow(non_snake_case, reason = "the parts of a tuple have the names of their types")]
            async fn load_all<Db: Executor>(
                &self,
                rows: Vec<M>,
                db: &mut Db,
                at: At,
            ) -> Result<Vec<Self::Row>> {
                let ($($relation,)+) = self;
                $(let mut $rows = $relation.load_onto(&rows, db, at).await?.into_iter();)+
                // As many as there are rows, so nothing is left out.
                Ok(rows
                    .into_iter()
                    .map_while(|row| Some((row, $($rows.next()?),+)))
                    .collect())
            }
        }
    )+};
}

tuples! {
    A a;
    A a, B b;
    A a, B b, C c;
    A a, B b, C c, D d;
    A a, B b, C c, D d, E e;
    A a, B b, C c, D d, E e, F f;
    A a, B b, C c, D d, E e, F f, G g;
    A a, B b, C c, D d, E e, F f, G g, H h;
}

macro_rules! appends {
    ($($($relation:ident $index:tt),* => $last:ident;)+) => {$(
        impl<$($relation,)* $last> Append<$last> for ($($relation,)*) {
            type Longer = ($($relation,)* $last,);

            fn append(self, last: $last) -> Self::Longer {
                ($(self.$index,)* last,)
            }
        }
    )+};
}

appends! {
    => A;
    A 0 => B;
    A 0, B 1 => C;
    A 0, B 1, C 2 => D;
    A 0, B 1, C 2, D 3 => E;
    A 0, B 1, C 2, D 3, E 4 => F;
    A 0, B 1, C 2, D 3, E 4, F 5 => G;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6 => H;
}

impl<M, C, K, N> sealed::Sealed for Relation<M, C, K, N> {}

impl<M, C, K, N> Load<M> for Relation<M, C, K, N>
where
    M: Model,
    C: Model,
    K: Kind,
    N: LoadAll<C>,
{
    type Out = K::Out<N::Row>;

    async fn load_onto<E: Executor>(
        &self,
        rows: &[M],
        db: &mut E,
        at: At,
    ) -> Result<Vec<Self::Out>> {
        let own = self.ends.own(M::TABLE);
        let other = self.ends.other(C::TABLE);
        let (index, keys) = Index::of(rows, &own)?;
        let mut found = Found::<C, K> {
            index,
            by: if self.ends.is_between() {
                By::Beside(other.clone())
            } else {
                By::Own(positions(C::TABLE, &other))
            },
            rows: Vec::new(),
            beside: Vec::new(),
            of: Vec::new(),
        };
        if !keys.is_empty() {
            let mut query = self.query.clone();
            self.ends.join::<C>(&mut query);
            self.ends.read_between(&mut query, K::WIDTH > 0);
            for keys in keys.split(&other, &query, db.dialect(), at)? {
                let mut query = query.clone();
                query.narrow(Node::OneOf(OneOf::new(other.clone(), keys)));
                let (statement, values) = match self.top {
                    None => select(query, db.dialect(), at)?,
                    Some(rows) => top(query, &other, rows, db.dialect(), at)?,
                };
                found = db.run(&statement, values, found).await?.0;
            }
        }
        let Found {
            rows: children,
            beside,
            of,
            ..
        } = found;
        let children = self.nested.load_all(children, db, at).await?;
        let placed = children
            .into_iter()
            .zip(beside)
            .zip(&of)
            .map(|((row, beside), &parent)| (parent, K::join(row, beside)));
        K::place(placed, &of, rows.len()).ok_or_else(|| Error::MissingRelated {
            table: M::TABLE.name(),
            column: own.first().map_or("", |column| column.name()),
            related: C::TABLE.name(),
        })
    }
}

/// Which columns say to which row a row is related.
enum By {
    /// Its own, in these positions.
    Own(Vec<usize>),
    /// The last ones read beside it.
    Beside(Vec<&'static ColumnDef>),
}

/// Takes the related rows.
struct Found<C, K: Kind> {
    /// The rows that they are related to.
    index: Index,
    by: By,
    rows: Vec<C>,
    beside: Vec<K::Beside>,
    /// For each row of `rows`, the position of the row that it is related to.
    of: Vec<usize>,
}

impl<C: Model, K: Kind> Collect for Found<C, K> {
    fn demand(&self) -> Demand {
        Demand::All
    }

    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        let mut related = C::decode(row, 0)?;
        let mut parent = match &self.by {
            By::Own(columns) => self.index.of_row(&related, columns)?,
            By::Beside(columns) => self.index.of_source(row, C::WIDTH + K::WIDTH, columns)?,
        };
        // A row that several rows refer to is read once for each, so that no model need be `Clone`.
        while let Some(at) = parent {
            self.beside.push(K::beside(row, C::WIDTH)?);
            self.of.push(at);
            parent = self.index.next(at);
            self.rows.push(related);
            if parent.is_none() {
                break;
            }
            related = C::decode(row, 0)?;
        }
        Ok(ControlFlow::Continue(()))
    }
}
