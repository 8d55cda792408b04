//! Diesel on PostgreSQL, by diesel-async.

use diesel::prelude::{
    BelongingToDsl as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _};

use super::{
    BoxError, Peer, Ran,
    diesel::{Comment, Post, Row, User, group, posts, users},
    work::{Keys, NewUser, Work, new_users},
};

pub(super) struct DieselAsync {
    connection: AsyncPgConnection,
    keys: Keys,
    input: Vec<NewUser>,
}

impl DieselAsync {
    pub(super) async fn new(url: &str) -> Result<Self, BoxError> {
        let connection = AsyncPgConnection::establish(url).await?;
        Ok(Self {
            connection,
            keys: Keys::new(),
            input: Vec::new(),
        })
    }

    async fn once(&mut self, work: Work) -> Result<usize, BoxError> {
        if self.input.len() != work.rows(0) {
            self.input = new_users(work.rows(0));
        }
        let db = &mut self.connection;
        Ok(match work {
            Work::Trivial(_) => users::table.load::<User>(db).await?.len(),
            Work::Medium(_) => {
                let pairs = users::table
                    .left_outer_join(posts::table)
                    .filter(users::hair_color.eq("black"))
                    .load::<(User, Option<Post>)>(db)
                    .await?;
                pairs.len()
            }
            Work::Associations => {
                let users = users::table.load::<User>(db).await?;
                let posts = Post::belonging_to(&users).load::<Post>(db).await?;
                let comments = Comment::belonging_to(&posts).load::<Comment>(db).await?;
                group(users, posts, comments)
            }
            Work::Point => {
                let found = users::table
                    .find(self.keys.next())
                    .first::<User>(db)
                    .await
                    .optional()?;
                usize::from(found.is_some())
            }
            Work::InsertOne => {
                let id: i64 = diesel::insert_into(users::table)
                    .values(Row::from(&self.input[0]))
                    .returning(users::id)
                    .get_result(db)
                    .await?;
                usize::from(id > 0)
            }
            Work::UpdateOne => {
                let user = &self.input[0];
                let set = (
                    users::name.eq(&user.name),
                    users::hair_color.eq(&user.hair_color),
                );
                diesel::update(users::table.find(self.keys.next()))
                    .set(set)
                    .execute(db)
                    .await?
            }
            Work::Insert(_) | Work::Bulk(_) => {
                let rows: Vec<Row<'_>> = self.input.iter().map(Row::from).collect();
                diesel::insert_into(users::table)
                    .values(&rows)
                    .execute(db)
                    .await?
            }
        })
    }
}

impl Peer for DieselAsync {
    fn name(&self) -> &'static str {
        "diesel"
    }

    fn run(&mut self, work: Work) -> Ran<'_> {
        Box::pin(self.once(work))
    }
}
