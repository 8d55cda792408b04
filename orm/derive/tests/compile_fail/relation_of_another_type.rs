use packetboat_orm::Model;

#[derive(Model)]
#[model(has_many(posts: Post))]
struct User {
    id: i64,
    name: String,
}

#[derive(Model)]
#[model(belongs_to(user: User))]
struct Post {
    id: i64,
    user_id: String,
}

fn main() {}
