use packetboat_orm::{Model, ModelExt};

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

fn main() {
    let _ = User::select().filter(user::nmae.eq("ann"));
}
