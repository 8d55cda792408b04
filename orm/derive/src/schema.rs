//! Indexes, foreign keys and checks: what stands in the attributes, and the names that databases give.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Error, Ident, LitStr, Path, Result, Token, Type};

/// A condition, one text for all databases or one for each.
#[derive(Default)]
pub(crate) struct Check {
    sqlite: String,
    postgres: String,
    mysql: String,
}

/// `check = "price >= 0"`, or `check(sqlite = "..", postgres = "..", mysql = "..")`.
pub(crate) fn check(meta: &ParseNestedMeta<'_>) -> Result<Check> {
    if meta.input.peek(Token![=]) {
        let text = condition(&meta.value()?.parse()?)?;
        return Ok(Check {
            sqlite: text.clone(),
            postgres: text.clone(),
            mysql: text,
        });
    }
    let mut check = Check::default();
    meta.parse_nested_meta(|meta| {
        let place = if meta.path.is_ident("sqlite") {
            &mut check.sqlite
        } else if meta.path.is_ident("postgres") {
            &mut check.postgres
        } else if meta.path.is_ident("mysql") {
            &mut check.mysql
        } else {
            return Err(meta.error("expected `sqlite`, `postgres` or `mysql`"));
        };
        *place = condition(&meta.value()?.parse()?)?;
        Ok(())
    })?;
    Ok(check)
}

/// One expression: what stands in brackets in SQL must not close them.
fn condition(literal: &LitStr) -> Result<String> {
    let text = literal.value().trim().to_owned();
    let mut depth = 0_i32;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
        if depth < 0 {
            break;
        }
    }
    if text.is_empty() || depth != 0 || quote.is_some() {
        return Err(Error::new(
            literal.span(),
            "expected a condition in SQL, its brackets and quotes closed",
        ));
    }
    Ok(text)
}

/// `references = User`, or `references(User, on_delete = cascade)`.
pub(crate) struct References {
    model: Path,
    on_delete: &'static str,
}

pub(crate) fn references(meta: &ParseNestedMeta<'_>) -> Result<References> {
    if meta.input.peek(Token![=]) {
        return Ok(References {
            model: meta.value()?.parse()?,
            on_delete: "Restrict",
        });
    }
    let content;
    syn::parenthesized!(content in meta.input);
    let model = content.parse()?;
    let mut on_delete = "Restrict";
    while content.parse::<Option<Token![,]>>()?.is_some() && !content.is_empty() {
        let word: Ident = content.parse()?;
        if word != "on_delete" {
            return Err(Error::new(word.span(), "expected `on_delete`"));
        }
        content.parse::<Token![=]>()?;
        let action: Ident = content.parse()?;
        on_delete = match action.to_string().as_str() {
            "cascade" => "Cascade",
            "restrict" => "Restrict",
            "set_null" => "SetNull",
            _ => {
                return Err(Error::new(
                    action.span(),
                    "expected `cascade`, `restrict` or `set_null`",
                ));
            }
        };
    }
    Ok(References { model, on_delete })
}

/// The names of fields in brackets: `(a, b)`.
pub(crate) fn fields(meta: &ParseNestedMeta<'_>) -> Result<Vec<Ident>> {
    let fields;
    syn::parenthesized!(fields in meta.input);
    let fields = Punctuated::<Ident, Token![,]>::parse_terminated_with(&fields, Ident::parse_any)?;
    if fields.is_empty() {
        return Err(meta.error("expected at least one field"));
    }
    Ok(fields.into_iter().collect())
}

/// What a field declares beside its column.
#[derive(Default)]
pub(crate) struct OfField {
    pub(crate) index: bool,
    pub(crate) references: Option<References>,
    pub(crate) check: Option<Check>,
}

/// What a struct declares beside its columns.
#[derive(Default)]
pub(crate) struct OfStruct {
    pub(crate) indexes: Vec<Vec<Ident>>,
    pub(crate) checks: Vec<Check>,
}

/// One field, as this room needs it.
pub(crate) struct Column<'a> {
    pub(crate) field: &'a Ident,
    pub(crate) name: &'a str,
    pub(crate) ty: &'a Type,
    pub(crate) declared: &'a OfField,
}

/// What a table promises beside its columns.
pub(crate) struct Promises {
    /// Columns in an index or a foreign key.
    pub(crate) indexed: Vec<String>,
    /// `.with_indexes(..)` and so on, to stand behind a `Table`.
    pub(crate) tokens: TokenStream,
}

