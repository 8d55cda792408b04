//! `#[derive(Projection)]`: a struct of some columns, by name.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Expr, Fields, Ident, LitStr, Path, Result, Type};

use crate::attributes::{self, snake_case};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "a projection has no generic parameters",
        ));
    }
    let (krate, from, handle) = of_struct(input)?;
    let mut types = Vec::new();
    let mut names = Vec::new();
    let mut fields = Vec::new();
    for field in fields_of(input)? {
        let Some(name) = &field.ident else { continue };
        let ty = &field.ty;
        let mut expr = None;
        attributes::parse(&field.attrs, |meta| {
            if !meta.path.is_ident("expr") {
                return Err(meta.error("expected `expr`"));
            }
            expr = Some(meta.value()?.parse::<Expr>()?);
            Ok(())
        })?;
        let span = ty.span();
        let columns = match expr {
            Some(expr) => quote!(#expr),
            None => quote_spanned!(name.span()=> #handle::#name),
        };
        fields.push(quote_spanned!(span=> .field::<#ty, _, _>(#columns)));
        types.push(ty);
        names.push(name);
    }
    let offsets = (0..types.len()).map(|at| {
        let before = &types[..at];
        quote!(0 #(+ <#before as #krate::Decode>::WIDTH)*)
    });
    Ok(quote! {
        #[automatically_derived]
        impl #krate::Decode for #ident {
            const WIDTH: usize = 0 #(+ <#types as #krate::Decode>::WIDTH)*;

            #[inline]
            fn decode<R: #krate::Source>(row: &R, at: usize) -> #krate::Result<Self> {
                ::core::result::Result::Ok(Self {
                    #(#names: <#types as #krate::Decode>::decode(row, at + #offsets)?,)*
                })
            }
        }

        #[automatically_derived]
        impl #krate::Projection for #ident {
            type From = #from;

            fn fields() -> #krate::Fields<#from, Self> {
                #krate::Fields::new() #(#fields)*
            }
        }
    })
}

/// The crate, what is read from, and where its columns stand.
fn of_struct(input: &DeriveInput) -> Result<(TokenStream, Type, Path)> {
    let mut krate = attributes::default_krate();
    let mut from: Option<Type> = None;
    let mut columns: Option<Ident> = None;
    attributes::parse(&input.attrs, |meta| {
        if meta.path.is_ident("crate") {
            krate = attributes::krate(meta)?;
        } else if meta.path.is_ident("from") {
            from = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("columns") {
            columns = Some(
                meta.value()?
                    .parse::<LitStr>()?
                    .parse_with(Ident::parse_any)?,
            );
        } else {
            return Err(meta.error("expected `from`, `columns` or `crate`"));
        }
        Ok(())
    })?;
    let from = from.ok_or_else(|| {
        Error::new(
            input.ident.span(),
            "say what it is read from: `#[model(from = User)]`, `#[model(from = (User, Option<Post>))]`",
        )
    })?;
    let first = match &from {
        Type::Tuple(tuple) => tuple.elems.first(),
        other => Some(other),
    };
    let Some(Type::Path(first)) = first else {
        return Err(Error::new(
            from.span(),
            "expected a model, or a tuple that begins with one",
        ));
    };
    let mut handle = first.path.clone();
    if let Some(last) = handle.segments.last_mut() {
        last.ident = columns.unwrap_or_else(|| {
            let name = snake_case(&last.ident.unraw().to_string());
            attributes::identifier(&name, last.ident.span())
        });
    }
    Ok((krate, from, handle))
}

fn fields_of(input: &DeriveInput) -> Result<impl Iterator<Item = &syn::Field>> {
    if let Data::Struct(data) = &input.data
        && let Fields::Named(fields) = &data.fields
        && !fields.named.is_empty()
    {
        return Ok(fields.named.iter());
    }
    Err(Error::new(
        input.ident.span(),
        "a projection is a struct with named fields",
    ))
}
