//! Requests that are sent again with their key.

use std::sync::Arc;

use movie::messages::{BuyVip, UserType};
use movie::models::{Claim, User, user};
use packetboat_dispatch::client::ClientError;
use packetboat_dispatch::{IdempotencyKey, NativeClient};
use packetboat_orm::ModelExt;
use tokio::task::JoinSet;

use crate::support::{Database, Fixture};

on_each_database! {
    vip_is_bought_once_however_often_a_request_is_sent
}

async fn vip_is_bought_once_however_often_a_request_is_sent(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut ann = fixture.client().await;
    ann.register("ann", UserType::User).await;
    ann.login_kept("ann", UserType::User).await;
    let session = ann.session.as_deref().unwrap();

    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = NativeClient::connect(fixture.addr).await.unwrap();
        client.set_session(Some(session.parse().unwrap()));
        clients.push(client);
    }
    let clients = Arc::new(clients);
    let key = IdempotencyKey::generate();
    let mut calls = JoinSet::new();
    for n in 0..100 {
        let clients = Arc::clone(&clients);
        calls.spawn(async move {
            let client = clients[n % 4].with_idempotency_key(key);
            client.call(BuyVip {}).await
        });
    }
    while let Some(bought) = calls.join_next().await {
        bought.unwrap().expect("the same answer as the first");
    }
    // Long after, too; and without the key it is another purchase.
    let again = clients[0].with_idempotency_key(key).call(BuyVip {}).await;
    again.expect("the same answer as the first");
    for client in [
        clients[0].clone(),
        clients[0].with_idempotency_key(IdempotencyKey::generate()),
    ] {
        let refused: Result<_, ClientError> = client.call(BuyVip {}).await;
        assert_eq!(refused.unwrap_err().code(), Some("already_vip"));
    }
    let vips = User::select().filter(user::is_vip.eq(true));
    assert_eq!(vips.count(&fixture.db).await.unwrap(), 1);
    // What was refused has left nothing.
    assert_eq!(Claim::select().count(&fixture.db).await.unwrap(), 1);
}
