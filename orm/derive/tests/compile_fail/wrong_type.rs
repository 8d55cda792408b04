use packetboat_orm::{Model, ModelExt};

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

fn main() {
    let _ = User::select().filter(user::name.eq(7));
    let _ = User::select().filter(user::id.eq("seven"));
}
