//! Wrappers: executors around executors, as values of one request.

mod counted;
mod keep;
mod pooled;
mod router;
mod scoped;
mod tenant;
mod tenants;
mod traced;
mod unit_of_work;
mod using;

pub use self::counted::Counted;
pub use self::router::{Pinned, Routed, Router};
pub use self::scoped::Scoped;
pub use self::tenant::Tenant;
pub use self::tenants::{TenantLimits, TenantName, TenantPool, Tenants};
pub use self::traced::Traced;
pub use self::unit_of_work::UnitOfWork;
pub use self::using::Using;
