use packetboat_orm::Model;

#[derive(Model)]
struct User {
    id: i64,
    #[model(tenant)]
    company: i64,
    #[model(tenant)]
    country: i64,
}

fn main() {}
