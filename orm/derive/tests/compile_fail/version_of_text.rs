use packetboat_orm::Model;

#[derive(Model)]
struct User {
    id: i64,
    #[model(version)]
    version: String,
}

fn main() {}
