//! The models of the suite.

use packetboat_orm::{Executor, Field, Model, ModelExt};

/// A row with a unique name, the plainest model that shows everything.
#[derive(Clone, Debug, PartialEq, Model)]
pub(crate) struct Author {
    pub(crate) id: i64,
    #[model(unique)]
    pub(crate) name: String,
    pub(crate) born: Option<i32>,
    pub(crate) is_living: bool,
    pub(crate) fame: Fame,
}

impl Author {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            id: 0,
            name: name.to_owned(),
            born: None,
            is_living: true,
            fame: Fame::Local,
        }
    }
}

/// An enum kept as text.
#[derive(Clone, Copy, Debug, Eq, Field, PartialEq)]
pub(crate) enum Fame {
    Local,
    World,
}

/// A row that others must not touch: its table stands beside the one that is attacked.
#[derive(Clone, Debug, PartialEq, Model)]
pub(crate) struct Bystander {
    pub(crate) id: i64,
    pub(crate) secret: String,
}

/// The table of authors, with these in it, and their keys filled in.
pub(crate) async fn authors(db: impl Executor + Copy, names: &[&str]) -> Vec<Author> {
    Author::create_table(db).await.expect("a table of authors");
    let mut authors = names
        .iter()
        .map(|name| Author::new(name))
        .collect::<Vec<_>>();
    for author in &mut authors {
        author.insert(db).await.expect("an author");
    }
    authors
}

/// The names of all authors, by key.
pub(crate) async fn names(db: impl Executor) -> Vec<String> {
    let authors = Author::select()
        .order_by(author::id.asc())
        .all(db)
        .await
        .expect("all authors");
    authors.into_iter().map(|author| author.name).collect()
}
