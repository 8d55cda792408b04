//! This crate, through its models.

use packetboat_orm::{Executor, Model, ModelExt};

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
#[model(table = "users", has_many(posts: Post))]
struct User {
    id: i64,
    name: String,
    hair_color: Option<String>,
}

#[derive(Debug, Model)]
#[model(table = "posts", has_many(comments: Comment))]
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

    async fn on(&mut self, db: impl Executor, work: Work) -> Result<usize, BoxError> {
        Ok(match work {
            Work::Trivial(_) => User::select().all(db).await?.len(),
            Work::Medium(_) => {
                let pairs: Vec<(User, Option<Post>)> = User::select()
                    .left_join(Post::on(post::user_id.eq(user::id)))
                    .filter(user::hair_color.eq("black"))
                    .all(db)
                    .await?;
                pairs.len()
            }
            Work::Associations => {
                let tree: Tree = User::select()
                    .with(user::posts.with(post::comments))
                    .all(db)
                    .await?;
                size(&tree)
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
                usize::try_from(User::bulk_insert(&mut self.input, db).await?)?
            }
        })
    }
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
