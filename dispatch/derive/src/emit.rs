//! The implementation that the derive writes.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Result};

use crate::attributes::Attributes;
use crate::fields;

pub(crate) fn message(input: &DeriveInput) -> Result<TokenStream> {
    fields::named(input)?;
    let Attributes {
        kind,
        aliases,
        reply,
        attachment,
        krate,
    } = Attributes::of(input)?;
    let attachment = match &attachment {
        Some(field) => {
            fields::check_attachment(input, field)?;
            quote!(::core::option::Option::Some(#field))
        }
        None => quote!(::core::option::Option::None),
    };
    let krate = krate.map_or_else(|| quote!(::packetboat_dispatch), |path| quote!(#path));
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Message for #name #type_generics #where_clause {
            const TYPE: &'static str = #kind;
            const ALIASES: &'static [&'static str] = &[#(#aliases),*];
            const ATTACHMENT: ::core::option::Option<&'static str> = #attachment;
            type Reply = #reply;
        }
    })
}
