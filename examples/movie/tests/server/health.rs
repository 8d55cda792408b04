//! Health: everybody learns a word, admins the reason, and a supervisor an exit code.

use packetboat_orm::sql;
use serde_json::{Value, json};

use crate::support::{Client, Database, Fixture, Kind, config};

on_each_database! {
    a_server_without_its_database_is_degraded
}

async fn health(client: &mut Client) -> Value {
    client.done(json!({"type": "packetboat.health"})).await
}

async fn a_server_without_its_database_is_degraded(database: Database) {
    let rename = match database.kind {
        Kind::MySql => "ALTER TABLE `user` RENAME TO gone",
        _ => "ALTER TABLE \"user\" RENAME TO gone",
    };
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("ann").await;
    sql(rename).exec(&fixture.db).await.unwrap();
    let degraded = json!({"flag": true, "status": "degraded"});
    assert_eq!(health(&mut fixture.client().await).await, degraded);
    // Who an admin is stands in the database.
    assert_eq!(health(&mut admin).await, degraded);
}

#[tokio::test]
async fn a_server_that_is_well_says_so_and_admins_why() {
    let mut config = config();
    config.disk_reserve_percent = 0;
    let fixture = Fixture::new(Database::fresh(Kind::Sqlite).await.unwrap(), config).await;
    let mut user = fixture.user("bob").await;
    assert_eq!(
        health(&mut user).await,
        json!({"flag": true, "status": "ok"})
    );
    let mut admin = fixture.admin("ann").await;
    let all = health(&mut admin).await;
    assert_eq!(
        (&all["connections"], &all["status"]),
        (&json!(2), &json!("ok"))
    );
    for check in ["database", "disk"] {
        assert_eq!(all["checks"][check]["status"], "ok", "{all}");
    }
}

#[tokio::test]
async fn a_disk_that_is_full_to_the_reserve_is_degraded() {
    let mut config = config();
    config.disk_reserve_percent = 100;
    let fixture = Fixture::new(Database::fresh(Kind::Sqlite).await.unwrap(), config).await;
    let mut stranger = fixture.client().await;
    assert_eq!(health(&mut stranger).await["status"], "degraded");
    let mut admin = fixture.admin("ann").await;
    let all = health(&mut admin).await;
    let checks = &all["checks"];
    assert_eq!(checks["disk"]["status"], "failed");
    assert_eq!(checks["database"]["status"], "ok");
}
