//! rusqlite, which is SQLite's own interface with hardly anything on it.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    BoxError, Peer, Ran,
    database::PRAGMAS,
    work::{Keys, NewUser, Work, new_users},
};

pub(super) struct Rusqlite {
    connection: Connection,
    keys: Keys,
    input: Vec<NewUser>,
}

#[allow(dead_code, reason = "decoded as the others do")]
struct User {
    id: i64,
    name: String,
    hair_color: Option<String>,
}

#[allow(dead_code, reason = "decoded as the others do")]
struct Post {
    id: i64,
    user_id: i64,
    title: String,
    body: Option<String>,
}

#[allow(dead_code, reason = "decoded as the others do")]
struct Comment {
    id: i64,
    post_id: i64,
    text: String,
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        hair_color: row.get(2)?,
    })
}

fn post(row: &Row<'_>, at: usize) -> rusqlite::Result<Post> {
    Ok(Post {
        id: row.get(at)?,
        user_id: row.get(at + 1)?,
        title: row.get(at + 2)?,
        body: row.get(at + 3)?,
    })
}

fn comment(row: &Row<'_>) -> rusqlite::Result<Comment> {
    Ok(Comment {
        id: row.get(0)?,
        post_id: row.get(1)?,
        text: row.get(2)?,
    })
}

/// `?` so many times.
fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

impl Rusqlite {
    pub(super) fn new(path: &str) -> Result<Self, BoxError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(PRAGMAS)?;
        connection.set_prepared_statement_cache_capacity(100);
        Ok(Self {
            connection,
            keys: Keys::new(),
            input: Vec::new(),
        })
    }

    fn once(&mut self, work: Work) -> Result<usize, BoxError> {
        if self.input.len() != work.rows(0) {
            self.input = new_users(work.rows(0));
        }
        let db = &mut self.connection;
        Ok(match work {
            Work::Trivial(_) => {
                let mut query = db.prepare_cached("SELECT id, name, hair_color FROM users")?;
                query
                    .query_map([], user)?
                    .collect::<Result<Vec<_>, _>>()?
                    .len()
            }
            Work::Medium(_) => {
                let mut query = db.prepare_cached(
                    "SELECT users.id, users.name, users.hair_color, posts.id, posts.user_id, posts.title, posts.body
                     FROM users LEFT JOIN posts ON posts.user_id = users.id WHERE users.hair_color = ?",
                )?;
                let pairs = query.query_map(["black"], |row| {
                    let has_post = row.get_ref(3)? != rusqlite::types::ValueRef::Null;
                    Ok((
                        user(row)?,
                        if has_post { Some(post(row, 3)?) } else { None },
                    ))
                })?;
                pairs.collect::<Result<Vec<_>, _>>()?.len()
            }
            Work::Associations => {
                let mut query = db.prepare_cached("SELECT id, name, hair_color FROM users")?;
                let users = query.query_map([], user)?.collect::<Result<Vec<_>, _>>()?;
                let mut query = db.prepare_cached(&format!(
                    "SELECT id, user_id, title, body FROM posts WHERE user_id IN ({})",
                    marks(users.len())
                ))?;
                let keys = rusqlite::params_from_iter(users.iter().map(|user| user.id));
                let posts = query
                    .query_map(keys, |row| post(row, 0))?
                    .collect::<Result<Vec<_>, _>>()?;
                let mut query = db.prepare_cached(&format!(
                    "SELECT id, post_id, text FROM comments WHERE post_id IN ({})",
                    marks(posts.len())
                ))?;
                let keys = rusqlite::params_from_iter(posts.iter().map(|post| post.id));
                let comments = query
                    .query_map(keys, comment)?
                    .collect::<Result<Vec<_>, _>>()?;
                group(users, posts, comments)
            }
            Work::Point => {
                let mut query =
                    db.prepare_cached("SELECT id, name, hair_color FROM users WHERE id = ?")?;
                usize::from(
                    query
                        .query_row([self.keys.next()], user)
                        .optional()?
                        .is_some(),
                )
            }
            Work::InsertOne => {
                let new = &self.input[0];
                let mut query =
                    db.prepare_cached("INSERT INTO users (name, hair_color) VALUES (?, ?)")?;
                usize::from(query.insert(params![new.name, new.hair_color])? > 0)
            }
            Work::UpdateOne => {
                let new = &self.input[0];
                let mut query =
                    db.prepare_cached("UPDATE users SET name = ?, hair_color = ? WHERE id = ?")?;
                query.execute(params![new.name, new.hair_color, self.keys.next()])?
            }
            Work::Insert(_) => {
                let rows = vec!["(?, ?)"; self.input.len()].join(", ");
                let mut query = db.prepare_cached(&format!(
                    "INSERT INTO users (name, hair_color) VALUES {rows}"
                ))?;
                for (at, new) in self.input.iter().enumerate() {
                    query.raw_bind_parameter(at * 2 + 1, &new.name)?;
                    query.raw_bind_parameter(at * 2 + 2, &new.hair_color)?;
                }
                query.raw_execute()?
            }
            // One row after the other in a transaction is the fastest way here.
            Work::Bulk(_) => {
                let transaction = db.transaction()?;
                let mut query = transaction
                    .prepare_cached("INSERT INTO users (name, hair_color) VALUES (?, ?)")?;
                let mut written = 0;
                for new in &self.input {
                    written += query.execute(params![new.name, new.hair_color])?;
                }
                drop(query);
                transaction.commit()?;
                written
            }
        })
    }
}

/// Makes the tree, and counts what is in it.
fn group(users: Vec<User>, posts: Vec<Post>, comments: Vec<Comment>) -> usize {
    let mut of_post: HashMap<i64, Vec<Comment>> = HashMap::with_capacity(posts.len());
    for comment in comments {
        of_post.entry(comment.post_id).or_default().push(comment);
    }
    let mut of_user: HashMap<i64, Vec<(Post, Vec<Comment>)>> = HashMap::with_capacity(users.len());
    for post in posts {
        let comments = of_post.remove(&post.id).unwrap_or_default();
        of_user
            .entry(post.user_id)
            .or_default()
            .push((post, comments));
    }
    let with_posts = |user: User| {
        let posts = of_user.remove(&user.id).unwrap_or_default();
        (user, posts)
    };
    let tree: Vec<_> = users.into_iter().map(with_posts).collect();
    let of_post = |(_, comments): &(Post, Vec<Comment>)| 1 + comments.len();
    tree.iter()
        .map(|(_, posts)| 1 + posts.iter().map(of_post).sum::<usize>())
        .sum()
}

impl Peer for Rusqlite {
    fn name(&self) -> &'static str {
        "rusqlite"
    }

    fn run(&mut self, work: Work) -> Ran<'_> {
        Box::pin(async move { self.once(work) })
    }
}
