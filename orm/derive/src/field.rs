//! `#[derive(Field)]`: newtypes, and enums without data.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DataEnum, DataStruct, DeriveInput, Error, Fields, LitStr, Result};

use crate::attributes;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "a field has no generic parameters",
        ));
    }
    let mut krate = attributes::default_krate();
    let mut integer = false;
    attributes::parse(&input.attrs, |meta| {
        if meta.path.is_ident("crate") {
            krate = attributes::krate(meta)?;
        } else if meta.path.is_ident("integer") {
            integer = true;
        } else if meta.path.is_ident("text") {
            integer = false;
        } else {
            return Err(meta.error("expected `integer`, `text` or `crate`"));
        }
        Ok(())
    })?;
    let field = match &input.data {
        Data::Struct(data) => newtype(input, data, &krate)?,
        Data::Enum(data) if integer => integer_enum(input, data, &krate)?,
        Data::Enum(data) => text_enum(input, data, &krate)?,
        Data::Union(_) => {
            return Err(Error::new(
                input.ident.span(),
                "a field is a newtype or an enum without data",
            ));
        }
    };
    let ident = &input.ident;
    Ok(quote! {
        #field

        #[automatically_derived]
        impl #krate::Decode for #ident {
            const WIDTH: usize = 1;

            #[inline]
            fn decode<R: #krate::Source>(row: &R, at: usize) -> #krate::Result<Self> {
                #krate::Field::get(row, at, #krate::ColumnDef::UNNAMED)
            }
        }

        #[automatically_derived]
        impl #krate::Scalar for #ident {
            type Bare = Self;
        }
    })
}

fn newtype(input: &DeriveInput, data: &DataStruct, krate: &TokenStream) -> Result<TokenStream> {
    let ident = &input.ident;
    let mut fields = data.fields.iter();
    let (Some(inner), None) = (fields.next(), fields.next()) else {
        return Err(Error::new(ident.span(), "a newtype has exactly one field"));
    };
    let ty = &inner.ty;
    let (access, make) = match &inner.ident {
        Some(name) => (quote!(self.#name), quote!(|inner| Self { #name: inner })),
        None => (quote!(self.0), quote!(Self)),
    };
    Ok(quote! {
        #[automatically_derived]
        impl #krate::Field for #ident {
            const TYPE: #krate::SqlType = <#ty as #krate::Field>::TYPE;
            const NULLABLE: bool = <#ty as #krate::Field>::NULLABLE;

            fn put<S: #krate::Sink>(
                &self,
                column: &#krate::ColumnDef,
                sink: &mut S,
            ) -> #krate::Result<()> {
                #krate::Field::put(&#access, column, sink)
            }

            #[inline]
            fn get<R: #krate::Source>(
                row: &R,
                index: usize,
                column: &#krate::ColumnDef,
            ) -> #krate::Result<Self> {
                <#ty as #krate::Field>::get(row, index, column).map(#make)
            }

            fn is_unset(&self) -> bool {
                #krate::Field::is_unset(&#access)
            }

            fn generate() -> ::core::option::Option<Self> {
                <#ty as #krate::Field>::generate().map(#make)
            }

            fn from_last_id(id: i64) -> ::core::option::Option<Self> {
                <#ty as #krate::Field>::from_last_id(id).map(#make)
            }
        }
    })
}

fn check_plain(input: &DeriveInput, data: &DataEnum) -> Result<()> {
    if data.variants.is_empty() {
        return Err(Error::new(
            input.ident.span(),
            "an enum without variants has no values to keep",
        ));
    }
    match data
        .variants
        .iter()
        .find(|variant| !matches!(variant.fields, Fields::Unit))
    {
        Some(variant) => Err(Error::new(
            variant.span(),
            "an enum with data is no column; keep it as `Json<..>`",
        )),
        None => Ok(()),
    }
}

fn text_enum(input: &DeriveInput, data: &DataEnum, krate: &TokenStream) -> Result<TokenStream> {
    check_plain(input, data)?;
    let ident = &input.ident;
    let mut idents = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for variant in &data.variants {
        let mut name = attributes::snake_case(&variant.ident.unraw().to_string());
        attributes::parse(&variant.attrs, |meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error("expected `rename`"));
            }
            name = meta.value()?.parse::<LitStr>()?.value();
            Ok(())
        })?;
        if names.contains(&name) {
            return Err(Error::new(
                variant.span(),
                format!("another variant is kept as {name:?} already"),
            ));
        }
        idents.push(&variant.ident);
        names.push(name);
    }
    Ok(quote! {
        #[automatically_derived]
        impl #krate::Field for #ident {
            const TYPE: #krate::SqlType = #krate::SqlType::Text;

            fn put<S: #krate::Sink>(
                &self,
                column: &#krate::ColumnDef,
                sink: &mut S,
            ) -> #krate::Result<()> {
                sink.text(column, match self { #(Self::#idents => #names,)* })
            }

            #[inline]
            fn get<R: #krate::Source>(
                row: &R,
                index: usize,
                column: &#krate::ColumnDef,
            ) -> #krate::Result<Self> {
                match row.text(index, column)?.as_str() {
                    #(#names => ::core::result::Result::Ok(Self::#idents),)*
                    _ => ::core::result::Result::Err(column.misfit("a text that names no variant")),
                }
            }
        }
    })
}

fn integer_enum(input: &DeriveInput, data: &DataEnum, krate: &TokenStream) -> Result<TokenStream> {
    check_plain(input, data)?;
    let ident = &input.ident;
    let idents: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    for variant in &data.variants {
        attributes::parse(&variant.attrs, |meta| {
            Err(meta.error("an enum kept as an integer renames nothing"))
        })?;
    }
    Ok(quote! {
        #[automatically_derived]
        impl #krate::Field for #ident {
            const TYPE: #krate::SqlType = #krate::SqlType::I32;

            fn put<S: #krate::Sink>(
                &self,
                column: &#krate::ColumnDef,
                sink: &mut S,
            ) -> #krate::Result<()> {
                sink.i32(column, match self { #(Self::#idents => Self::#idents as i32,)* })
            }

            #[inline]
            fn get<R: #krate::Source>(
                row: &R,
                index: usize,
                column: &#krate::ColumnDef,
            ) -> #krate::Result<Self> {
                let number = row.i64(index, column)?;
                #(if number == i64::from(Self::#idents as i32) {
                    return ::core::result::Result::Ok(Self::#idents);
                })*
                ::core::result::Result::Err(column.misfit("a number that names no variant"))
            }
        }
    })
}
