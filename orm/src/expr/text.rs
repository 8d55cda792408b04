//! Texts: parts, patterns, case, length.

use crate::expr::{Column, Expr, Function, Node, Term};
use crate::filter::Filter;
use crate::value::Value;

/// A field kept as text: `String`, `Option<String>`.
///
/// A newtype around a `String` is one by hand: `impl Textual for Name {}`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a text",
    note = "for a newtype around a `String`, say `impl Textual for {Self} {{}}`"
)]
pub trait Textual {}

impl Textual for String {}
impl<T: Textual> Textual for Option<T> {}

macro_rules! texts {
    ($side:ident<$M:ident>) => {
        impl<$M, T: Textual> $side<$M, T> {
            /// That the text matches the pattern: `%` stands for any text, `_` for any character, `\` before one of
            /// these, or before itself, for that character.
            ///
            /// Upper and lower case differ, on every database. A pattern with the character NUL is refused on PostgreSQL and
            /// SQLite ([`Unfit::Nul`](crate::Unfit::Nul)); SQLite matches a text up to its first NUL. It takes patterns
            /// of up to 50,000 bytes, with what it writes itself to escape some of them
            /// ([`Unfit::TooLong`](crate::Unfit::TooLong)).
            pub fn like(self, pattern: impl Into<String>) -> Filter<$M> {
                like(self.into_own_term(), pattern.into())
            }

            /// That this text stands in it; nothing in it has a special meaning. Upper and lower case differ.
            pub fn contains(self, part: impl AsRef<str>) -> Filter<$M> {
                like(self.into_own_term(), format!("%{}%", escape(part.as_ref())))
            }

            /// That it starts with this text; nothing in it has a special meaning. Upper and lower case differ.
            pub fn starts_with(self, part: impl AsRef<str>) -> Filter<$M> {
                like(self.into_own_term(), format!("{}%", escape(part.as_ref())))
            }

            /// That it ends with this text; nothing in it has a special meaning. Upper and lower case differ.
            pub fn ends_with(self, part: impl AsRef<str>) -> Filter<$M> {
                like(self.into_own_term(), format!("%{}", escape(part.as_ref())))
            }

            /// The text in lower case. MySQL changes all letters; SQLite, and PostgreSQL in a table of `create_table`
            /// (collation `C`), those of ASCII.
            pub fn lower(self) -> Expr<$M, T> {
                Expr::new(Term::Call(Function::Lower, vec![self.into_own_term()]))
            }

            /// The text in upper case. MySQL changes all letters; SQLite, and PostgreSQL in a table of `create_table`
            /// (collation `C`), those of ASCII.
            pub fn upper(self) -> Expr<$M, T> {
                Expr::new(Term::Call(Function::Upper, vec![self.into_own_term()]))
            }
        }

        impl<$M> $side<$M, String> {
            /// The number of characters.
            pub fn length(self) -> Expr<$M, i64> {
                Expr::new(Term::Call(Function::Length, vec![self.into_own_term()]))
            }
        }

        impl<$M> $side<$M, Option<String>> {
            /// The number of characters.
            pub fn length(self) -> Expr<$M, Option<i64>> {
                Expr::new(Term::Call(Function::Length, vec![self.into_own_term()]))
            }
        }
    };
}

texts!(Column<M>);
texts!(Expr<F>);

const fn like<F>(term: Term, pattern: String) -> Filter<F> {
    Filter::new(Node::Like(term, Value::Text(pattern)))
}

/// The text as a pattern that only it matches.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
