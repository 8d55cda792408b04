//! One connection of a router's databases, held for several statements.

use crate::codec::sealed::Sealed;
use crate::driver::{Access, Pooled};
use crate::error::Result;
use crate::wrap::router::WRITER;
use crate::wrap::router::pinned::Pinned;
use crate::wrap::router::routed::Routed;

impl<E> Sealed for Routed<E> {}

/// A connection of a reader until the scope has written, and then of the writer.
impl<E: Pooled> Pooled for Routed<E> {
    type Connection = Pinned<E::Connection>;

    async fn hold(&self, access: Access) -> Result<(Self::Connection, Access)> {
        let (index, rules) = self.pin()?;
        if access == Access::ReadLate {
            for (index, database) in self.router.readers(None) {
                if !database.may_try(self.router.leave_out) {
                    continue;
                }
                let held = database.executor.hold(access).await;
                let is_reached = !held.as_ref().is_err_and(|error| error.is_connection());
                database.note(is_reached, self.router.leave_out);
                if is_reached {
                    self.scope.serve(index);
                    // For the rules it stands for the writer.
                    return Ok((Pinned::new(held?.0, WRITER, rules), access));
                }
            }
        }
        if access == Access::Write {
            self.scope.write(index);
        }
        // For no more than it was asked for, so that the first write asks here again, and is noted.
        let (connection, _) = self.router.databases[index].executor.hold(access).await?;
        self.scope.serve(index);
        Ok((Pinned::new(connection, index, rules), access))
    }

    fn to_read(&self) -> Access {
        if self.may_read_late() {
            Access::ReadLate
        } else {
            Access::Read
        }
    }

    async fn close_all(&self) {
        for database in &self.router.databases {
            database.executor.close_all().await;
        }
    }
}
