//! What stands in `#[model(..)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned as _;
use syn::{Attribute, Ident, Lit, LitInt, LitStr, Path, Result, Token};

use crate::relation::Relation;
use crate::schema;

/// Calls `each` for every item of every `#[model(..)]`.
pub(crate) fn parse(
    attributes: &[Attribute],
    mut each: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("model"))
        .try_for_each(|attribute| attribute.parse_nested_meta(|meta| each(&meta)))
}

/// The path of the crate, from `crate = path`.
pub(crate) fn krate(meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
    let value = meta.value()?;
    // As a path, or in quotes as serde has it.
    let path = if value.peek(LitStr) {
        value.parse::<LitStr>()?.parse::<Path>()?
    } else {
        value.parse::<Path>()?
    };
    Ok(quote!(#path))
}

/// The crate's place unless told otherwise.
pub(crate) fn default_krate() -> TokenStream {
    quote!(::packetboat_orm)
}

/// A name that goes into SQL. Held to letters, digits and `_`, so that it means the same quoted and unquoted, and on
/// every database.
pub(crate) fn name(meta: &ParseNestedMeta<'_>) -> Result<String> {
    let literal: LitStr = meta.value()?.parse()?;
    let name = literal.value();
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_numeric()) {
        return Err(syn::Error::new(
            literal.span(),
            "a name of letters, digits and `_`, not starting with a digit",
        ));
    }
    Ok(name)
}

/// What the attributes of a struct say.
pub(crate) struct OfStruct {
    pub(crate) krate: TokenStream,
    pub(crate) table: Option<String>,
    pub(crate) columns: Option<String>,
    pub(crate) uniques: Vec<Vec<Ident>>,
    pub(crate) was: Option<String>,
    pub(crate) schema: schema::OfStruct,
    pub(crate) relations: Vec<Relation>,
    pub(crate) hooks: bool,
}

impl OfStruct {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut this = Self {
            krate: default_krate(),
            table: None,
            columns: None,
            uniques: Vec::new(),
            was: None,
            schema: schema::OfStruct::default(),
            relations: Vec::new(),
            hooks: false,
        };
        parse(attributes, |meta| {
            if let Some(relation) = Relation::parse(meta)? {
                this.relations.push(relation);
            } else if meta.path.is_ident("table") {
                this.table = Some(name(meta)?);
            } else if meta.path.is_ident("columns") {
                this.columns = Some(name(meta)?);
            } else if meta.path.is_ident("unique") {
                this.uniques.push(schema::fields(meta)?);
            } else if meta.path.is_ident("index") {
                this.schema.indexes.push(schema::fields(meta)?);
            } else if meta.path.is_ident("check") {
                this.schema.checks.push(schema::check(meta)?);
            } else if meta.path.is_ident("was") {
                this.was = Some(name(meta)?);
            } else if meta.path.is_ident("hooks") {
                this.hooks = true;
            } else if meta.path.is_ident("crate") {
                this.krate = krate(meta)?;
            } else {
                return Err(meta.error(
                    "expected `table`, `columns`, `unique(..)`, `index(..)`, `check`, `was`, `belongs_to(..)`, \
                     `has_one(..)`, `has_many(..)`, `hooks` or `crate`",
                ));
            }
            Ok(())
        })?;
        Ok(this)
    }
}

/// What the attributes of a field say.
#[derive(Default)]
pub(crate) struct OfField {
    pub(crate) key: bool,
    pub(crate) unique: bool,
    pub(crate) column: Option<String>,
    pub(crate) default: Option<Default>,
    pub(crate) size: Option<LitInt>,
    pub(crate) scale: Option<LitInt>,
    pub(crate) was: Option<String>,
    pub(crate) schema: schema::OfField,
    pub(crate) generated: Option<Generated>,
    pub(crate) role: Option<Role>,
}

/// A column that the database fills.
pub(crate) enum Generated {
    /// With its DEFAULT, or by a trigger.
    Filled,
    /// With the value of an expression, always.
    Computed(LitStr),
}

/// What a column is for, where every statement looks after it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Created,
    Deleted,
    Tenant,
    Updated,
    Version,
}

impl Role {
    /// The role of this name.
    fn named(meta: &ParseNestedMeta<'_>) -> Option<Self> {
        let roles = [
            Self::Created,
            Self::Deleted,
            Self::Tenant,
            Self::Updated,
            Self::Version,
        ];
        roles
            .into_iter()
            .find(|role| meta.path.is_ident(role.name()))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Tenant => "tenant",
            Self::Updated => "updated",
            Self::Version => "version",
        }
    }
}

/// A column's DEFAULT.
pub(crate) enum Default {
    Literal { negative: bool, literal: Lit },
    Now,
}

