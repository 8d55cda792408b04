//! The executor of one tenant.

use std::fmt;
use std::sync::Arc;

use crate::codec::Params;
use crate::codec::sealed::Sealed;
use crate::dialect::Dialect;
use crate::driver::{Access, Pooled};
use crate::error::Result;
use crate::executor::{Collect, Done, Executor, Finish};
use crate::shared::Shared;
use crate::statement::Statement;
use crate::wrap::tenants::TenantName;
use crate::wrap::tenants::slots::Use;

/// The pool of one tenant out of [`Tenants`](crate::Tenants), or a connection or transaction of it. The pool is not
/// closed while this is there.
#[derive(Clone)]
pub struct TenantPool<E> {
    inner: E,
    tenant: TenantName,
    /// Kept, and never looked at.
    hold: Arc<dyn Send + Sync>,
}

impl<E> TenantPool<E> {
    pub(super) fn new<P: Pooled + 'static>(
        inner: E,
        tenant: TenantName,
        hold: Arc<Use<P>>,
    ) -> Self {
        Self {
            inner,
            tenant,
            hold,
        }
    }

    /// Whose it is.
    pub const fn tenant(&self) -> &TenantName {
        &self.tenant
    }

    pub(in crate::wrap) const fn inner(&self) -> &E {
        &self.inner
    }

    pub(in crate::wrap) fn around<F>(&self, inner: F) -> TenantPool<F> {
        TenantPool {
            inner,
            tenant: self.tenant.clone(),
            hold: Arc::clone(&self.hold),
        }
    }
}

impl<E: Executor> Executor for TenantPool<E> {
    type Tx = TenantPool<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        let tx = self.inner.enter().await?;
        Ok(self.around(tx))
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        self.inner.run(statement, params, out).await
    }
}

impl<E: Finish> Finish for TenantPool<E> {
    async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.inner.rollback().await
    }
}

impl<E: Shared> Shared for TenantPool<E> {}

impl<E> Sealed for TenantPool<E> {}

impl<E: Pooled> Pooled for TenantPool<E> {
    type Connection = TenantPool<E::Connection>;

    async fn hold(&self, access: Access) -> Result<(Self::Connection, Access)> {
        let (connection, access) = self.inner.hold(access).await?;
        Ok((self.around(connection), access))
    }

    fn to_read(&self) -> Access {
        self.inner.to_read()
    }

    async fn close_all(&self) {
        self.inner.close_all().await;
    }
}

impl<E> fmt::Debug for TenantPool<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantPool")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
