use packetboat_orm::Model;

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

#[derive(Model)]
struct Post {
    id: i64,
    #[model(references = User)]
    author: String,
}

#[derive(Model)]
struct Remark {
    id: i64,
    #[model(references(User, on_delete = explode))]
    author: i64,
}

fn main() {}
