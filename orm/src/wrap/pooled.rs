//! Wrappers around a pool are pools: one of their connections can be held, and they can be closed.

use crate::codec::sealed::Sealed;
use crate::driver::{Access, Pooled};
use crate::error::Result;
use crate::wrap::{Counted, Traced};

impl<E> Sealed for Traced<E> {}

impl<E: Pooled> Pooled for Traced<E> {
    type Connection = Traced<E::Connection>;

    async fn hold(&self, access: Access) -> Result<(Self::Connection, Access)> {
        let (connection, access) = self.inner().hold(access).await?;
        Ok((self.around(connection), access))
    }

    async fn close_all(&self) {
        self.inner().close_all().await;
    }
}

impl<E> Sealed for Counted<E> {}

impl<E: Pooled> Pooled for Counted<E> {
    type Connection = Counted<E::Connection>;

    async fn hold(&self, access: Access) -> Result<(Self::Connection, Access)> {
        let (connection, access) = self.inner().hold(access).await?;
        Ok((self.around(connection), access))
    }

    async fn close_all(&self) {
        self.inner().close_all().await;
    }
}
