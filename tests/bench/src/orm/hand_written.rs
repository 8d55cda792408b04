//! sqlx by hand, as its documentation would have it written.

use std::collections::HashMap;

use sqlx::{ColumnIndex, Decode, FromRow, PgPool, QueryBuilder, Row, SqlitePool, Type};

use super::{
    BoxError, Peer, Ran,
    database::Pool,
    work::{Keys, NewUser, Work, new_users},
};

pub(super) struct HandWritten {
    pool: Pool,
    keys: Keys,
    input: Vec<NewUser>,
}

#[derive(Debug)]
struct User {
    id: i64,
    #[allow(dead_code, reason = "decoded as the others do")]
    name: String,
    #[allow(dead_code, reason = "decoded as the others do")]
    hair_color: Option<String>,
}

#[derive(Debug)]
#[allow(dead_code, reason = "decoded as the others do")]
struct Post {
    id: i64,
    user_id: i64,
    title: String,
    body: Option<String>,
}

#[derive(Debug)]
#[allow(dead_code, reason = "decoded as the others do")]
struct Comment {
    id: i64,
    post_id: i64,
    text: String,
}

/// A row of the left join.
#[derive(Debug)]
struct Joined {
    id: i64,
    name: String,
    hair_color: Option<String>,
    post_id: Option<i64>,
    user_id: Option<i64>,
    title: Option<String>,
    body: Option<String>,
}