impl Promises {
    pub(crate) fn new(
        krate: &TokenStream,
        table: &str,
        declared: &OfStruct,
        columns: &[Column<'_>],
    ) -> Result<Self> {
        let indexes = indexes(declared, columns)?;
        let referring = columns
            .iter()
            .filter(|column| column.declared.references.is_some())
            .map(|column| column.name.to_owned());
        Ok(Self {
            tokens: expand(krate, table, declared, columns, &indexes),
            indexed: indexes.into_iter().flatten().chain(referring).collect(),
        })
    }
}

/// The columns' names of each index.
fn indexes(declared: &OfStruct, columns: &[Column<'_>]) -> Result<Vec<Vec<String>>> {
    let single = columns
        .iter()
        .filter(|column| column.declared.index)
        .map(|column| Ok(vec![column.name.to_owned()]));
    let several = declared.indexes.iter().map(|fields| {
        fields
            .iter()
            .map(|field| {
                columns
                    .iter()
                    .find(|column| column.field == field)
                    .map(|column| column.name.to_owned())
                    .ok_or_else(|| Error::new(field.span(), "no such field"))
            })
            .collect()
    });
    single.chain(several).collect()
}

fn expand(
    krate: &TokenStream,
    table: &str,
    declared: &OfStruct,
    columns: &[Column<'_>],
    indexes: &[Vec<String>],
) -> TokenStream {
    let mut out = TokenStream::new();
    if !indexes.is_empty() {
        let names = indexes
            .iter()
            .map(|columns| constraint_name(table, columns, "idx"));
        out.extend(quote!(.with_indexes(&[#(#krate::Index::new(#names, &[#(#indexes),*])),*])));
    }
    let foreign_keys: Vec<TokenStream> = columns
        .iter()
        .filter_map(|column| {
            let References { model, on_delete } = column.declared.references.as_ref()?;
            let (name, ty) = (column.name, column.ty);
            let constraint = constraint_name(table, &[name], "fkey");
            let on_delete = Ident::new(on_delete, Span::call_site());
            Some(quote_spanned! {ty.span()=>
                #krate::ForeignKey::new::<#model, #ty>(#constraint, #name, #krate::OnDelete::#on_delete)
            })
        })
        .collect();
    if !foreign_keys.is_empty() {
        out.extend(quote!(.with_foreign_keys(&[#(#foreign_keys),*])));
    }
    let of_fields = columns.iter().filter_map(|column| {
        let check = column.declared.check.as_ref()?;
        Some((constraint_name(table, &[column.name], "check"), check))
    });
    let of_struct = declared.checks.iter().enumerate().map(|(at, check)| {
        // As PostgreSQL counts them.
        let label = if at == 0 {
            "check".to_owned()
        } else {
            format!("check{at}")
        };
        (constraint_name::<&str>(table, &[], &label), check)
    });
    let checks: Vec<TokenStream> = of_fields
        .chain(of_struct)
        .map(|(name, check)| {
            let Check {
                sqlite,
                postgres,
                mysql,
            } = check;
            quote!(#krate::Check::new(#name, #sqlite, #postgres, #mysql))
        })
        .collect();
    if !checks.is_empty() {
        out.extend(quote!(.with_checks(&[#(#checks),*])));
    }
    out
}

/// The name that PostgreSQL would give: `table_column_column_label`, no longer than it keeps.
pub(crate) fn constraint_name<S: AsRef<str>>(table: &str, columns: &[S], label: &str) -> String {
    /// PostgreSQL cuts names after 63 bytes, MySQL refuses more than 64 characters.
    const LONGEST: usize = 63;

    let mut name = table.to_owned();
    for column in columns {
        name.push('_');
        name.push_str(column.as_ref());
    }
    if name.len() + 1 + label.len() > LONGEST {
        // What is cut off still tells two names apart. FNV-1a: the same in every build.
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let mut end = LONGEST - label.len() - 10;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
        name = format!("{name}_{hash:08x}");
    }
    format!("{name}_{label}")
}

#[cfg(test)]
mod tests {
    use super::constraint_name;

    #[test]
    fn names_are_those_of_postgres_and_never_too_long() {
        assert_eq!(constraint_name("movie", &["year"], "idx"), "movie_year_idx");
        assert_eq!(constraint_name("a", &["b", "c"], "key"), "a_b_c_key");
        let (long, other) = ("x".repeat(60), format!("{}y", "x".repeat(59)));
        let name = constraint_name("movie", &[&long], "check");
        assert_eq!(name.len(), 63, "{name}");
        assert!(name.ends_with("_check"), "{name}");
        assert_ne!(name, constraint_name("movie", &[&other], "check"));
    }
}
