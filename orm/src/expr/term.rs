//! Conditions and expressions as trees, without the types of their models.

use crate::query::Query;
use crate::relation::OneOf;
use crate::sql::Sql;
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

    /// Whether both are the same expression. Two that bind a value never are: a database cannot see that they are.
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
            _ => false,
        }
    }

    const fn is_null(&self) -> bool {
        matches!(self, Self::Value(Value::Null(_), _))
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Comparison {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Ne,
}

/// The tree of a condition. `All` and `Any` are flat, so a long chain is not a deep tree.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Between(Term, Box<(Term, Term)>),
    Compare(Term, Comparison, Term),
    Exists(Box<Query>),
    In(Term, Vec<Value>),
    InSelect(Term, Box<Query>),
    /// A pattern in which `%`, `_` and `\` have their meaning.
    Like(Term, Value),
    Not(Box<Self>),
    Null(Term),
    OneOf(OneOf),
    Raw(Sql),
}

impl Node {
    /// A comparison; with NULL for equality it asks for NULL, since `= NULL` is never true and nobody means that.
    pub(crate) fn compare(left: Term, comparison: Comparison, right: Term) -> Self {
        match comparison {
            Comparison::Eq if right.is_null() => Self::Null(left),
            Comparison::Ne if right.is_null() => Self::Null(left).not(),
            _ => Self::Compare(left, comparison, right),
        }
    }

    pub(crate) fn and(self, right: Self) -> Self {
        match (self, right) {
            (Self::All(mut parts), Self::All(more)) => {
                parts.extend(more);
                Self::All(parts)
            }
            (Self::All(mut parts), right) => {
                parts.push(right);
                Self::All(parts)
            }
            (left, right) => Self::All(vec![left, right]),
        }
    }

    pub(crate) fn or(self, right: Self) -> Self {
        match (self, right) {
            (Self::Any(mut parts), Self::Any(more)) => {
                parts.extend(more);
                Self::Any(parts)
            }
            (Self::Any(mut parts), right) => {
                parts.push(right);
                Self::Any(parts)
            }
            (left, right) => Self::Any(vec![left, right]),
        }
    }

    pub(crate) fn not(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            node => Self::Not(Box::new(node)),
        }
    }

    /// Both conditions, where either may be missing.
    pub(crate) fn join(left: Option<Self>, right: Option<Self>) -> Option<Self> {
        match (left, right) {
            (Some(left), Some(right)) => Some(left.and(right)),
            (left, right) => left.or(right),
        }
    }
}
