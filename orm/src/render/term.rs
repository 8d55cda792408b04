//! Expressions.

use crate::dialect::Dialect;
use crate::error::Result;
use crate::expr::{Aggregate, Arithmetic, Function, Term};
use crate::table::SqlType;
use crate::writer::Writer;

impl Writer {
    pub(crate) fn term(&mut self, term: Term) -> Result<()> {
        match term {
            Term::Aggregate(aggregate, of) => self.aggregate(aggregate, of.map(|of| *of)),
            Term::Arithmetic(sides, operator) => {
                self.check_number(&sides.0)?;
                self.check_scales(&sides.0, &sides.1)?;
                self.push("(");
                self.term(sides.0)?;
                self.push(match operator {
                    Arithmetic::Minus => " - ",
                    Arithmetic::Plus => " + ",
                    Arithmetic::Times => " * ",
                });
                self.term(sides.1)?;
                self.push(")");
                Ok(())
            }
            Term::Call(function, arguments) => {
                self.push(match (function, self.dialect()) {
                    (Function::Coalesce, _) => "COALESCE(",
                    // Elsewhere a LENGTH counts bytes.
                    (Function::Length, Dialect::MySql) => "CHAR_LENGTH(",
                    (Function::Length, _) => "LENGTH(",
                    (Function::Lower, _) => "LOWER(",
                    (Function::Upper, _) => "UPPER(",
                });
                self.list(arguments, ", ", Self::term)?;
                self.push(")");
                Ok(())
            }
            Term::Column(place) => {
                self.place(&place);
                Ok(())
            }
            Term::Value(value, def) => {
                self.value(value, def);
                Ok(())
            }
        }
    }

    fn aggregate(&mut self, aggregate: Aggregate, of: Option<Term>) -> Result<()> {
        let Some(of) = of else {
            self.push("COUNT(*)");
            return Ok(());
        };
        let def = of.def();
        match aggregate {
            Aggregate::Count => self.call("COUNT(", of, ")"),
            Aggregate::CountDistinct => self.call("COUNT(DISTINCT ", of, ")"),
            Aggregate::Max => {
                self.check_extreme(def)?;
                self.call("MAX(", of, ")")
            }
            Aggregate::Min => {
                self.check_extreme(def)?;
                self.call("MIN(", of, ")")
            }
            Aggregate::Sum => {
                self.check_number(&of)?;
                match (self.dialect(), def.ty()) {
                    // It would add up in 4 bytes.
                    (Dialect::Postgres, SqlType::F32) => {
                        self.call("SUM(CAST(", of, " AS DOUBLE PRECISION))")
                    }
                    _ => self.call("SUM(", of, ")"),
                }
            }
            Aggregate::Avg => {
                self.check_number(&of)?;
                match self.dialect() {
                    Dialect::Postgres => self.call("CAST(AVG(", of, ") AS DOUBLE PRECISION)"),
                    // Of integers and decimals it would keep four digits more than they have.
                    Dialect::MySql => self.call("AVG(", of, " + 0e0)"),
                    Dialect::Sqlite => {
                        self.call("AVG(", of, ")")?;
                        if let (SqlType::Decimal, Some(scale)) = (def.ty(), def.scale()) {
                            self.push(" / ");
                            self.float(10_f64.powi(scale.cast_signed()));
                        }
                        Ok(())
                    }
                }
            }
        }
    }

    fn call(&mut self, before: &'static str, term: Term, after: &'static str) -> Result<()> {
        self.push(before);
        self.term(term)?;
        self.push(after);
        Ok(())
    }
}
