use packetboat_orm::{Executor, Model, ModelExt};

#[derive(Model)]
struct User {
    id: i64,
    #[model(unique)]
    name: String,
}

#[derive(Model)]
struct Movie {
    id: i64,
    #[model(unique)]
    title: String,
}

async fn save(mut user: User, db: impl Executor) {
    user.upsert(movie::title).run(db).await.unwrap();
}

fn main() {}
