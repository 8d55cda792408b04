//! Comparisons, and what they are given.

use crate::expr::{Column, Comparison, Expr, Function, Members, Node, Operand, Term};
use crate::field::Field;
use crate::filter::Filter;
use crate::order::Order;

macro_rules! comparisons {
    ($side:ident<$M:ident>) => {
        impl<$M, T: Field> $side<$M, T> {
            /// `column = value`; for `None`, `column IS NULL`.
            pub fn eq<K, V: Operand<T, K>>(self, value: V) -> Filter<V::With<$M>> {
                Filter::new(compare(self.into_own_term(), Comparison::Eq, value))
            }

            /// `column <> value`; for `None`, `column IS NOT NULL`. A row with NULL is not found by `ne` of a value.
            pub fn ne<K, V: Operand<T, K>>(self, value: V) -> Filter<V::With<$M>> {
                Filter::new(compare(self.into_own_term(), Comparison::Ne, value))
            }

            /// `column > value`.
            pub fn gt<K, V: Operand<T, K>>(self, value: V) -> Filter<V::With<$M>> {
                Filter::new(compare(self.into_own_term(), Comparison::Gt, value))
            }

            /// `column >= value`.
            pub fn ge<K, V: Operand<T, K>>(self, value: V) -> Filter<V::With<$M>> {
                Filter::new(compare(self.into_own_term(), Comparison::Ge, value))
            }

            /// `column < value`.
            pub fn lt<K, V: Operand<T, K>>(self, value: V) -> Filter<V::With<$M>> {
                Filter::new(compare(self.into_own_term(), Comparison::Lt, value))
            }

            /// `column <= value`.
            pub fn le<K, V: Operand<T, K>>(self, value: V) -> Filter<V::With<$M>> {
                Filter::new(compare(self.into_own_term(), Comparison::Le, value))
            }

            /// `column BETWEEN least AND most`: both ends are in.
            pub fn between<K, V, L, W>(self, least: V, most: W) -> Filter<W::With<V::With<$M>>>
            where
                V: Operand<T, K>,
                W: Operand<T, L>,
            {
                let term = self.into_own_term();
                let def = term.def();
                let ends = (least.into_term(def), most.into_term(def));
                Filter::new(Node::Between(term, Box::new(ends)))
            }

            /// `column IN (values)`: a list, or a sub-select of one column.
            ///
            /// Of no values, no row. `None` among the values is NULL, as in [`eq`](Self::eq); NULL among the rows of a
            /// sub-select is left out, so that `!` finds what is not in it.
            pub fn is_in<K, V: Members<T, K>>(self, values: V) -> Filter<V::With<$M>> {
                Filter::new(values.into_node(self.into_own_term()))
            }
        }

        impl<$M, T> $side<$M, T> {
            /// Smallest first; NULL before everything.
            pub fn asc(self) -> Order<$M> {
                Order::new(self.into_own_term(), false)
            }

            /// Largest first; NULL after everything.
            pub fn desc(self) -> Order<$M> {
                Order::new(self.into_own_term(), true)
            }
        }

        impl<$M, T> $side<$M, Option<T>> {
            /// `column IS NULL`.
            pub fn is_null(self) -> Filter<$M> {
                Filter::new(Node::Null(self.into_own_term()))
            }

            /// `column IS NOT NULL`.
            pub fn is_not_null(self) -> Filter<$M> {
                !self.is_null()
            }

            /// This, or the value where it is NULL: `COALESCE(column, value)`.
            pub fn coalesce<K, V>(self, value: V) -> Expr<$M, T>
            where
                V: Operand<T, K, With<$M> = $M>,
            {
                let term = self.into_own_term();
                let value = value.into_term(term.def());
                Expr::new(Term::Call(Function::Coalesce, vec![term, value]))
            }
        }
    };
}

comparisons!(Column<M>);
comparisons!(Expr<F>);

fn compare<T, K>(left: Term, comparison: Comparison, right: impl Operand<T, K>) -> Node {
    let right = right.into_term(left.def());
    Node::compare(left, comparison, right)
}
