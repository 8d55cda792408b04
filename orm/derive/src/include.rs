//! `include_migrations!`: a folder of migrations in the program.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitStr, Path as Place, Result, Token};

use crate::attributes::default_krate;

/// `"migrations"`, or `"migrations", crate = path`.
pub(crate) struct Include {
    folder: LitStr,
    krate: TokenStream,
}

impl Parse for Include {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let folder = input.parse()?;
        let mut krate = default_krate();
        if input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            let path: Place = input.parse()?;
            krate = quote!(#path);
        }
        Ok(Self { folder, krate })
    }
}

pub(crate) fn expand(include: &Include) -> Result<TokenStream> {
    let Include { folder, krate } = include;
    let refuse = |message: String| Error::new(folder.span(), message);
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .ok_or_else(|| refuse("the folder of Cargo.toml is not known".to_owned()))?;
    let root = PathBuf::from(manifest).join(folder.value());
    let mut files = Vec::new();
    for dialect in ["mysql", "postgres", "sqlite"] {
        for path in sql_files(&root.join(dialect)).map_err(&refuse)? {
            let (Some(name), Some(place)) = (
                path.file_name().and_then(|name| name.to_str()),
                path.to_str(),
            ) else {
                return Err(refuse(format!("{} is no UTF-8", path.display())));
            };
            files.push(quote!((#dialect, #name, ::core::include_str!(#place))));
        }
    }
    if files.is_empty() {
        return Err(refuse(format!(
            "no migrations in the folders sqlite, postgres or mysql of {}",
            root.display()
        )));
    }
    // A file that is new is not looked for by cargo, but this one changes with every migration that is made.
    let snapshot = root.join("schema.json");
    let tracked = snapshot
        .to_str()
        .filter(|_| snapshot.is_file())
        .map(|place| {
            quote!(
                const _: &str = ::core::include_str!(#place);
            )
        });
    Ok(quote! {{
        #tracked
        #krate::migrate::Embedded::new(&[#(#files),*])
    }})
}

/// The SQL files of a folder, by name; none where there is no folder.
fn sql_files(folder: &Path) -> std::result::Result<Vec<PathBuf>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let read = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    };
    let mut files = read().map_err(|error| format!("{}: {error}", folder.display()))?;
    files.retain(|file| file.extension().is_some_and(|end| end == "sql"));
    files.sort();
    Ok(files)
}
