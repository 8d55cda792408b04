//! Which companies there are, by name and by host, and what is switched on for each.

pub mod models;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use packetboat_orm::{DbPool, Executor, ModelExt, TenantName, try_transaction};

use crate::directory::models::{Company, Number, SwitchedOn, company, number, switched_on};
use crate::plans::{Component, Plan};
use crate::refusals::Refusal;
use crate::text;

/// Characters of a company's name at most: with its number it names a database, where PostgreSQL takes 63.
pub const MAX_NAME: usize = 40;

/// How old the answer to "who is this?" may be: a plan that changed, or a company that left, counts from then on.
const FRESH: Duration = Duration::from_secs(1);

/// Answers that are kept at most. Names that nobody has are asked for too.
const KEPT: usize = 4_096;

/// A company and its site, as a request sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Site {
    /// The company's number.
    pub id: i64,
    /// The company's name.
    pub name: String,
    /// As visitors read it.
    pub title: String,
    /// A host of its own.
    pub host: Option<String>,
    /// What it pays for.
    pub plan: Plan,
    /// What is switched on, the first one first.
    pub components: Vec<Component>,
    /// The name of its database and of its folder.
    pub key: TenantName,
}

impl Site {
    /// Whether this is switched on.
    pub fn has(&self, component: Component) -> bool {
        self.components.contains(&component)
    }

    /// Refuses what is not switched on.
    ///
    /// # Errors
    ///
    /// [`Refusal::ComponentOff`].
    pub fn needs(&self, component: Component) -> Result<(), Refusal> {
        match self.has(component) {
            true => Ok(()),
            false => Err(Refusal::ComponentOff(component)),
        }
    }
}

/// A company that is to be.
#[derive(Clone, Debug)]
pub struct NewCompany {
    /// Its name.
    pub name: String,
    /// As visitors read it.
    pub title: String,
    /// A host of its own.
    pub host: Option<String>,
    /// What it pays for.
    pub plan: Plan,
    /// What is on from the start.
    pub components: Vec<Component>,
}

/// The companies; clones are the same.
#[derive(Clone)]
pub struct Directory {
    db: DbPool,
    /// A plain mutex: held to look up and to note, never across an await.
    seen: Arc<Mutex<HashMap<Asked, Seen>>>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Asked {
    Host(String),
    Name(String),
    Number(i64),
}

struct Seen {
    at: Instant,
    site: Option<Arc<Site>>,
}

impl Directory {
    /// The directory in this database, whose tables are made where they are missing.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn open(db: DbPool) -> Result<Self, Refusal> {
        models::models().create(&db).await?;
        let mut none = Number { id: 1, last: 0 };
        none.upsert(number::id).keep().run(&db).await?;
        Ok(Self {
            db,
            seen: Arc::default(),
        })
    }

    /// Its database, where the sessions are as well.
    pub fn db(&self) -> &DbPool {
        &self.db
    }

    /// The site of this name.
    ///
    /// # Errors
    ///
    /// What the database says. That there is none is `None`.
    pub async fn by_name(&self, name: &str) -> Result<Option<Arc<Site>>, Refusal> {
        if name.len() > MAX_NAME || TenantName::new(name).is_err() {
            return Ok(None);
        }
        self.find(Asked::Name(name.to_owned())).await
    }

    /// The site with this host of its own, in lower case and without a port.
    ///
    /// # Errors
    ///
    /// As [`by_name`](Self::by_name).
    pub async fn by_host(&self, host: &str) -> Result<Option<Arc<Site>>, Refusal> {
        if host.is_empty() || host.len() > 255 {
            return Ok(None);
        }
        self.find(Asked::Host(host.to_owned())).await
    }

    /// The site of the company of this number.
    ///
    /// # Errors
    ///
    /// As [`by_name`](Self::by_name).
    pub async fn by_number(&self, id: i64) -> Result<Option<Arc<Site>>, Refusal> {
        self.find(Asked::Number(id)).await
    }

    async fn find(&self, asked: Asked) -> Result<Option<Arc<Site>>, Refusal> {
        if let Some(seen) = self.lock().get(&asked)
            && seen.at.elapsed() < FRESH
        {
            return Ok(seen.site.clone());
        }
        let at = Instant::now();
        let company = match &asked {
            Asked::Host(host) => Company::select().filter(company::host.eq(host.as_str())),
            Asked::Name(name) => Company::select().filter(company::name.eq(name.as_str())),
            Asked::Number(id) => Company::select().filter(company::id.eq(*id)),
        };
        let site = match company.optional(&self.db).await? {
            Some(company) => Some(Arc::new(site(company, &self.db).await?)),
            None => None,
        };
        let mut all = self.lock();
        if all.len() >= KEPT {
            all.retain(|_, seen| seen.at.elapsed() < FRESH);
            if all.len() >= KEPT {
                all.clear();
            }
        }
        let seen = Seen {
            at,
            site: site.clone(),
        };
        all.insert(asked, seen);
        Ok(site)
    }

