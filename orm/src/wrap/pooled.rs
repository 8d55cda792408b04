//! Wrappers around a pool are pools: one of their connections can be held, and they can be closed.

use crate::codec::sealed::Sealed;
use crate::driver::{Access, Pooled};
use crate::error::Result;
use crate::wrap::{Counted, Tenant, Traced};

/// A wrapper wraps the connection as it wraps the pool.
macro_rules! pooled {
    ($($Wrapper:ident)+) => {$(
        impl<E> Sealed for $Wrapper<E> {}

        impl<E: Pooled> Pooled for $Wrapper<E> {
            type Connection = $Wrapper<E::Connection>;

            async fn hold(&self, access: Access) -> Result<(Self::Connection, Access)> {
                let (connection, access) = self.inner().hold(access).await?;
                Ok((self.around(connection), access))
            }

            fn to_read(&self) -> Access {
                self.inner().to_read()
            }

            async fn close_all(&self) {
                self.inner().close_all().await;
            }
        }
    )+};
}

pooled!(Counted Tenant Traced);