impl OfField {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut this = Self::default();
        parse(attributes, |meta| {
            if meta.path.is_ident("key") || meta.path.is_ident("pk") {
                this.key = true;
            } else if meta.path.is_ident("unique") {
                this.unique = true;
            } else if meta.path.is_ident("column") {
                this.column = Some(name(meta)?);
            } else if meta.path.is_ident("default") {
                this.default = Some(default(meta)?);
            } else if meta.path.is_ident("size") {
                this.size = Some(number(meta, 1, 16_383)?);
            } else if meta.path.is_ident("scale") {
                this.scale = Some(number(meta, 0, 18)?);
            } else if meta.path.is_ident("index") {
                this.schema.index = true;
            } else if meta.path.is_ident("references") {
                this.schema.references = Some(schema::references(meta)?);
            } else if meta.path.is_ident("check") {
                this.schema.check = Some(schema::check(meta)?);
            } else if meta.path.is_ident("was") {
                this.was = Some(name(meta)?);
            } else if meta.path.is_ident("generated") {
                this.generated = Some(if meta.input.peek(Token![=]) {
                    Generated::Computed(meta.value()?.parse()?)
                } else {
                    Generated::Filled
                });
            } else if let Some(role) = Role::named(meta) {
                if this.role.is_some() {
                    return Err(meta.error("a column has one role"));
                }
                this.role = Some(role);
            } else {
                return Err(meta.error(
                    "expected `key`, `unique`, `column`, `default`, `size`, `scale`, `index`, `references`, `check`, \
                     `was`, `generated`, `version`, `created`, `updated`, `deleted` or `tenant`",
                ));
            }
            Ok(())
        })?;
        this.check(attributes)?;
        Ok(this)
    }
}

impl OfField {
    /// Refuses what excludes each other.
    fn check(&self, attributes: &[Attribute]) -> Result<()> {
        let refuse = |what| match attributes.first() {
            Some(attribute) => Err(syn::Error::new(attribute.span(), what)),
            None => Ok(()),
        };
        match (&self.role, &self.generated) {
            (Some(_), Some(_)) => refuse("the database does not fill a column that has a role"),
            // To whom a row belongs can be a part of its key.
            (Some(role), None) if self.key && *role != Role::Tenant => {
                refuse("the key has no other role")
            }
            (None, Some(_)) if self.key => {
                refuse("the key needs no `generated`: an unset one is filled in anyway")
            }
            (None, Some(Generated::Computed(_))) if self.default.is_some() => {
                refuse("a computed column has no default")
            }
            _ => Ok(()),
        }
    }
}

fn default(meta: &ParseNestedMeta<'_>) -> Result<Default> {
    let value = meta.value()?;
    if value.peek(Ident::peek_any) && !value.peek(syn::LitBool) {
        let word: Ident = value.parse()?;
        if word == "now" {
            return Ok(Default::Now);
        }
        return Err(syn::Error::new(word.span(), "expected a literal or `now`"));
    }
    let negative = value.parse::<Option<Token![-]>>()?.is_some();
    let literal: Lit = value.parse()?;
    let fits = match &literal {
        Lit::Int(_) | Lit::Float(_) => true,
        Lit::Bool(_) | Lit::Str(_) => !negative,
        _ => false,
    };
    if fits {
        Ok(Default::Literal { negative, literal })
    } else {
        Err(syn::Error::new(
            literal.span(),
            "expected a number, a text, `true`, `false` or `now`",
        ))
    }
}

fn number(meta: &ParseNestedMeta<'_>, least: u32, most: u32) -> Result<LitInt> {
    let literal: LitInt = meta.value()?.parse()?;
    if (least..=most).contains(&literal.base10_parse()?) {
        Ok(literal)
    } else {
        Err(syn::Error::new(
            literal.span(),
            format!("expected a number from {least} to {most}"),
        ))
    }
}

/// The name as an identifier, raw where it is a keyword.
pub(crate) fn identifier(name: &str, span: Span) -> Ident {
    if syn::parse_str::<Ident>(name).is_ok() {
        Ident::new(name, span)
    } else {
        Ident::new_raw(name, span)
    }
}

/// `UserName` as `user_name`, `HTTPServer` as `http_server`.
pub(crate) fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (at, &c) in chars.iter().enumerate() {
        let begins_word = c.is_uppercase()
            && at > 0
            && (!chars[at - 1].is_uppercase()
                || chars.get(at + 1).is_some_and(|next| next.is_lowercase()))
            && chars[at - 1] != '_';
        if begins_word {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn snake_case_keeps_acronyms_together() {
        assert_eq!(snake_case("User"), "user");
        assert_eq!(snake_case("DownloadRecord"), "download_record");
        assert_eq!(snake_case("HTTPServer"), "http_server");
        assert_eq!(snake_case("Already_Snake"), "already_snake");
        assert_eq!(snake_case("V2Movie"), "v2_movie");
    }
}
