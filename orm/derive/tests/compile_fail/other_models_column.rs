use packetboat_orm::{Model, ModelExt};

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

#[derive(Model)]
struct Post {
    id: i64,
    title: String,
}

fn main() {
    let _ = User::select().filter(post::title.eq("news"));
    let _ = User::select().filter(user::name.eq("ann") & post::id.eq(1));
    let _ = User::select().order_by(post::title.asc());
}
