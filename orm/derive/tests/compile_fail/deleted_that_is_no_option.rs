use chrono::{DateTime, Utc};
use packetboat_orm::Model;

#[derive(Model)]
struct User {
    id: i64,
    #[model(deleted)]
    deleted: DateTime<Utc>,
}

fn main() {}
