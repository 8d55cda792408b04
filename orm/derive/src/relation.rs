//! Relations: what `belongs_to`, `has_one` and `has_many` say, and the handles beside the columns.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Error, Ident, Path, Result, Token, Type, token};

use crate::attributes::identifier;
use crate::attributes::snake_case;

/// How a struct is related to another.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    BelongsTo,
    HasMany,
    HasOne,
}

/// One relation: `has_many(posts: Post, by = author_id)`.
pub(crate) struct Relation {
    kind: Kind,
    name: Ident,
    model: Path,
    /// The columns of the foreign key; by default one that is named after the model that it refers to.
    by: Option<Columns>,
    /// The model between the two, and its columns that refer to the other.
    through: Option<Path>,
    to: Option<Columns>,
}

/// `author_id`, `post::author_id`, or several of these in brackets.
struct Columns(Vec<Path>);

impl Parse for Columns {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(token::Paren) {
            return Ok(Self(vec![input.parse()?]));
        }
        let content;
        let brackets = syn::parenthesized!(content in input);
        let columns = Punctuated::<Path, Token![,]>::parse_terminated(&content)?;
        if !(1..=3).contains(&columns.len()) {
            return Err(Error::new(
                brackets.span.join(),
                "a key has one to three columns",
            ));
        }
        Ok(Self(columns.into_iter().collect()))
    }
}

impl Relation {
    /// The relation that this item of `#[model(..)]` declares, if it declares one.
    pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Option<Self>> {
        let kind = if meta.path.is_ident("belongs_to") {
            Kind::BelongsTo
        } else if meta.path.is_ident("has_many") {
            Kind::HasMany
        } else if meta.path.is_ident("has_one") {
            Kind::HasOne
        } else {
            return Ok(None);
        };
        let content;
        syn::parenthesized!(content in meta.input);
        let name = content.call(Ident::parse_any)?;
        content.parse::<Token![:]>()?;
        let model = content.parse()?;
        let mut this = Self {
            kind,
            name,
            model,
            by: None,
            through: None,
            to: None,
        };
        while content.parse::<Option<Token![,]>>()?.is_some() && !content.is_empty() {
            let word: Ident = content.parse()?;
            content.parse::<Token![=]>()?;
            if word == "by" {
                this.by = Some(content.parse()?);
            } else if word == "through" && kind == Kind::HasMany {
                this.through = Some(content.parse()?);
            } else if word == "to" && this.through.is_some() {
                this.to = Some(content.parse()?);
            } else {
                return Err(Error::new(word.span(), kind.expected()));
            }
        }
        Ok(Some(this))
    }
}

impl Kind {
    const fn expected(self) -> &'static str {
        match self {
            Self::BelongsTo | Self::HasOne => "expected `by`",
            Self::HasMany => "expected `by` or `through`, and `to` after `through`",
        }
    }
}

/// The struct that declares the relations.
pub(crate) struct Own<'a> {
    pub(crate) krate: &'a TokenStream,
    pub(crate) ident: &'a Ident,
    pub(crate) vis: &'a syn::Visibility,
    /// The fields and their types.
    pub(crate) fields: Vec<(&'a Ident, &'a Type)>,
}

/// The handles, as constants to stand beside those of the columns.
pub(crate) fn handles(own: &Own<'_>, relations: &[Relation]) -> Result<Vec<TokenStream>> {
    for (at, relation) in relations.iter().enumerate() {
        let is_taken = own.fields.iter().any(|(field, _)| **field == relation.name)
            || relations[..at]
                .iter()
                .any(|other| other.name == relation.name);
        if is_taken {
            return Err(Error::new(
                relation.name.span(),
                format!("a field or a relation is named `{}` already", relation.name),
            ));
        }
    }
    relations
        .iter()
        .map(|relation| handle(own, relation))
        .collect()
}

