use packetboat_orm::{Model, ModelExt};

#[derive(Model)]
#[model(has_many(posts: Post))]
struct User {
    id: i64,
}

#[derive(Model)]
#[model(has_many(comments: Comment, by = post::user_id))]
struct Post {
    id: i64,
    user_id: i64,
}

#[derive(Model)]
struct Comment {
    id: i64,
    post_id: i64,
}

fn main() {
    let _ = User::select().with(post::comments);
    let _ = User::select().with(user::posts.with(user::posts));
    let _ = user::posts.order_by(comment::id.asc());
}
