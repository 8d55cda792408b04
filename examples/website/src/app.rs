//! What every request shares.

use std::sync::Arc;

use packetboat_dispatch::{SessionManager, TrustedProxies};
use packetboat_orm::{DbPool, Routed, Scoped, Tenants};

use crate::accounts::Passwords;
use crate::directory::{Directory, Site};
use crate::gate::Gate;
use crate::rates::Rates;
use crate::recent::Recent;
use crate::refusals::Refusal;
use crate::secret::Key;
use crate::site::files::Folder;
use crate::storage::{Db, Storage};

/// The state of both doors; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// Who is who.
    pub directory: Directory,
    /// The databases of the companies, opened when they are asked for.
    pub tenants: Tenants<Routed<DbPool>>,
    /// The files of the companies.
    pub folder: Folder,
    /// The hasher.
    pub passwords: Passwords,
    /// Owners' sessions.
    pub sessions: SessionManager,
    /// Signs forms.
    pub key: Key,
    /// How much is worked on at once.
    pub gate: Gate,
    /// How often one address may ask.
    pub rates: Rates,
    /// Which native connections have just written.
    pub recent: Recent,
    /// Who may say who the client is.
    pub proxies: TrustedProxies,
    /// The domain below which sites have their hosts.
    pub domain: Arc<str>,
    /// What the operator shows to see the status.
    pub operator: Arc<str>,
}

impl App {
    /// The executors of companies' databases at this place.
    pub fn tenants(storage: Storage) -> Tenants<Routed<DbPool>> {
        let storage = Arc::new(storage);
        Tenants::new(move |key| {
            let storage = Arc::clone(&storage);
            async move { storage.open(&key).await }
        })
    }

    /// A site's database, for one request: from a replica until the request writes, or from the writer where its
    /// client has written a short while ago.
    ///
    /// # Errors
    ///
    /// [`Refusal::Full`] when as many databases are open as may be, and what the database says.
    pub async fn db(&self, site: &Site, wrote: bool) -> Result<Db, Refusal> {
        let db = self.tenants.get(&site.key).await?.new_scope();
        if wrote {
            db.read_what_is_written();
        }
        Ok(db)
    }
}
