//! `#[derive(Model)]`: the trait, and the columns beside the struct.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Ident, Lit, Result, Type};

use crate::attributes::{Default, Generated, OfField, OfStruct, Role, identifier, snake_case};
use crate::relation;
use crate::render::{Dialect, Name, Names, statements};
use crate::schema::{self, Promises};

/// One field, which is one column.
struct Column<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    name: String,
    attributes: OfField,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let attributes = OfStruct::parse(&input.attrs)?;
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "a model has no generic parameters",
        ));
    }
    let columns = columns(input)?;
    let key = key(input, &columns)?;
    let table = attributes
        .table
        .clone()
        .unwrap_or_else(|| snake_case(&input.ident.unraw().to_string()));
    let uniques = uniques(&attributes, &columns, &table)?;
    check_roles(&columns)?;
    let promises = promises(&attributes, &columns, &table)?;
    let implementation = implementation(
        input,
        &attributes,
        &columns,
        &key,
        &table,
        &uniques,
        &promises,
    );
    let handles = handles(input, &attributes, &columns)?;
    Ok(quote!(#implementation #handles))
}

fn columns(input: &DeriveInput) -> Result<Vec<Column<'_>>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            input.ident.span(),
            "a model is a struct with named fields",
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(
            input.ident.span(),
            "a model is a struct with named fields",
        ));
    };
    let mut columns: Vec<Column<'_>> = Vec::with_capacity(fields.named.len());
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let attributes = OfField::parse(&field.attrs)?;
        let name = attributes
            .column
            .clone()
            .unwrap_or_else(|| ident.unraw().to_string());
        if columns.iter().any(|other| other.name == name) {
            return Err(Error::new(
                ident.span(),
                format!("another field has the column `{name}` already"),
            ));
        }
        columns.push(Column {
            ident,
            ty: &field.ty,
            name,
            attributes,
        });
    }
    Ok(columns)
}

/// The positions of the primary key.
fn key(input: &DeriveInput, columns: &[Column<'_>]) -> Result<Vec<usize>> {
    let marked: Vec<usize> = (0..columns.len())
        .filter(|&at| columns[at].attributes.key)
        .collect();
    if !marked.is_empty() {
        return Ok(marked);
    }
    let id = columns.iter().position(|column| column.ident == "id");
    id.map(|at| vec![at]).ok_or_else(|| {
        Error::new(
            input.ident.span(),
            "no primary key: name a field `id`, or mark one or more `#[model(key)]`",
        )
    })
}

/// A role has one column.
fn check_roles(columns: &[Column<'_>]) -> Result<()> {
    for (at, column) in columns.iter().enumerate() {
        let Some(role) = column.attributes.role else {
            continue;
        };
        let mut before = columns[..at].iter();
        if before.any(|other| other.attributes.role == Some(role)) {
            return Err(Error::new(
                column.ident.span(),
                format!("another field is `{}` already", role.name()),
            ));
        }
    }
    Ok(())
}

/// The unique constraints: a name and the columns' names.
fn uniques(
    attributes: &OfStruct,
    columns: &[Column<'_>],
    table: &str,
) -> Result<Vec<(String, Vec<String>)>> {
    let mut uniques = Vec::new();
    for column in columns.iter().filter(|column| column.attributes.unique) {
        uniques.push(vec![column.name.clone()]);
    }
    for fields in &attributes.uniques {
        let mut names = Vec::with_capacity(fields.len());
        for field in fields {
            let column = columns.iter().find(|column| column.ident == field);
            let column = column.ok_or_else(|| Error::new(field.span(), "no such field"))?;
            names.push(column.name.clone());
        }
        if names.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "`unique(..)` names at least one field",
            ));
        }
        uniques.push(names);
    }
    // As PostgreSQL would name them by itself.
    Ok(uniques
        .into_iter()
        .map(|names| (schema::constraint_name(table, &names, "key"), names))
        .collect())
}

