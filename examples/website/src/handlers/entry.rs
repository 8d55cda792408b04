//! What every message passes: which site, how often, how much; as at the door for browsers.

use std::sync::Arc;

use packetboat_dispatch::Peer;
use packetboat_orm::Scoped;

use crate::app::App;
use crate::directory::Site;
use crate::gate::Pass;
use crate::refusals::Refusal;
use crate::storage::Db;

/// One message inside.
pub(super) struct Entry {
    pub(super) site: Arc<Site>,
    pub(super) db: Db,
    app: App,
    peer: Peer,
    _pass: Pass,
}

impl Entry {
    /// Lets a message to this site in.
    pub(super) async fn to(app: App, peer: Peer, name: &str) -> Result<Self, Refusal> {
        let site = app
            .directory
            .by_name(name)
            .await?
            .ok_or(Refusal::NotFound)?;
        if let Err(refusal) = app.rates.request(site.id, peer.ip()) {
            app.gate.throttled(site.id, &site.name);
            return Err(refusal);
        }
        let pass = app.gate.enter(site.id, &site.name).await?;
        let db = app.db(&site, app.recent.has_written(peer.id())).await?;
        Ok(Self {
            site,
            db,
            app,
            peer,
            _pass: pass,
        })
    }

    /// Counts what is written against its address.
    pub(super) fn writes(&self) -> Result<(), Refusal> {
        let counted = self.app.rates.write(self.site.id, self.peer.ip());
        counted.inspect_err(|_| self.app.gate.throttled(self.site.id, &self.site.name))
    }
}

/// A connection that has written reads from the writer for a while.
impl Drop for Entry {
    fn drop(&mut self) {
        if self.db.has_written() {
            self.app.recent.wrote(self.peer.id());
        }
    }
}
