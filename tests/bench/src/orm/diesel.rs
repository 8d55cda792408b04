//! Diesel on SQLite, written as in its own benchmark suite.
//!
//! SQLite has no `DEFAULT` among values, so that Diesel sends rows with an `Option` one by one, in a transaction: its
//! batch, which is what the bulk insert measures. Where the work is one statement, `None` is said to be NULL.

use diesel::{
    Connection as _, ExpressionMethods as _, GroupedBy as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _, SqliteConnection, associations::HasTable as _,
    connection::SimpleConnection as _, prelude::*,
};

use super::{
    BoxError, Peer, Ran,
    database::PRAGMAS,
    work::{Keys, NewUser, Work, new_users},
};

diesel::table! {
    users {
        id -> BigInt,
        name -> Text,
        hair_color -> Nullable<Text>,
    }
}

diesel::table! {
    posts {
        id -> BigInt,
        user_id -> BigInt,
        title -> Text,
        body -> Nullable<Text>,
    }
}

diesel::table! {
    comments {
        id -> BigInt,
        post_id -> BigInt,
        text -> Text,
    }
}

diesel::joinable!(comments -> posts (post_id));
diesel::joinable!(posts -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(users, posts, comments);

#[derive(Identifiable, Queryable)]
#[diesel(table_name = users)]
#[allow(dead_code, reason = "decoded as the others do")]
pub(super) struct User {
    id: i64,
    name: String,
    hair_color: Option<String>,
}

#[derive(Associations, Identifiable, Queryable)]
#[diesel(belongs_to(User), table_name = posts)]
#[allow(dead_code, reason = "decoded as the others do")]
pub(super) struct Post {
    id: i64,
    user_id: i64,
    title: String,
    body: Option<String>,
}

#[derive(Associations, Identifiable, Queryable)]
#[diesel(belongs_to(Post), table_name = comments)]
#[allow(dead_code, reason = "decoded as the others do")]
pub(super) struct Comment {
    id: i64,
    post_id: i64,
    text: String,
}

#[derive(Insertable)]
#[diesel(table_name = users)]
pub(super) struct Row<'a> {
    name: &'a str,
    hair_color: Option<&'a str>,
}

/// The same, of which many go in one statement.
#[derive(Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
struct Whole<'a> {
    name: &'a str,
    hair_color: Option<&'a str>,
}

impl<'a> From<&'a NewUser> for Whole<'a> {
    fn from(user: &'a NewUser) -> Self {
        let Row { name, hair_color } = user.into();
        Self { name, hair_color }
    }
}

impl<'a> From<&'a NewUser> for Row<'a> {
    fn from(user: &'a NewUser) -> Self {
        Self {
            name: &user.name,
            hair_color: user.hair_color.as_deref(),
        }
    }
}

pub(super) struct Diesel {
    connection: SqliteConnection,
    keys: Keys,
    input: Vec<NewUser>,
}

impl Diesel {
    pub(super) fn new(path: &str) -> Result<Self, BoxError> {
        let mut connection = SqliteConnection::establish(path)?;
        connection.batch_execute(PRAGMAS)?;
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
            Work::Trivial(_) => users::table.load::<User>(db)?.len(),
            Work::Medium(_) => {
                let pairs = users::table
                    .left_outer_join(posts::table)
                    .filter(users::hair_color.eq("black"))
                    .load::<(User, Option<Post>)>(db)?;
                pairs.len()
            }
            Work::Associations => {
                let users = users::table.load::<User>(db)?;
                let posts = Post::belonging_to(&users).load::<Post>(db)?;
                let comments = Comment::belonging_to(&posts).load::<Comment>(db)?;
                group(users, posts, comments)
            }
            Work::Point => {
                let found = users::table
                    .find(self.keys.next())
                    .first::<User>(db)
                    .optional()?;
                usize::from(found.is_some())
            }
            Work::InsertOne => {
                let id: i64 = diesel::insert_into(users::table)
                    .values(Row::from(&self.input[0]))
                    .returning(users::id)
                    .get_result(db)?;
                usize::from(id > 0)
            }
            Work::UpdateOne => {
                let row = Row::from(&self.input[0]);
                let set = (
                    users::name.eq(row.name),
                    users::hair_color.eq(row.hair_color),
                );
                diesel::update(users::table.find(self.keys.next()))
                    .set(set)
                    .execute(db)?
            }
            Work::Insert(_) => {
                let rows: Vec<Whole<'_>> = self.input.iter().map(Whole::from).collect();
                diesel::insert_into(users::table)
                    .values(&rows)
                    .execute(db)?
            }
            Work::Bulk(_) => {
                let rows: Vec<Row<'_>> = self.input.iter().map(Row::from).collect();
                diesel::insert_into(users::table::table())
                    .values(&rows)
                    .execute(db)?
            }
        })
    }
}

/// Makes the tree, and counts what is in it.
pub(super) fn group(users: Vec<User>, posts: Vec<Post>, comments: Vec<Comment>) -> usize {
    let comments = comments.grouped_by(&posts);
    let posts = posts.into_iter().zip(comments).grouped_by(&users);
    let tree: Vec<_> = users.into_iter().zip(posts).collect();
    let of_post = |(_, comments): &(Post, Vec<Comment>)| 1 + comments.len();
    tree.iter()
        .map(|(_, posts)| 1 + posts.iter().map(of_post).sum::<usize>())
        .sum()
}

impl Peer for Diesel {
    fn name(&self) -> &'static str {
        "diesel"
    }

    fn run(&mut self, work: Work) -> Ran<'_> {
        Box::pin(async move { self.once(work) })
    }
}