    /// Every site, by name.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn list(&self) -> Result<Vec<Site>, Refusal> {
        let all = Company::select().order_by(company::name.asc());
        let mut sites = Vec::new();
        for company in all.all(&self.db).await? {
            sites.push(site(company, &self.db).await?);
        }
        Ok(sites)
    }

    /// Writes a company down. Its database is the caller's to make.
    ///
    /// # Errors
    ///
    /// [`Refusal::BadText`] for a name that is none, [`Refusal::PlanFull`] for more components than the plan allows,
    /// [`Refusal::Taken`].
    pub async fn create(&self, new: NewCompany) -> Result<Site, Refusal> {
        if new.name.len() > MAX_NAME
            || new.name.contains('_')
            || TenantName::new(&new.name).is_err()
        {
            return Err(Refusal::BadText { field: "name" });
        }
        let title = text::line("title", &new.title, 80)?;
        let host = new.host.map(|host| host.to_ascii_lowercase());
        if host.as_ref().is_some_and(|host| !is_host(host)) {
            return Err(Refusal::BadText { field: "host" });
        }
        let mut components = Vec::new();
        for component in new.components {
            if !components.contains(&component) {
                components.push(component);
            }
        }
        if components.len() > new.plan.allows() {
            return Err(Refusal::PlanFull { plan: new.plan });
        }
        let site = try_transaction(&self.db, async |tx| {
            let next = [number::last.set(number::last + 1)];
            Number::select().update(next, &mut *tx).await?;
            let number = Number::find(1, &mut *tx).await?.ok_or(Refusal::NotFound)?;
            let mut row = Company {
                id: number.last,
                name: new.name,
                title,
                host,
                plan: new.plan,
                since: Utc::now(),
            };
            row.insert(&mut *tx).await.map_err(taken)?;
            for component in components {
                switched(row.id, component).insert(&mut *tx).await?;
            }
            site(row, tx).await
        })
        .await?;
        self.forget();
        Ok(site)
    }

    /// Moves a company to another plan, and says what was switched off: the components that were switched on last, as
    /// many as are too many. What is in them stays.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`].
    pub async fn move_to(&self, name: &str, plan: Plan) -> Result<Vec<Component>, Refusal> {
        let off = try_transaction(&self.db, async |tx| {
            // Changed first, so that whoever switches one on waits for this, and then sees the plan.
            let own = Company::select().filter(company::name.eq(name));
            if own.update([company::plan.set(plan)], &mut *tx).await? == 0 {
                return Err(Refusal::NotFound);
            }
            let company = Company::select().filter(company::name.eq(name));
            let company = company.one(&mut *tx).await?;
            let rows = switched_on_of(company.id, &mut *tx).await?;
            let mut off = Vec::new();
            for mut row in rows.into_iter().skip(plan.allows()) {
                off.push(row.component);
                row.delete(&mut *tx).await?;
            }
            Ok(off)
        })
        .await?;
        self.forget();
        Ok(off)
    }

    /// Switches a component on or off. What is in it stays.
    ///
    /// # Errors
    ///
    /// [`Refusal::PlanFull`] where the plan has no room for it, however many ask at once; [`Refusal::NotFound`].
    pub async fn switch(&self, id: i64, component: Component, on: bool) -> Result<(), Refusal> {
        try_transaction(&self.db, async |tx| {
            // Written, and so locked until the end: of two who switch on at once the second counts the first.
            let own = Company::select().filter(company::id.eq(id));
            if own
                .update([company::title.set(company::title)], &mut *tx)
                .await?
                == 0
            {
                return Err(Refusal::NotFound);
            }
            let company = Company::find(id, &mut *tx)
                .await?
                .ok_or(Refusal::NotFound)?;
            let rows = switched_on_of(id, &mut *tx).await?;
            let on_now = rows.len();
            let found = rows.into_iter().find(|row| row.component == component);
            match (found, on) {
                (Some(_), true) | (None, false) => {}
                (Some(mut row), false) => {
                    row.delete(&mut *tx).await?;
                }
                (None, true) if on_now >= company.plan.allows() => {
                    return Err(Refusal::PlanFull { plan: company.plan });
                }
                (None, true) => switched(id, component).insert(&mut *tx).await?,
            }
            Ok(())
        })
        .await?;
        self.forget();
        Ok(())
    }

    /// Strikes a company out, with its sessions. Its database and files are the caller's to keep or to delete.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`].
    pub async fn remove(&self, name: &str) -> Result<Site, Refusal> {
        let found = Company::select().filter(company::name.eq(name));
        let mut row = found.optional(&self.db).await?.ok_or(Refusal::NotFound)?;
        let site = site(row.clone(), &self.db).await?;
        row.delete(&self.db).await?;
        self.forget();
        Ok(site)
    }

    /// What this process has changed is seen at once, and what others change, after [`FRESH`].
    fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Asked, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

async fn site(company: Company, db: impl Executor) -> Result<Site, Refusal> {
    let key = format!("{}-{}", company.name, company.id);
    let rows = switched_on_of(company.id, db).await?;
    Ok(Site {
        id: company.id,
        key: TenantName::new(&key).map_err(Refusal::internal)?,
        name: company.name,
        title: company.title,
        host: company.host,
        plan: company.plan,
        components: rows.into_iter().map(|row| row.component).collect(),
    })
}

async fn switched_on_of(id: i64, db: impl Executor) -> Result<Vec<SwitchedOn>, Refusal> {
    let own = SwitchedOn::select().filter(switched_on::company_id.eq(id));
    Ok(own.order_by(switched_on::id.asc()).all(db).await?)
}

const fn switched(company_id: i64, component: Component) -> SwitchedOn {
    SwitchedOn {
        id: 0,
        company_id,
        component,
    }
}

fn taken(error: packetboat_orm::Error) -> Refusal {
    match error {
        packetboat_orm::Error::UniqueViolation { .. } => Refusal::Taken,
        error => error.into(),
    }
}

/// Whether this is a host by name: labels of letters, digits and hyphens.
pub fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(fits)
    };
    host.len() <= 253 && host.split('.').all(is_label)
}