fn handle(own: &Own<'_>, relation: &Relation) -> Result<TokenStream> {
    let Own {
        krate, ident, vis, ..
    } = own;
    let Relation { name, model, .. } = relation;
    let (kind, make, doc) = match (relation.kind, &relation.through) {
        (Kind::BelongsTo, _) => belongs_to(own, relation)?,
        (Kind::HasMany, Some(through)) => {
            let by = columns(through, relation.by.as_ref(), &default(ident, name));
            let to = columns(through, relation.to.as_ref(), &default(&last(model), name));
            let make = constructor("through", by.len(), name.span());
            let make_to = constructor("to", to.len(), name.span());
            (
                quote!(#krate::relation::Through<#through>),
                quote!(#make(#(#by),*).#make_to(#(#to),*)),
                format!(
                    "The rows of [`{}`] that rows of [`{}`] lead to.",
                    text(model),
                    text(through)
                ),
            )
        }
        (kind, _) => {
            let by = columns(model, relation.by.as_ref(), &default(ident, name));
            let make = constructor("has", by.len(), name.span());
            let (kind, doc) = if kind == Kind::HasMany {
                (
                    quote!(Many),
                    format!("The rows of [`{}`] that refer to this one.", text(model)),
                )
            } else {
                (
                    quote!(Maybe),
                    format!("The row of [`{}`] that refers to this one.", text(model)),
                )
            };
            (
                quote!(#krate::relation::#kind),
                quote!(#make(#(#by),*)),
                doc,
            )
        }
    };
    Ok(quote_spanned! {name.span()=>
        #[doc = #doc]
        #vis const #name: #krate::Relation<#ident, #model, #kind> = #krate::Relation::#make;
    })
}

fn belongs_to(own: &Own<'_>, relation: &Relation) -> Result<(TokenStream, TokenStream, String)> {
    let krate = own.krate;
    let model = &relation.model;
    let by = match &relation.by {
        Some(columns) => columns.0.iter().map(own_field).collect::<Result<_>>()?,
        None => vec![format_ident!("{}_id", relation.name.unraw())],
    };
    let mut types = Vec::with_capacity(by.len());
    for column in &by {
        let field = own.fields.iter().find(|(field, _)| *field == column);
        let (_, ty) = field.ok_or_else(|| {
            Error::new(
                column.span(),
                format!("no field `{column}`; say by which one: `by = field`"),
            )
        })?;
        types.push(*ty);
    }
    let foreign = match types.as_slice() {
        [only] => quote!(#only),
        several => quote!((#(#several),*)),
    };
    let make = constructor("belongs_to", by.len(), relation.name.span());
    Ok((
        quote_spanned! {foreign.span()=>
            <#foreign as #krate::References<<#model as #krate::Model>::Key>>::Kind
        },
        quote!(#make(#(Self::#by),*)),
        format!("The row of [`{}`] that this one refers to.", text(model)),
    ))
}

/// `has`, `has_2` or `has_3`.
fn constructor(name: &'static str, columns: usize, span: Span) -> Ident {
    match columns {
        1 => Ident::new(name, span),
        several => Ident::new(&format!("{name}_{several}"), span),
    }
}

/// The handles of columns of another model. A lone name stands in the handles of that model, a path where it says.
fn columns(model: &Path, given: Option<&Columns>, default: &Ident) -> Vec<Path> {
    let of_model = |column: &Ident| {
        let mut path = model.clone();
        if let Some(last) = path.segments.last_mut() {
            let handles = snake_case(&last.ident.unraw().to_string());
            last.ident = identifier(&handles, last.ident.span());
        }
        path.segments.push(column.clone().into());
        path
    };
    match given {
        None => vec![of_model(default)],
        Some(columns) => columns
            .0
            .iter()
            .map(|path| path.get_ident().map_or_else(|| path.clone(), of_model))
            .collect(),
    }
}

fn own_field(path: &Path) -> Result<Ident> {
    path.get_ident()
        .cloned()
        .ok_or_else(|| Error::new(path.span(), "expected a field of this struct"))
}

/// The column that holds the key of this model unless told otherwise: `user_id`. What the compiler says of it, it says
/// of the relation's name.
fn default(model: &Ident, name: &Ident) -> Ident {
    let model = snake_case(&model.unraw().to_string());
    format_ident!("{model}_id", span = name.span())
}

fn last(path: &Path) -> Ident {
    path.segments.last().map_or_else(
        || Ident::new("other", path.span()),
        |last| last.ident.clone(),
    )
}

fn text(path: &Path) -> String {
    let segments = path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string());
    segments.collect::<Vec<_>>().join("::")
}
