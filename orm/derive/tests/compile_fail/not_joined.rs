use packetboat_orm::{Model, ModelExt, count, exists};

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

#[derive(Model)]
struct Post {
    id: i64,
    author: i64,
    title: String,
}

#[derive(Model)]
struct Comment {
    id: i64,
    post: i64,
}

fn main() {
    // A model that is not joined: in a condition, an order, a column, a join of its own.
    let joined = || User::select().join(Post::on(post::author.eq(user::id)));
    let _ = joined().filter(comment::post.eq(1));
    let _ = joined().order_by(comment::id.asc());
    let _ = joined().columns((user::name, comment::id));
    let _ = User::select().join(Post::on(post::id.eq(comment::post)));
    // An aggregate where rows are not grouped yet.
    let _ = User::select().filter(count().gt(1));
    // A sub-select that needs a model of the query around it, elsewhere or alone.
    let theirs = || Post::select().correlate(post::author.eq(user::id));
    let _ = Comment::select().filter(exists(theirs()));
    let _ = theirs().columns(post::id).order_by(user::id.asc());
}
