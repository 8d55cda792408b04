//! Choosing a database by its name, through any stack of wrappers.

use crate::wrap::{Counted, Routed, Tenant, Traced};

/// An executor over several named databases: a [`Routed`], and what is wrapped around one.
///
/// ```
/// use packetboat_orm::{DbPool, Model, ModelExt, Result, Routed, Traced, Using};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// type Db = Traced<Routed<DbPool>>;
///
/// async fn archived(db: &Db) -> Result<Vec<User>> {
///     User::select().filter(user::name.eq("ann")).all(db.using("archive")).await
/// }
/// ```
pub trait Using: Sized {
    /// The same executor, in the same scope, for the database of this name alone, whatever rules say.
    ///
    /// Where there is none of this name, each statement is refused with
    /// [`Error::UnknownDatabase`](crate::Error::UnknownDatabase).
    #[must_use]
    fn using(&self, name: &str) -> Self;
}

impl<E> Using for Routed<E> {
    fn using(&self, name: &str) -> Self {
        self.by_name(name)
    }
}

/// A wrapper asks what it wraps.
macro_rules! using {
    ($($Wrapper:ident)+) => {$(
        impl<E: Using> Using for $Wrapper<E> {
            fn using(&self, name: &str) -> Self {
                self.around(self.inner().using(name))
            }
        }
    )+};
}

using!(Counted Tenant Traced);
