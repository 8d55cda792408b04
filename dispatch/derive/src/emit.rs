//! The implementation that the derive writes.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, LitStr, Result};

use crate::attributes::Attributes;
use crate::fields;

pub(crate) fn message(input: &DeriveInput) -> Result<TokenStream> {
    fields::named(input)?;
    let Attributes {
        kind,
        aliases,
        reply,
        attachment,
        reply_attachment,
        safe,
        schema,
        krate,
    } = Attributes::of(input)?;
    if let Some(field) = &attachment {
        fields::check_attachment(input, field)?;
    }
    let attachment = option(attachment.as_ref());
    let reply_attachment = option(reply_attachment.as_ref());
    let krate = krate.map_or_else(|| quote!(::packetboat_dispatch), |path| quote!(#path));
    let schema = schema.then(|| {
        quote! {
            fn schema() -> ::core::option::Option<#krate::schema::Schemas> {
                ::core::option::Option::Some(#krate::schema::Schemas::of::<Self>())
            }
        }
    });
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Message for #name #type_generics #where_clause {
            const TYPE: &'static str = #kind;
            const ALIASES: &'static [&'static str] = &[#(#aliases),*];
            const ATTACHMENT: ::core::option::Option<&'static str> = #attachment;
            const REPLY_ATTACHMENT: ::core::option::Option<&'static str> = #reply_attachment;
            const IS_SAFE: bool = #safe;
            type Reply = #reply;
            #schema
        }
    })
}

fn option(name: Option<&LitStr>) -> TokenStream {
    match name {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    }
}
