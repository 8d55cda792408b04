use packetboat_orm::Model;

#[derive(Model)]
#[model(belongs_to(author: User))]
struct Post {
    id: i64,
    user_id: i64,
}

#[derive(Model)]
#[model(belongs_to(user: User), has_many(user_id: Post))]
struct Tag {
    id: i64,
    user_id: i64,
}

#[derive(Model)]
#[model(has_many(posts: Post, via = user_id))]
struct User {
    id: i64,
}

fn main() {}
