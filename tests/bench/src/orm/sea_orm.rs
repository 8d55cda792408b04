//! SeaORM, through its entities.

use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait as _, DatabaseConnection, EntityTrait as _, LoaderTrait as _, QueryFilter as _,
    SqlxPostgresConnector, SqlxSqliteConnector,
};

use super::{
    BoxError, Peer, Ran,
    database::Pool,
    work::{Keys, NewUser, Work, new_users},
};

mod users {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "users")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub hair_color: Option<String>,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(super) enum Relation {
        #[sea_orm(has_many = "super::posts::Entity")]
        Posts,
    }

    impl Related<super::posts::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Posts.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod posts {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "posts")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub user_id: i64,
        pub title: String,
        pub body: Option<String>,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(super) enum Relation {
        #[sea_orm(
            belongs_to = "super::users::Entity",
            from = "Column::UserId",
            to = "super::users::Column::Id"
        )]
        Users,
        #[sea_orm(has_many = "super::comments::Entity")]
        Comments,
    }

    impl Related<super::users::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Users.def()
        }
    }

    impl Related<super::comments::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Comments.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod comments {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "comments")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub post_id: i64,
        pub text: String,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(super) enum Relation {
        #[sea_orm(
            belongs_to = "super::posts::Entity",
            from = "Column::PostId",
            to = "super::posts::Column::Id"
        )]
        Posts,
    }

    impl Related<super::posts::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Posts.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) struct SeaOrm {
    connection: DatabaseConnection,
    keys: Keys,
    input: Vec<NewUser>,
}

fn active(user: &NewUser) -> users::ActiveModel {
    users::ActiveModel {
        id: NotSet,
        name: Set(user.name.clone()),
        hair_color: Set(user.hair_color.clone()),
    }
}

impl SeaOrm {
    pub(super) fn new(pool: Pool) -> Self {
        let connection = match pool {
            Pool::Postgres(pool) => SqlxPostgresConnector::from_sqlx_postgres_pool(pool),
            Pool::Sqlite(pool) => SqlxSqliteConnector::from_sqlx_sqlite_pool(pool),
        };
        Self {
            connection,
            keys: Keys::new(),
            input: Vec::new(),
        }
    }

    async fn once(&mut self, work: Work) -> Result<usize, BoxError> {
        if self.input.len() != work.rows(0) {
            self.input = new_users(work.rows(0));
        }
        let db = &self.connection;
        Ok(match work {
            Work::Trivial(_) => users::Entity::find().all(db).await?.len(),
            Work::Medium(_) => {
                let pairs = users::Entity::find()
                    .find_also_related(posts::Entity)
                    .filter(users::Column::HairColor.eq("black"))
                    .all(db)
                    .await?;
                pairs.len()
            }
            Work::Associations => {
                let users = users::Entity::find().all(db).await?;
                let of_users = users.load_many(posts::Entity, db).await?;
                let counts: Vec<usize> = of_users.iter().map(Vec::len).collect();
                let posts: Vec<posts::Model> = of_users.into_iter().flatten().collect();
                let of_posts = posts.load_many(comments::Entity, db).await?;
                let mut with_comments = posts.into_iter().zip(of_posts);
                let tree: Vec<_> = users
                    .into_iter()
                    .zip(counts)
                    .map(|(user, count)| {
                        (user, with_comments.by_ref().take(count).collect::<Vec<_>>())
                    })
                    .collect();
                let of_post =
                    |(_, comments): &(posts::Model, Vec<comments::Model>)| 1 + comments.len();
                tree.iter()
                    .map(|(_, posts)| 1 + posts.iter().map(of_post).sum::<usize>())
                    .sum()
            }
            Work::Point => {
                let found = users::Entity::find_by_id(self.keys.next()).one(db).await?;
                usize::from(found.is_some())
            }
            Work::InsertOne => {
                let done = users::Entity::insert(active(&self.input[0]))
                    .exec(db)
                    .await?;
                usize::from(done.last_insert_id > 0)
            }
            Work::UpdateOne => {
                let mut user = active(&self.input[0]);
                user.id = Unchanged(self.keys.next());
                user.update(db).await?;
                1
            }
            Work::Insert(_) | Work::Bulk(_) => {
                let rows = self.input.iter().map(active);
                usize::try_from(
                    users::Entity::insert_many(rows)
                        .exec_without_returning(db)
                        .await?,
                )?
            }
        })
    }
}

impl Peer for SeaOrm {
    fn name(&self) -> &'static str {
        "sea-orm"
    }

    fn run(&mut self, work: Work) -> Ran<'_> {
        Box::pin(self.once(work))
    }
}
