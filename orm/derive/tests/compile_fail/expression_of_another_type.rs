use packetboat_orm::{Model, ModelExt, Projection};

#[derive(Model)]
struct User {
    id: i64,
    name: String,
    age: i32,
}

#[derive(Projection)]
#[model(from = User)]
struct Card {
    name: String,
    age: i64,
}

#[derive(Projection)]
#[model(from = User)]
struct Badge {
    nickname: String,
}

fn main() {
    let _ = user::name + 1;
    let _ = user::age.contains("a");
    let _ = user::age.eq(user::name);
    let _ = User::select().columns(user::name.sum());
    let _ = user::age.is_in(User::select().columns(user::name));
    let _ = user::age.set(user::name.length());
}
