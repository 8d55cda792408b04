//! The derives of packetboat-orm: parse, render per dialect, emit.
//!
#![doc = include_str!("../README.md")]

mod alias;
mod attributes;
mod field;
mod include;
mod model;
mod projection;
mod relation;
mod render;
mod schema;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct with named fields a row of a table, and an enum of its columns beside it: `user::name` for
/// `struct User { name: String, .. }`.
///
/// The primary key is the field `id`, or what is marked `#[model(key)]`: one field, or up to four, whose tuple is the key.
///
/// On the struct:
///
/// - `#[model(table = "users")]`: the table's name; by default the struct's, in snake case.
/// - `#[model(columns = "users")]`: the name under which the columns stand; by default the struct's, in snake case.
/// - `#[model(unique(class, seat))]`: these fields together differ between any two rows; may be repeated.
/// - `#[model(index(class, seat))]`: rows are found fast by these fields; may be repeated.
/// - `#[model(check = "price <= price_limit")]`: a condition in SQL that every row fulfils; or a text for each database that
///   is to check it, `check(sqlite = "..", postgres = "..", mysql = "..")`. May be repeated.
/// - `#[model(was = "users")]`: the table's former name, for the next migration.
/// - `#[model(belongs_to(author: User))]`: the field `author_id` holds the key of a `User`, or an `Option` of it.
/// - `#[model(has_many(posts: Post))]`, `#[model(has_one(profile: Profile))]`: rows of the other model hold this one's key,
///   in a column named after this struct, as `user_id`.
/// - `#[model(has_many(groups: Group, through = Membership))]`: rows of a third model hold both keys, as `user_id` and
///   `group_id`.
/// - `#[model(hooks)]`: the model implements `Hooks`, which run around each write of it.
/// - `#[model(crate = path)]`: where this crate is, if not at `::packetboat_orm`.
///
/// Relations stand beside the columns: `user::posts`, `post::author`. Where the foreign key has another name than by
/// default, `by = writer_id` says so; with `through`, `to = ..` says it of the key that leads on to the other model. A
/// key of several columns is written `by = (class, seat)`, in the order of the key's fields. The other model's columns
/// are looked for beside it, under its name in snake case; a path says where else: `by = blog::posts::writer_id`.
///
/// On a field:
///
/// - `#[model(key)]` (or `pk`): the primary key, or a part of it.
/// - `#[model(column = "type")]`: the column's name; by default the field's.
/// - `#[model(unique)]`: differs between any two rows.
/// - `#[model(default = 0)]`: the column's DEFAULT, a literal, or `now`, for rows that others insert without it.
/// - `#[model(size = 64)]`: the longest text (in characters) or bytes. Keys and unique columns have 255 by default.
/// - `#[model(scale = 2)]`: digits after the point of a `Decimal`.
/// - `#[model(index)]`: rows are found fast by it.
/// - `#[model(references = User)]`: holds the key of a row of another model, and the database sees to it; the field has the
///   type of that key, or `Option` of it. `references(User, on_delete = cascade)` deletes the row with the one that it
///   refers to, `set_null` forgets it, `restrict` (the default) refuses the delete.
/// - `#[model(check = "price >= 0")]`: a condition in SQL; as at the struct.
/// - `#[model(was = "title")]`: the column's former name, for the next migration.
/// - `#[model(generated)]`: filled by the database, with its DEFAULT or by a trigger: never written, and read back after
///   each write. `generated = "price * pieces"` computes it from this expression in SQL.
///
/// Columns that every statement looks after, at most one of each:
///
/// - `#[model(version)]`: an integer that counts the row's changes. A row that was changed since it was read is not
///   written: `Error::Stale`.
/// - `#[model(created)]`, `#[model(updated)]`: a `DateTime<Utc>`, or an `Option` of it: the time of the insert, and of the
///   last write. Set by the application's clock, to the microsecond, in the row and in the struct.
/// - `#[model(deleted)]`: an `Option<DateTime<Utc>>`. A delete sets it, and hides the row from every statement that does not
///   ask for it.
/// - `#[model(tenant)]`: an integer, a text or a UUID: whose the row is. Such a table is read and written through
///   `Tenant` alone. May be a part of the key.
#[proc_macro_derive(Model, attributes(model))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    model::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes a newtype around a field, or an enum without data, a field.
///
/// An enum is kept as text: each variant's name in snake case, or what `#[model(rename = "..")]` on it says. With
/// `#[model(integer)]` on the enum it is kept as its discriminant.
///
/// `#[model(crate = path)]` says where this crate is, if not at `::packetboat_orm`.
#[proc_macro_derive(Field, attributes(model))]
pub fn derive_field(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    field::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// The migrations of a folder, in the program: `include_migrations!("migrations")`, the folder being beside `Cargo.toml`.
///
/// `include_migrations!("migrations", crate = path)` says where the crate is, if not at `::packetboat_orm`.
#[proc_macro]
pub fn include_migrations(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as include::Include);
    include::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes a struct with named fields what a query reads of each row: `Select::project`.
///
/// - `#[model(from = User)]`, or `#[model(from = (User, Option<Post>))]` after joins: the query that it is read from.
/// - `#[model(columns = "users")]`: where the columns of the first model stand, if not under its name in snake case.
/// - `#[model(crate = path)]`: where this crate is, if not at `::packetboat_orm`.
/// - `#[model(expr = post::id.count())]` on a field: the column or expression that it is read from; by default the
///   first model's column of the same name.
///
/// Names and types are checked by the compiler.
#[proc_macro_derive(Projection, attributes(model))]
pub fn derive_projection(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    projection::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes a newtype around a model, `struct Boss(User);`, another name for its table, for a query in which the table
/// stands twice. Its columns are `user::name.of::<Boss>()`.
///
/// - `#[model(table = "boss")]`: the name; by default the struct's, in snake case.
/// - `#[model(crate = path)]`: where this crate is, if not at `::packetboat_orm`.
#[proc_macro_derive(Alias, attributes(model))]
pub fn derive_alias(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    alias::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
