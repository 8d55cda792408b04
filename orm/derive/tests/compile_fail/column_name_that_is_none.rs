use packetboat_orm::Model;

#[derive(Model)]
struct User {
    id: i64,
    #[model(column = "name; DROP TABLE user")]
    name: String,
}

fn main() {}