/// The indexes, foreign keys and checks.
fn promises(attributes: &OfStruct, columns: &[Column<'_>], table: &str) -> Result<Promises> {
    let columns: Vec<schema::Column<'_>> = columns
        .iter()
        .map(|column| schema::Column {
            field: column.ident,
            name: &column.name,
            ty: column.ty,
            declared: &column.attributes.schema,
        })
        .collect();
    Promises::new(&attributes.krate, table, &attributes.schema, &columns)
}

fn implementation(
    input: &DeriveInput,
    attributes: &OfStruct,
    columns: &[Column<'_>],
    key: &[usize],
    table: &str,
    uniques: &[(String, Vec<String>)],
    promises: &Promises,
) -> TokenStream {
    let krate = &attributes.krate;
    let ident = &input.ident;
    let width = columns.len();
    let defs = columns.iter().enumerate().map(|(at, column)| {
        let in_unique = uniques
            .iter()
            .any(|(_, names)| names.contains(&column.name));
        let mut definition = definition(column, krate, table, key.contains(&at), in_unique);
        if promises.indexed.contains(&column.name) {
            definition.extend(quote!(.with_index()));
        }
        if let Some(was) = &column.attributes.was {
            definition.extend(quote!(.with_was(#was)));
        }
        definition
    });
    let gets = columns.iter().enumerate().map(|(at, column)| {
        let (ident, ty) = (column.ident, column.ty);
        quote_spanned!(ty.span()=> #ident: <#ty as #krate::Field>::get(row, at + #at, &COLUMNS[#at])?,)
    });
    let put_columns = columns.iter().enumerate().map(|(at, column)| {
        let (ident, ty) = (column.ident, column.ty);
        quote_spanned!(ty.span()=> #at => <#ty as #krate::Field>::put(&self.#ident, &COLUMNS[#at], sink),)
    });
    let names = Names {
        table,
        columns: columns
            .iter()
            .enumerate()
            .map(|(at, column)| Name {
                name: &column.name,
                is_key: key.contains(&at),
                is_generated: column.attributes.generated.is_some(),
                role: column.attributes.role,
            })
            .collect(),
    };
    let positions = |holds: fn(&Name<'_>) -> bool| -> Vec<usize> {
        (0..width).filter(|&at| holds(&names.columns[at])).collect()
    };
    let inserted = positions(|name| name.is_inserted());
    let updated = positions(|name| name.is_updated());
    let roles = roles(columns, krate);
    let role_types = role_types(columns, krate);
    let key_methods = key_methods(columns, key, krate);
    let set_column = set_column(columns, krate);
    let hooks = attributes.hooks.then(|| hooks(krate));
    let sqlite = statements(&names, Dialect::Sqlite, krate);
    let postgres = statements(&names, Dialect::Postgres, krate);
    let mysql = statements(&names, Dialect::MySql, krate);

    let mut promised = with_uniques(uniques, krate);
    promised.extend(promises.tokens.clone());
    if let Some(was) = &attributes.was {
        promised.extend(quote!(.with_was(#was)));
    }

    // The compiler reads all of this again after each change of the crate that it stands in, so what a model need not
    // have is left out. Each `<T as Field>` stands in the place of the type, so that a type that is none is one error.
    quote! {
        #[automatically_derived]
        const _: () = {
            const COLUMNS: &[#krate::ColumnDef] = &[#(#defs),*];
            #role_types

            impl #krate::Decode for #ident {
                const WIDTH: usize = #width;
                const NAMED: bool = true;

                #[inline]
                fn decode<R: #krate::Source>(row: &R, at: usize) -> #krate::Result<Self> {
                    ::core::result::Result::Ok(Self { #(#gets)* })
                }
            }

            impl #krate::Model for #ident {
                const TABLE: &'static #krate::Table =
                    &#krate::Table::new(#table, COLUMNS, &[#(#key),*], #sqlite, #postgres, #mysql)
                        .with_written(&[#(#inserted),*], &[#(#updated),*])
                        #roles
                        #promised;

                #key_methods

                fn put_column<S: #krate::Sink>(&self, at: usize, sink: &mut S) -> #krate::Result<()> {
                    match at {
                        #(#put_columns)*
                        _ => ::core::result::Result::Ok(()),
                    }
                }

                #set_column
                #hooks
            }
        };
    }
}

/// The methods about the key: of one field, or a tuple of several.
fn key_methods(columns: &[Column<'_>], key: &[usize], krate: &TokenStream) -> TokenStream {
    let idents: Vec<_> = key.iter().map(|&at| columns[at].ident).collect();
    let tys: Vec<_> = key.iter().map(|&at| columns[at].ty).collect();
    if let ([ident], [ty]) = (idents.as_slice(), tys.as_slice()) {
        return quote! {
            type Key = #ty;

            fn key(&self) -> #ty {
                ::core::clone::Clone::clone(&self.#ident)
            }

            fn set_key(&mut self, key: #ty) {
                self.#ident = key;
            }

            fn is_new(&self) -> bool {
                #krate::Key::is_unset(&self.#ident)
            }
        };
    }
    quote! {
        type Key = (#(#tys,)*);

        fn key(&self) -> Self::Key {
            (#(::core::clone::Clone::clone(&self.#idents),)*)
        }

        fn set_key(&mut self, key: Self::Key) {
            (#(self.#idents,)*) = key;
        }

        fn is_new(&self) -> bool {
            false
        }
    }
}

/// `.with_uniques(..)`, where there are some.
fn with_uniques(uniques: &[(String, Vec<String>)], krate: &TokenStream) -> TokenStream {
    if uniques.is_empty() {
        return TokenStream::new();
    }
    let names = uniques.iter().map(|(name, _)| name);
    let columns = uniques.iter().map(|(_, columns)| columns);
    quote!(.with_uniques(&[#(#krate::Unique::new(#names, &[#(#columns),*])),*]))
}

/// How many roles there are.
const ROLES: usize = 5;

/// `.with_roles(..)`, where a column has one.
fn roles(columns: &[Column<'_>], krate: &TokenStream) -> Option<TokenStream> {
    let roles: Vec<TokenStream> = columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| {
            let field = Ident::new(column.attributes.role?.name(), Span::call_site());
            Some(quote!(#field: ::core::option::Option::Some(#at),))
        })
        .collect();
    // A model may have every role, and then there is no rest.
    let rest = (roles.len() < ROLES).then(|| quote!(..#krate::derived::Roles::NONE));
    (!roles.is_empty()).then(|| quote!(.with_roles(#krate::derived::Roles { #(#roles)* #rest })))
}

/// What refuses to compile where a role's field is of a type that cannot have it.
fn role_types(columns: &[Column<'_>], krate: &TokenStream) -> TokenStream {
    let checks = columns.iter().filter_map(|column| {
        let ty = column.ty;
        let check = match column.attributes.role? {
            Role::Created | Role::Updated => quote!(check_time),
            Role::Deleted => quote!(check_deleted),
            Role::Version => quote!(check_version),
            Role::Tenant => return None,
        };
        // The call begins in the field's line, which is where the compiler points to.
        Some(quote_spanned! {ty.span()=>
            const _: () = {
                use #krate::derived::#check as check;
                check::<#ty>()
            };
        })
    });
    quote!(#(#checks)*)
}

/// Sets what statements look after; nothing else.
fn set_column(columns: &[Column<'_>], krate: &TokenStream) -> Option<TokenStream> {
    let sets: Vec<TokenStream> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.attributes.role.is_some())
        .map(|(at, column)| {
            let (ident, ty) = (column.ident, column.ty);
            quote_spanned! {ty.span()=>
                #at => self.#ident = <#ty as #krate::Field>::get(row, index, &COLUMNS[#at])?,
            }
        })
        .collect();
    (!sets.is_empty()).then(|| {
        quote! {
            fn set_column<R: #krate::Source>(
                &mut self,
                at: usize,
                row: &R,
                index: usize,
            ) -> #krate::Result<()> {
                match at {
                    #(#sets)*
                    _ => {}
                }
                ::core::result::Result::Ok(())
            }
        }
    })
}

/// Hands the hooks on to the trait that the application implements.
fn hooks(krate: &TokenStream) -> TokenStream {
    let hooks = ["before_save", "after_save", "before_delete"].map(|name| {
        let name = Ident::new(name, Span::call_site());
        quote! {
            fn #name<E: #krate::Executor>(
                &mut self,
                tx: &mut E,
            ) -> impl ::core::future::Future<Output = #krate::Result<()>> + Send {
                <Self as #krate::Hooks>::#name(self, tx)
            }
        }
    });
    quote! {
        const HOOKS: bool = true;

        fn validate(&self) -> #krate::Result<()> {
            <Self as #krate::Hooks>::validate(self)
        }

        #(#hooks)*
    }
}

/// An expression of type `ColumnDef`.
fn definition(
    column: &Column<'_>,
    krate: &TokenStream,
    table: &str,
    is_key: bool,
    in_unique: bool,
) -> TokenStream {
    let (name, ty, attributes) = (&column.name, column.ty, &column.attributes);
    let mut definition = quote_spanned! {ty.span()=>
        #krate::ColumnDef::of(#table, #name, <#ty as #krate::Field>::KIND)
    };
    if is_key {
        definition.extend(quote!(.with_key()));
    }
    if in_unique {
        definition.extend(quote!(.with_unique()));
    }
    if let Some(default) = &attributes.default {
        let value = match default {
            Default::Now => quote!(Now),
            Default::Literal { negative, literal } => {
                let sign = negative.then(|| quote!(-));
                match literal {
                    Lit::Bool(value) => quote!(Bool(#value)),
                    Lit::Float(value) => quote!(Float(#sign #value)),
                    Lit::Int(value) => quote!(Int(#sign #value)),
                    other => quote!(Text(#other)),
                }
            }
        };
        definition.extend(quote!(.with_default(#krate::DefaultValue::#value)));
    }
    match &attributes.generated {
        Some(Generated::Filled) => definition.extend(quote!(.with_generated(""))),
        Some(Generated::Computed(expression)) => {
            definition.extend(quote!(.with_generated(#expression)));
        }
        None => {}
    }
    if let Some(size) = &attributes.size {
        definition.extend(quote!(.with_size(#size)));
    }
    if let Some(scale) = &attributes.scale {
        definition.extend(quote!(.with_scale(#scale)));
    }
    definition
}

/// The columns, as constants of an enum without variants.
///
/// An enum and not a module: what stands in a module does not see the types of a function around it, so that a model
/// could not be declared inside of one; and a `user` that is a value stays free for a variable.
fn handles(
    input: &DeriveInput,
    attributes: &OfStruct,
    columns: &[Column<'_>],
) -> Result<TokenStream> {
    let krate = &attributes.krate;
    let (ident, vis) = (&input.ident, &input.vis);
    let name = attributes
        .columns
        .clone()
        .unwrap_or_else(|| snake_case(&ident.unraw().to_string()));
    let handle = identifier(&name, ident.span());
    let doc = if attributes.relations.is_empty() {
        format!("The columns of [`{ident}`].")
    } else {
        format!("The columns and relations of [`{ident}`].")
    };
    let constants = columns.iter().enumerate().map(|(at, column)| {
        let (field, ty, name) = (column.ident, column.ty, &column.name);
        let doc = format!("The column `{name}`.");
        quote! {
            #[doc = #doc]
            #vis const #field: #krate::Column<#ident, #ty> =
                #krate::Column::at(#at);
        }
    });
    let own = relation::Own {
        krate,
        ident,
        vis,
        fields: columns
            .iter()
            .map(|column| (column.ident, column.ty))
            .collect(),
    };
    let relations = relation::handles(&own, &attributes.relations)?;
    Ok(quote! {
        #[doc = #doc]
        #[allow(
            non_camel_case_types,
            missing_copy_implementations,
            missing_debug_implementations,
            clippy::empty_enums,
            reason = "it is there for its columns, as a module would be"
        )]
        #vis enum #handle {}

        #[allow(
            non_upper_case_globals,
            dead_code,
            private_interfaces,
            reason = "columns are named as their fields, have their types, and need not all be used"
        )]
        #[automatically_derived]
        impl #handle {
            #(#constants)*
            #(#relations)*
        }
    })
}
