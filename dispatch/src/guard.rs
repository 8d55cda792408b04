//! Who may come past here, and as whom.

use async_trait::async_trait;

use crate::rejection::Rejection;
use crate::request::Call;
use crate::session::Session;

/// Stands before every handler of a group and says who is calling.
///
/// It asks the database (or a cache of at most a second), so that a lock or a lost role counts
/// from the next request on. The message itself is out of its reach.
///
/// ```
/// use packetboat_dispatch::{Call, Guard, Rejection, async_trait};
///
/// # #[derive(Clone)] struct Accounts;
/// # impl Accounts { async fn is_admin(&self, _: &str) -> Result<bool, std::io::Error> { Ok(true) } }
/// #[derive(Clone)]
/// struct Admin(String);
///
/// struct AdminOnly;
///
/// #[async_trait]
/// impl Guard<Accounts> for AdminOnly {
///     type Identity = Admin;
///
///     async fn check(&self, call: &Call, accounts: &Accounts) -> Result<Admin, Rejection> {
///         let session = call.session().await?.ok_or_else(Rejection::not_logged_in)?;
///         match accounts.is_admin(&session.subject).await? {
///             true => Ok(Admin(session.subject)),
///             false => Err(Rejection::forbidden()),
///         }
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no guard for the state `{S}`",
    note = "a guard implements `Guard<{S}>`; for handlers that everybody may call there is `Anyone`"
)]
pub trait Guard<S: Sync>: Send + Sync + 'static {
    /// Who is calling; handlers of the group get it as `Identity<..>`.
    type Identity: Clone + Send + Sync + 'static;

    /// Lets a call pass, as somebody.
    ///
    /// # Errors
    ///
    /// The rejection that is then the reply. The handler does not run and nothing of the message
    /// is answered.
    async fn check(&self, call: &Call, state: &S) -> Result<Self::Identity, Rejection>;

    /// The name in the list of routes; the type's own by default.
    fn name(&self) -> &'static str {
        let name = std::any::type_name::<Self>();
        name.rsplit("::").next().unwrap_or(name)
    }

    /// Whether it lets everybody pass, those whom it does not know included. The list of routes and
    /// the schema say so. Default: no.
    fn is_open(&self) -> bool {
        false
    }
}

/// Everybody may call, and is nobody in particular.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anyone;

#[async_trait]
impl<S: Sync> Guard<S> for Anyone {
    type Identity = ();

    async fn check(&self, _: &Call, _: &S) -> Result<(), Rejection> {
        Ok(())
    }

    fn is_open(&self) -> bool {
        true
    }
}

/// Whoever shows a good session may call. Accounts that can be locked, or have roles, need a guard
/// of the application that looks them up.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoggedIn;

#[async_trait]
impl<S: Sync> Guard<S> for LoggedIn {
    type Identity = Session;

    async fn check(&self, call: &Call, _: &S) -> Result<Session, Rejection> {
        call.session().await?.ok_or_else(Rejection::not_logged_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_named_by_its_type_alone() {
        assert_eq!(Guard::<()>::name(&Anyone), "Anyone");
        assert_eq!(Guard::<()>::name(&LoggedIn), "LoggedIn");
    }
}