/// What `#[derive(FromRow)]` writes. sqlx's macros would build every driver a second time, for the compiler's own use.
macro_rules! from_row {
    ($($Row:ident { $($field:ident),+ })+) => {$(
        impl<'r, R: Row> FromRow<'r, R> for $Row
        where
            &'static str: ColumnIndex<R>,
            i64: Decode<'r, R::Database> + Type<R::Database>,
            Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
            String: Decode<'r, R::Database> + Type<R::Database>,
            Option<String>: Decode<'r, R::Database> + Type<R::Database>,
        {
            fn from_row(row: &'r R) -> sqlx::Result<Self> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    )+};
}

from_row! {
    User { id, name, hair_color }
    Post { id, user_id, title, body }
    Comment { id, post_id, text }
    Joined { id, name, hair_color, post_id, user_id, title, body }
}

impl Joined {
    fn into_pair(self) -> (User, Option<Post>) {
        let user = User {
            id: self.id,
            name: self.name,
            hair_color: self.hair_color,
        };
        let post = match (self.post_id, self.user_id, self.title) {
            (Some(id), Some(user_id), Some(title)) => Some(Post {
                id,
                user_id,
                title,
                body: self.body,
            }),
            _ => None,
        };
        (user, post)
    }
}

const USERS: &str = "SELECT id, name, hair_color FROM users";
const PAIRS: [&str; 2] = [
    "SELECT users.id, users.name, users.hair_color, posts.id AS post_id, posts.user_id, posts.title, posts.body
     FROM users LEFT JOIN posts ON posts.user_id = users.id WHERE users.hair_color = ?",
    "SELECT users.id, users.name, users.hair_color, posts.id AS post_id, posts.user_id, posts.title, posts.body
     FROM users LEFT JOIN posts ON posts.user_id = users.id WHERE users.hair_color = $1",
];

/// Users with posts with comments.
type Tree = Vec<(User, Vec<(Post, Vec<Comment>)>)>;

impl HandWritten {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            keys: Keys::new(),
            input: Vec::new(),
        }
    }

    fn input(&mut self, count: usize) {
        if self.input.len() != count {
            self.input = new_users(count);
        }
    }

    async fn sqlite(&mut self, pool: &SqlitePool, work: Work) -> Result<usize, BoxError> {
        Ok(match work {
            Work::Trivial(_) => sqlx::query_as::<_, User>(USERS)
                .fetch_all(pool)
                .await?
                .len(),
            Work::Medium(_) => {
                let joined = sqlx::query_as::<_, Joined>(PAIRS[0])
                    .bind("black")
                    .fetch_all(pool)
                    .await?;
                let pairs: Vec<_> = joined.into_iter().map(Joined::into_pair).collect();
                pairs.len()
            }
            Work::Associations => {
                let users = sqlx::query_as::<_, User>(USERS).fetch_all(pool).await?;
                let mut query = QueryBuilder::new(
                    "SELECT id, user_id, title, body FROM posts WHERE user_id IN (",
                );
                let mut list = query.separated(", ");
                users.iter().for_each(|user| {
                    list.push_bind(user.id);
                });
                query.push(")");
                let posts = query.build_query_as::<Post>().fetch_all(pool).await?;
                let mut query =
                    QueryBuilder::new("SELECT id, post_id, text FROM comments WHERE post_id IN (");
                let mut list = query.separated(", ");
                posts.iter().for_each(|post| {
                    list.push_bind(post.id);
                });
                query.push(")");
                let comments = query.build_query_as::<Comment>().fetch_all(pool).await?;
                size(&tree(users, posts, comments))
            }
            Work::Point => {
                let found = sqlx::query_as::<_, User>(
                    "SELECT id, name, hair_color FROM users WHERE id = ?",
                )
                .bind(self.keys.next())
                .fetch_optional(pool)
                .await?;
                usize::from(found.is_some())
            }
            Work::InsertOne => {
                let user = &self.input[0];
                let done = sqlx::query("INSERT INTO users (name, hair_color) VALUES (?, ?)")
                    .bind(user.name.as_str())
                    .bind(user.hair_color.as_deref())
                    .execute(pool)
                    .await?;
                usize::from(done.last_insert_rowid() > 0)
            }
            Work::UpdateOne => {
                let user = &self.input[0];
                let done = sqlx::query("UPDATE users SET name = ?, hair_color = ? WHERE id = ?")
                    .bind(user.name.as_str())
                    .bind(user.hair_color.as_deref())
                    .bind(self.keys.next())
                    .execute(pool)
                    .await?;
                usize::try_from(done.rows_affected())?
            }
            // SQLite takes 32,766 values, so that 10,000 rows fit into one statement.
            Work::Insert(_) | Work::Bulk(_) => {
                let mut query = QueryBuilder::new("INSERT INTO users (name, hair_color) ");
                query.push_values(&self.input, |mut row, user| {
                    row.push_bind(user.name.as_str())
                        .push_bind(user.hair_color.as_deref());
                });
                usize::try_from(query.build().execute(pool).await?.rows_affected())?
            }
        })
    }

    async fn postgres(&mut self, pool: &PgPool, work: Work) -> Result<usize, BoxError> {
        Ok(match work {
            Work::Trivial(_) => sqlx::query_as::<_, User>(USERS)
                .fetch_all(pool)
                .await?
                .len(),
            Work::Medium(_) => {
                let joined = sqlx::query_as::<_, Joined>(PAIRS[1])
                    .bind("black")
                    .fetch_all(pool)
                    .await?;
                let pairs: Vec<_> = joined.into_iter().map(Joined::into_pair).collect();
                pairs.len()
            }
            Work::Associations => {
                let users = sqlx::query_as::<_, User>(USERS).fetch_all(pool).await?;
                let keys: Vec<i64> = users.iter().map(|user| user.id).collect();
                let posts = sqlx::query_as::<_, Post>(
                    "SELECT id, user_id, title, body FROM posts WHERE user_id = ANY($1)",
                )
                .bind(keys)
                .fetch_all(pool)
                .await?;
                let keys: Vec<i64> = posts.iter().map(|post| post.id).collect();
                let comments = sqlx::query_as::<_, Comment>(
                    "SELECT id, post_id, text FROM comments WHERE post_id = ANY($1)",
                )
                .bind(keys)
                .fetch_all(pool)
                .await?;
                size(&tree(users, posts, comments))
            }
            Work::Point => {
                let found = sqlx::query_as::<_, User>(
                    "SELECT id, name, hair_color FROM users WHERE id = $1",
                )
                .bind(self.keys.next())
                .fetch_optional(pool)
                .await?;
                usize::from(found.is_some())
            }
            Work::InsertOne => {
                let user = &self.input[0];
                let row = sqlx::query(
                    "INSERT INTO users (name, hair_color) VALUES ($1, $2) RETURNING id",
                )
                .bind(user.name.as_str())
                .bind(user.hair_color.as_deref())
                .fetch_one(pool)
                .await?;
                usize::from(row.try_get::<i64, _>(0)? > 0)
            }
            Work::UpdateOne => {
                let user = &self.input[0];
                let done = sqlx::query("UPDATE users SET name = $1, hair_color = $2 WHERE id = $3")
                    .bind(user.name.as_str())
                    .bind(user.hair_color.as_deref())
                    .bind(self.keys.next())
                    .execute(pool)
                    .await?;
                usize::try_from(done.rows_affected())?
            }
            Work::Insert(_) => {
                let mut query = QueryBuilder::new("INSERT INTO users (name, hair_color) ");
                query.push_values(&self.input, |mut row, user| {
                    row.push_bind(user.name.as_str())
                        .push_bind(user.hair_color.as_deref());
                });
                usize::try_from(query.build().execute(pool).await?.rows_affected())?
            }
            // What sqlx's questions and answers say of many rows.
            Work::Bulk(_) => {
                let names: Vec<&str> = self.input.iter().map(|user| user.name.as_str()).collect();
                let colors: Vec<Option<&str>> = self
                    .input
                    .iter()
                    .map(|user| user.hair_color.as_deref())
                    .collect();
                let done = sqlx::query("INSERT INTO users (name, hair_color) SELECT * FROM UNNEST($1::text[], $2::text[])")
                    .bind(names)
                    .bind(colors)
                    .execute(pool)
                    .await?;
                usize::try_from(done.rows_affected())?
            }
        })
    }
}

fn tree(users: Vec<User>, posts: Vec<Post>, comments: Vec<Comment>) -> Tree {
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
    users
        .into_iter()
        .map(|user| {
            let posts = of_user.remove(&user.id).unwrap_or_default();
            (user, posts)
        })
        .collect()
}

fn size(tree: &Tree) -> usize {
    let of_post = |(_, comments): &(Post, Vec<Comment>)| 1 + comments.len();
    tree.iter()
        .map(|(_, posts)| 1 + posts.iter().map(of_post).sum::<usize>())
        .sum()
}

impl Peer for HandWritten {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn run(&mut self, work: Work) -> Ran<'_> {
        self.input(work.rows(0));
        Box::pin(async move {
            match self.pool.clone() {
                Pool::Postgres(pool) => self.postgres(&pool, work).await,
                Pool::Sqlite(pool) => self.sqlite(&pool, work).await,
            }
        })
    }
}
