//! Expressions as trees, without the types of their models.

use crate::table::{ColumnDef, SqlType};
use crate::value::Value;

/// A column of a table, or of another name for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) def: &'static ColumnDef,
    /// The table's name in the query; empty for its own.
    pub(crate) alias: &'static str,
}

impl Place {
    /// A column of the table under its own name.
    pub(crate) const fn of(def: &'static ColumnDef) -> Self {
        Self { def, alias: "" }
    }

    /// The name of the table as it stands in the query.
    pub(crate) const fn table(&self) -> &'static str {
        if self.alias.is_empty() {
            self.def.table()
        } else {
            self.alias
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.table() == other.table() && self.def.name() == other.def.name()
    }
}

/// What has a value in each row.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    /// A function of all rows of a group.
    Aggregate(Aggregate, Option<Box<Self>>),
    /// Two terms and what stands between them.
    Arithmetic(Box<(Self, Self)>, Arithmetic),
    Call(Function, Vec<Self>),
    Column(Place),
    /// A value, and the column whose limits hold for it.
    Value(Value, &'static ColumnDef),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Aggregate {
    Avg,
    Count,
    CountDistinct,
    Max,
    Min,
    Sum,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Arithmetic {
    Minus,
    Plus,
    Times,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Function {
    Coalesce,
    Length,
    Lower,
    Upper,
}

/// A number of rows, or of characters.
const COUNT: &ColumnDef = &ColumnDef::new("", "count", SqlType::I64, false);
/// A mean.
const AVERAGE: &ColumnDef = &ColumnDef::new("", "average", SqlType::F64, true);

impl Term {
    /// The column whose type, scale and limits hold for the value.
    pub(crate) fn def(&self) -> &'static ColumnDef {
        match self {
            Self::Aggregate(Aggregate::Count | Aggregate::CountDistinct, _) => COUNT,
            Self::Aggregate(Aggregate::Avg, _) => AVERAGE,
            Self::Aggregate(_, of) => of.as_ref().map_or(COUNT, |of| of.def()),
            Self::Arithmetic(sides, _) => sides.0.def(),
            Self::Call(Function::Length, _) => COUNT,
            Self::Call(_, arguments) => arguments
                .first()
                .map_or(ColumnDef::UNNAMED, |first| first.def()),
            Self::Column(place) => place.def,
            Self::Value(_, def) => def,
        }
    }

    /// Calls `each` for every column outside of an aggregate, and tells whether there is an aggregate.
    pub(crate) fn visit(&self, each: &mut impl FnMut(&Place)) -> bool {
        match self {
            Self::Aggregate(..) => true,
            Self::Arithmetic(sides, _) => sides.0.visit(each) | sides.1.visit(each),
            Self::Call(_, arguments) => arguments
                .iter()
                .fold(false, |found, argument| found | argument.visit(each)),
            Self::Column(place) => {
                each(place);
                false
            }
            Self::Value(..) => false,
        }
    }

    /// Whether it may be NULL in a query in which the tables of these names may be missing.
    pub(crate) fn may_be_null(&self, optional: &[&'static str]) -> bool {
        match self {
            Self::Aggregate(Aggregate::Count | Aggregate::CountDistinct, _) => false,
            Self::Column(place) => place.def.is_nullable() || optional.contains(&place.table()),
            _ => true,
        }
    }

    /// Whether it is a function of all rows of a group.
    pub(crate) fn is_aggregate(&self) -> bool {
        self.visit(&mut |_| ())
    }

    /// Whether it binds a value.
    pub(crate) fn binds(&self) -> bool {
        match self {
            Self::Aggregate(_, of) => of.as_ref().is_some_and(|of| of.binds()),
            Self::Arithmetic(sides, _) => sides.0.binds() || sides.1.binds(),
            Self::Call(_, arguments) => arguments.iter().any(Self::binds),
            Self::Column(_) => false,
            Self::Value(..) => true,
        }
    }

    /// Says what it is made of, piece by piece, the values aside.
    pub(crate) fn describe(&self, say: &mut impl FnMut(&str)) {
        match self {
            Self::Aggregate(aggregate, of) => {
                say(match aggregate {
                    Aggregate::Avg => "avg(",
                    Aggregate::Count => "count(",
                    Aggregate::CountDistinct => "count distinct(",
                    Aggregate::Max => "max(",
                    Aggregate::Min => "min(",
                    Aggregate::Sum => "sum(",
                });
                if let Some(of) = of {
                    of.describe(say);
                }
            }
            Self::Arithmetic(sides, operator) => {
                sides.0.describe(say);
                say(match operator {
                    Arithmetic::Minus => "-",
                    Arithmetic::Plus => "+",
                    Arithmetic::Times => "*",
                });
                sides.1.describe(say);
            }
            Self::Call(function, arguments) => {
                say(match function {
                    Function::Coalesce => "coalesce(",
                    Function::Length => "length(",
                    Function::Lower => "lower(",
                    Function::Upper => "upper(",
                });
                for argument in arguments {
                    argument.describe(say);
                }
            }
            Self::Column(place) => {
                for part in [place.table(), ".", place.def.name(), ","] {
                    say(part);
                }
            }
            Self::Value(..) => say("?"),
        }
    }

    /// Whether both are the same expression. That two which bind a value are, no database can see.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Aggregate(left, of), Self::Aggregate(right, other)) => {
                left == right
                    && match (of, other) {
                        (Some(of), Some(other)) => of.is_same(other),
                        (None, None) => true,
                        _ => false,
                    }
            }
            (Self::Arithmetic(left, operator), Self::Arithmetic(right, other)) => {
                operator == other && left.0.is_same(&right.0) && left.1.is_same(&right.1)
            }
            (Self::Call(left, arguments), Self::Call(right, others)) => {
                left == right
                    && arguments.len() == others.len()
                    && arguments.iter().zip(others).all(|(a, b)| a.is_same(b))
            }
            (Self::Column(left), Self::Column(right)) => left.is(right),
            (Self::Value(left, def), Self::Value(right, other)) => {
                left.is_same(right) && def.table() == other.table() && def.name() == other.name()
            }
            _ => false,
        }
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self, Self::Value(Value::Null(_), _))
    }
}
