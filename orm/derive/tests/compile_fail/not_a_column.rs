use packetboat_orm::Model;

struct Address {
    street: String,
}

#[derive(Model)]
struct User {
    id: i64,
    address: Address,
}

fn main() {}
