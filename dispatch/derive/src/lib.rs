//! The derive of packetboat-dispatch: a struct becomes a message.
#![doc = include_str!("../README.md")]

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod attributes;
mod emit;
mod fields;

/// Implements `packetboat_dispatch::Message` for a struct with named fields.
///
/// The keys of `#[message(..)]` are listed in the README of this crate. A field that `attachment`
/// names must exist, under its Rust name or under a name that serde gives it.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    emit::message(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
