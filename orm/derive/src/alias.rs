//! `#[derive(Alias)]`: another name for a model's table.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::attributes::{self, snake_case};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let (ident, vis) = (&input.ident, &input.vis);
    let mut krate = attributes::default_krate();
    let mut name = snake_case(&ident.unraw().to_string());
    attributes::parse(&input.attrs, |meta| {
        if meta.path.is_ident("crate") {
            krate = attributes::krate(meta)?;
        } else if meta.path.is_ident("table") {
            name = attributes::name(meta)?;
        } else {
            return Err(meta.error("expected `table` or `crate`"));
        }
        Ok(())
    })?;
    let expected = || {
        Error::new(
            ident.span(),
            "an alias is a newtype around a model: `struct Boss(User);`",
        )
    };
    let Data::Struct(data) = &input.data else {
        return Err(expected());
    };
    let Fields::Unnamed(fields) = &data.fields else {
        return Err(expected());
    };
    let mut fields = fields.unnamed.iter();
    let (Some(model), None) = (fields.next(), fields.next()) else {
        return Err(expected());
    };
    let model = &model.ty;
    Ok(quote! {
        #[automatically_derived]
        impl #krate::Decode for #ident {
            const WIDTH: usize = <#model as #krate::Decode>::WIDTH;
            const NAMED: bool = <#model as #krate::Decode>::NAMED;

            fn decode<R: #krate::Source>(row: &R, at: usize) -> #krate::Result<Self> {
                <#model as #krate::Decode>::decode(row, at).map(Self)
            }
        }

        #[automatically_derived]
        impl #krate::TableRef for #ident {
            const TABLE: &'static #krate::Table = <#model as #krate::Model>::TABLE;
            const ALIAS: &'static str = #name;
        }

        #[automatically_derived]
        impl #krate::AliasOf<#model> for #ident {}

        #[automatically_derived]
        impl ::core::ops::Deref for #ident {
            type Target = #model;

            fn deref(&self) -> &#model {
                &self.0
            }
        }

        #[automatically_derived]
        #[allow(dead_code, reason = "a program need not use an alias in every way")]
        impl #ident {
            /// All rows of the table under this name, to be narrowed.
            #vis fn select() -> #krate::Select<Self> {
                #krate::Select::new()
            }

            /// This table beside others in a query, where the condition holds.
            #vis fn on<C: #krate::Condition>(condition: C) -> #krate::On<Self, C::Models> {
                #krate::On::new(condition)
            }

            /// All its columns among others.
            #vis fn row() -> #krate::Row<Self> {
                #krate::Row::new()
            }
        }
    })
}
