use packetboat_orm::Model;

#[derive(Model)]
#[model(has_many(posts: Post, by = writer_id), has_one(pages: Page))]
struct User {
    id: i64,
}

#[derive(Model)]
struct Post {
    id: i64,
    user_id: i64,
}

#[derive(Model)]
struct Page {
    id: i64,
    writer_id: i64,
}

fn main() {}
