//! A database for each tenant, opened when it is asked for.

mod name;
mod slots;
mod tenant_pool;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::driver::Pooled;
use crate::error::{Error, Result};
use crate::wrap::tenants::slots::{Slots, Use, sweep};

pub use self::name::TenantName;
pub use self::tenant_pool::TenantPool;

/// The pools of many tenants, each with a database of its own. [`get`](Self::get) gives the executor of one.
///
/// How a name becomes a database is the application's to say, and nobody else's: the name is put into no path and no
/// URL here.
///
/// ```
/// use packetboat_orm::{DbPool, Model, ModelExt, Result, TenantName, TenantPool, Tenants};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// type Db = TenantPool<DbPool>;
///
/// fn tenants() -> Tenants<DbPool> {
///     Tenants::new(|tenant: TenantName| async move {
///         let db = DbPool::connect(&format!("sqlite:/srv/tenants/{tenant}.db?mode=rwc")).await?;
///         User::create_table(&db).await?;
///         Ok(db)
///     })
/// }
///
/// /// The tenant comes from the session, and not from the request.
/// async fn users(tenants: &Tenants<DbPool>, tenant: &TenantName) -> Result<Vec<User>> {
///     let db: Db = tenants.get(tenant).await?;
///     User::select().all(&db).await
/// }
/// ```
///
/// A pool stays open while an executor of it, or one of their transactions, is there. After that it is kept for a
/// while, and closed when it has been idle for long, or when another tenant needs its place. [`TenantLimits`] has the
/// numbers. At most one opening is under way for a tenant; who else asks for the same one waits for it.
///
/// Clones are the same.
pub struct Tenants<E: Pooled + 'static> {
    inner: Arc<Inner<E>>,
}

struct Inner<E> {
    open: Box<dyn Fn(TenantName) -> Opening<E> + Send + Sync>,
    limits: TenantLimits,
    slots: Arc<Slots<E>>,
}

type Opening<E> = Pin<Box<dyn Future<Output = Result<E>> + Send>>;

/// The limits of [`Tenants`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TenantLimits {
    /// How many pools are open at once; 64 by default. Times the connections of each, it must be fewer than the server
    /// takes, or than the process may have open files.
    pub max_open: usize,
    /// How long an unused pool is kept; 5 minutes by default. It is closed at most half of that later.
    pub idle: Duration,
    /// How long to wait for a place where every open pool is in use; 3 seconds by default. Zero refuses at once.
    pub wait: Duration,
    /// How long an opening may take, for the one who opens and for those who wait for it; 10 seconds by default.
    pub opening: Duration,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            max_open: 64,
            idle: Duration::from_secs(300),
            wait: Duration::from_secs(3),
            opening: Duration::from_secs(10),
        }
    }
}

impl<E: Pooled + 'static> Tenants<E> {
    /// Opens pools with a function of the application, within the default limits.
    pub fn new<F, Fut>(open: F) -> Self
    where
        F: Fn(TenantName) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<E>> + Send + 'static,
    {
        Self::with_limits(TenantLimits::default(), open)
    }

    /// Opens pools with a function of the application, within these limits.
    pub fn with_limits<F, Fut>(limits: TenantLimits, open: F) -> Self
    where
        F: Fn(TenantName) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<E>> + Send + 'static,
    {
        let inner = Inner {
            open: Box::new(move |tenant| Box::pin(open(tenant))),
            limits,
            slots: Arc::new(Slots::new(limits.max_open)),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The executor of a tenant. The first one opens the pool.
    ///
    /// # Errors
    ///
    /// What the application's function returns; [`Error::TenantsBusy`] when no place becomes free in time;
    /// [`Error::Connection`] when the opening takes too long, and after [`close`](Self::close).
    ///
    /// # Cancel safety
    ///
    /// An opening that is dropped is taken over by the next who asks for the tenant.
    pub async fn get(&self, tenant: &TenantName) -> Result<TenantPool<E>> {
        let Inner {
            open,
            limits,
            slots,
        } = &*self.inner;
        let hold = Use::begin(slots, tenant)?;
        let open_it = async || {
            let place = slots.place(limits.wait).await?;
            let pool = open(tenant.clone()).await?;
            place.keep();
            slots.sweep_with(|slots| sweep(slots, limits.idle));
            Ok(pool)
        };
        let most = limits.wait.saturating_add(limits.opening);
        let pool = timeout(most, hold.pool().get_or_try_init(open_it))
            .await
            .map_err(|_| Error::Connection {
                source: sqlx::Error::PoolTimedOut,
            })??
            .clone();
        Ok(TenantPool::new(pool, tenant.clone(), Arc::new(hold)))
    }

    /// How many pools are open, or being opened or closed: never more than [`TenantLimits::max_open`].
    #[must_use]
    pub fn open(&self) -> usize {
        self.inner.slots.open()
    }

    /// Closes every pool, each once nobody uses it any more, and refuses new ones.
    pub async fn close(&self) {
        self.inner.slots.close().await;
    }
}

/// The same tenants.
impl<E: Pooled + 'static> Clone for Tenants<E> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<E: Pooled + 'static> fmt::Debug for Tenants<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants")
            .field("limits", &self.inner.limits)
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}
