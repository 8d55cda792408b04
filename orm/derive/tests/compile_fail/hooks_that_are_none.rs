use packetboat_orm::Model;

#[derive(Model)]
#[model(hooks)]
struct User {
    id: i64,
}

fn main() {}
