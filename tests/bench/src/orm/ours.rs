//! This crate, through its models.

use std::collections::HashMap;

use packetboat_orm::{Executor, Model, ModelExt, sql};

use super::{
    BoxError, Peer, Ran,
    database::Pool,
    work::{Keys, Work, new_users},
};

/// As we stand in the results.
pub(super) const NAME: &str = "ours";

pub(super) struct Ours {
    pool: Pool,
    keys: Keys,
    input: Vec<User>,
}

#[derive(Debug, Model)]
#[model(table = "users")]
struct User {
    id: i64,
    name: String,
    hair_color: Option<String>,
}

#[derive(Debug, Model)]
#[model(table = "posts")]
struct Post {
    id: i64,
    user_id: i64,
    title: String,
    body: Option<String>,
}

#[derive(Debug, Model)]
#[model(table = "comments")]
struct Comment {
    id: i64,
    post_id: i64,
    text: String,
}

/// Users with posts with comments.
type Tree = Vec<(User, Vec<(Post, Vec<Comment>)>)>;

impl Ours {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            keys: Keys::new(),
            input: Vec::new(),
        }
    }

    async fn on(&mut self, mut db: impl Executor, work: Work) -> Result<usize, BoxError> {
        Ok(match work {
            Work::Trivial(_) => User::select().all(db).await?.len(),
            Work::Medium(_) => {
                let pairs = sql("SELECT users.id, users.name, users.hair_color, posts.id, posts.user_id, posts.title, posts.body
                    FROM users LEFT JOIN posts ON posts.user_id = users.id WHERE users.hair_color = ?")
                    .bind("black")
                    .all::<(User, Option<Post>)>(db)
                    .await?;
                pairs.len()
            }
            Work::Associations => {
                let users = User::select().all(&mut db).await?;
                let posts =
                    Post::select().filter(post::user_id.is_in(users.iter().map(|user| user.id)));
                let posts = posts.all(&mut db).await?;
                let comments = Comment::select()
                    .filter(comment::post_id.is_in(posts.iter().map(|post| post.id)));
                let comments = comments.all(&mut db).await?;
                size(&tree(users, posts, comments))
            }
            Work::Point => usize::from(User::find(self.keys.next(), db).await?.is_some()),
            Work::InsertOne => {
                let user = &mut self.input[0];
                user.id = 0;
                user.insert(db).await?;
                usize::from(user.id > 0)
            }
            Work::UpdateOne => {
                let user = &mut self.input[0];
                user.id = self.keys.next();
                user.update(db).await?;
                1
            }
            Work::Insert(_) | Work::Bulk(_) => {
                self.input.iter_mut().for_each(|user| user.id = 0);
                usize::try_from(User::insert_all(&mut self.input, db).await?)?
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

impl Peer for Ours {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run(&mut self, work: Work) -> Ran<'_> {
        if self.input.len() != work.rows(0) {
            let users = new_users(work.rows(0)).into_iter();
            self.input = users
                .map(|user| User {
                    id: 0,
                    name: user.name,
                    hair_color: user.hair_color,
                })
                .collect();
        }
        Box::pin(async move {
            match self.pool.clone() {
                Pool::Postgres(pool) => self.on(&pool, work).await,
                Pool::Sqlite(pool) => self.on(&pool, work).await,
            }
        })
    }
}
