use packetboat_orm::{DbTx, Model, ModelExt};

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

async fn shared(tx: DbTx) {
    let _ = User::select().all(&tx).await;
}

fn main() {}
