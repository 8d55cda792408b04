//! What has to be well for the server to be: its database, and room on its disk.

use std::io;
use std::sync::Arc;

use packetboat_dispatch::HealthChecks;
use packetboat_orm::ModelExt;

use crate::app::App;
use crate::models::User;

/// The checks of a server with this state.
pub fn checks(app: &App) -> HealthChecks {
    let (db, library) = (app.db.clone(), Arc::clone(&app.library));
    HealthChecks::new()
        .check("database", move || {
            let db = db.clone();
            // A table of ours: a database that answers and is not ours is not well.
            async move { User::select().exists(&db).await.map(drop) }
        })
        .check("disk", move || {
            let library = Arc::clone(&library);
            // A disk that is gone may not answer at all, and then must not hold up the runtime.
            let asked = tokio::task::spawn_blocking(move || library.has_room(0));
            async move {
                match asked.await.map_err(io::Error::other)?? {
                    true => Ok(()),
                    false => Err(io::Error::from(io::ErrorKind::StorageFull)),
                }
            }
        })
}
