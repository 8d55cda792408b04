//! The fields of a message, under the names that they have on the wire.

use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Lit, LitStr, Meta, Result,
    Token,
};

/// A message is an object on the wire: a struct with named fields.
pub(crate) fn named(input: &DeriveInput) -> Result<&Punctuated<Field, Token![,]>> {
    let what = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Ok(&fields.named),
            Fields::Unit => format!(
                "a message is an object on the wire, and a unit struct is not: write `struct {} {{}}`",
                input.ident
            ),
            Fields::Unnamed(_) => {
                "a message is an object on the wire: give its fields names".into()
            }
        },
        _ => "a message is a struct: each type of message has a reply of its own".into(),
    };
    Err(Error::new_spanned(&input.ident, what))
}

/// Refuses an `attachment` that names no field, as far as that can be known here.
pub(crate) fn check_attachment(input: &DeriveInput, attachment: &LitStr) -> Result<()> {
    let fields = named(input)?;
    let wanted = attachment.value();
    // `rename_all`, `flatten` and `rename(..)` make names that only serde knows.
    let opaque = serde_words(&input.attrs).any(|(key, _)| key == "rename_all")
        || fields.iter().any(|f| {
            serde_words(&f.attrs)
                .any(|(key, value)| key == "flatten" || key == "rename" && value.is_none())
        });
    let known = fields.iter().any(|field| {
        field.ident.as_ref().is_some_and(|ident| ident == &wanted)
            || serde_words(&field.attrs).any(|(key, value)| {
                matches!(key.as_str(), "rename" | "alias")
                    && value.as_deref() == Some(wanted.as_str())
            })
    });
    if opaque || known {
        return Ok(());
    }
    let what = format!(
        "no field `{wanted}` in `{}` to state the size of its file",
        input.ident
    );
    Err(Error::new(attachment.span(), what))
}

/// Every `key` and `key = "value"` of the `#[serde(..)]` attributes; what does not parse is serde's to refuse.
fn serde_words(attributes: &[Attribute]) -> impl Iterator<Item = (String, Option<String>)> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
        .filter_map(|attribute| {
            attribute
                .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .ok()
        })
        .flatten()
        .filter_map(|meta| {
            let key = meta.path().get_ident()?.to_string();
            Some((key, value(&meta)))
        })
}

fn value(meta: &Meta) -> Option<String> {
    match &meta.require_name_value().ok()?.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}
