//! What a scope over several databases has done, through any stack of wrappers.

use crate::wrap::{Counted, Routed, Tenant, TenantPool, Traced};

/// An executor that works in the scope of a router: a [`Routed`], and what is wrapped around one.
///
/// A server keeps one executor for each tenant, and begins a scope of it for each request:
///
/// ```
/// use packetboat_orm::{DbPool, Model, ModelExt, Result, Routed, Scoped, TenantName, TenantPool, Tenants};
///
/// #[derive(Model)]
/// struct Entry { id: i64, text: String }
///
/// type Db = TenantPool<Routed<DbPool>>;
///
/// /// `wrote`: whether the client has just written, by what the server gave it to keep.
/// async fn request(tenants: &Tenants<Routed<DbPool>>, tenant: &TenantName, wrote: bool) -> Result<(u64, &'static str)> {
///     let db: Db = tenants.get(tenant).await?.new_scope();
///     if wrote {
///         db.read_what_is_written();
///     }
///     let entries = Entry::select().count(&db).await?;
///     Ok((entries, db.served_by().unwrap_or_default()))
/// }
/// ```
pub trait Scoped: Sized {
    /// A new scope over the same databases, as of one more request: it has written nothing yet.
    #[must_use]
    fn new_scope(&self) -> Self;

    /// Whether this scope has written to the writer, or begun a transaction there.
    fn has_written(&self) -> bool;

    /// Reads from the writer from now on, as after a write of its own. For a client that has written in an earlier
    /// scope: a reader may not have it yet.
    fn read_what_is_written(&self);

    /// The name of the database that was last asked, by a statement that succeeded or by a transaction or connection
    /// that was begun. `None` where nothing was.
    ///
    /// Of statements that run at once in one scope it is any of the last.
    fn served_by(&self) -> Option<&'static str>;
}

impl<E> Scoped for Routed<E> {
    fn new_scope(&self) -> Self {
        self.in_new_scope()
    }

    fn has_written(&self) -> bool {
        self.has_written()
    }

    fn read_what_is_written(&self) {
        self.note_written();
    }

    fn served_by(&self) -> Option<&'static str> {
        self.served()
    }
}

/// A wrapper asks what it wraps.
macro_rules! scoped {
    ($($Wrapper:ident)+) => {$(
        impl<E: Scoped> Scoped for $Wrapper<E> {
            fn new_scope(&self) -> Self {
                self.around(self.inner().new_scope())
            }

            fn has_written(&self) -> bool {
                self.inner().has_written()
            }

            fn read_what_is_written(&self) {
                self.inner().read_what_is_written();
            }

            fn served_by(&self) -> Option<&'static str> {
                self.inner().served_by()
            }
        }
    )+};
}

scoped!(Counted Tenant TenantPool Traced);
