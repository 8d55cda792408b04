//! The table: type to handler, and the group it stands in.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use packetboat_framing::native::Types;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::envelope::Fields;
use crate::guard::Guard;
use crate::handler::Handler;
use crate::health::Life;
use crate::idempotency::InFlight;
use crate::message::Message;
use crate::metrics::Meter;
use crate::middleware::Middleware;
use crate::route::{Endpoint, Guarded, Route};
use crate::session::SessionManager;
use crate::shape::{Flagged, Shape};

/// Which handler takes which message, and who may call it.
///
/// A handler stands in a group, and a group has a guard: there is no way to register one that
/// everybody may call by oversight.
///
/// ```compile_fail
/// # use packetboat_dispatch::{Dispatcher, Message};
/// # #[derive(serde::Deserialize, Message)] #[message(type = "list", reply = ())] struct List {}
/// async fn list(_: List) {}
/// Dispatcher::new(()).on(list); // no method named `on`
/// ```
pub struct Dispatcher<S, W = Flagged> {
    state: Arc<S>,
    shape: W,
    sessions: Option<SessionManager>,
    layers: Vec<Arc<dyn Middleware>>,
    table: Table,
}

/// A group of handlers that share a guard.
pub struct Group<S, G, W = Flagged> {
    state: Arc<S>,
    shape: W,
    guard: Arc<G>,
    layers: Arc<[Arc<dyn Middleware>]>,
    table: Table,
    /// How many routes there were before this group's.
    before: usize,
}

/// All routes, by every name that they have.
#[derive(Default)]
pub(crate) struct Table {
    by_name: HashMap<&'static str, Arc<dyn Endpoint>, BuildHasherDefault<Fnv>>,
    /// The same by the number that a name has on the native wire.
    by_number: HashMap<u32, Arc<dyn Endpoint>, BuildHasherDefault<Fnv>>,
    /// Names by number, which two must not share.
    types: Types,
    /// In the order of registration.
    routes: Vec<Route>,
    /// The fields under which messages state the size of an attachment.
    pub(crate) size_keys: Vec<&'static str>,
    /// Of the application as a whole.
    pub(crate) life: Arc<Life>,
    /// The schema of all of them, once they are complete, where they include the one that asks for it.
    #[cfg(feature = "schema")]
    pub(crate) schema: Arc<std::sync::OnceLock<crate::schema::Schema>>,
    /// What is sent unasked, for the schema alone.
    #[cfg(feature = "schema")]
    pub(crate) pushes: std::collections::BTreeMap<String, crate::schema::PushSchema>,
}

impl<S: Send + Sync + 'static> Dispatcher<S> {
    /// No routes yet. Replies have the classic shape.
    ///
    /// The state is shared by all handlers, which get it, or parts of it, as
    /// [`State`](crate::State).
    #[must_use]
    pub fn new(state: S) -> Self {
        // An unknown type that states a size under the classic name is followed by a body, even
        // where no route of this dispatcher takes one.
        let table = Table {
            size_keys: vec!["file_size"],
            ..Table::default()
        };
        let (shape, state) = (Flagged::new(), Arc::new(state));
        Self {
            state,
            shape,
            sessions: None,
            layers: Vec::new(),
            table,
        }
    }
}

impl<S: Send + Sync + 'static, W: Shape> Dispatcher<S, W> {
    /// Writes replies in this shape.
    ///
    /// # Panics
    ///
    /// After [`allow`](Self::allow): the routes there have their shape already.
    #[must_use]
    pub fn shape<W2: Shape>(self, shape: W2) -> Dispatcher<S, W2> {
        self.assert_no_routes("the shape of replies is chosen");
        let Self {
            state,
            sessions,
            layers,
            table,
            ..
        } = self;
        Dispatcher {
            state,
            shape,
            sessions,
            layers,
            table,
        }
    }

    /// Keeps sessions, which guards then ask for and handlers make.
    #[must_use]
    pub fn sessions(mut self, sessions: SessionManager) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Puts middleware around every route; the first one is the outermost.
    ///
    /// # Panics
    ///
    /// After [`allow`](Self::allow): the routes there would silently go without.
    #[must_use]
    pub fn layer(mut self, middleware: impl Middleware) -> Self {
        self.assert_no_routes("middleware is added");
        self.layers.push(Arc::new(middleware));
        self
    }

    /// Lets whom the guard lets pass call the handlers that `routes` registers.
    ///
    /// # Panics
    ///
    /// When two handlers take the same type, with the type's name; when the names of two types
    /// have one number on the native wire.
    #[must_use]
    pub fn allow<G: Guard<S>>(
        self,
        guard: G,
        routes: impl FnOnce(Group<S, G, W>) -> Group<S, G, W>,
    ) -> Self {
        let Self {
            state,
            shape,
            sessions,
            layers,
            table,
        } = self;
        let group = Group {
            state: Arc::clone(&state),
            shape: shape.clone(),
            guard: Arc::new(guard),
            layers: layers.clone().into(),
            before: table.routes.len(),
            table,
        };
        let table = routes(group).table;
        Self {
            state,
            shape,
            sessions,
            layers,
            table,
        }
    }

    /// Every route, in the order of registration: for decision tables.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Route> {
        self.table.routes.iter()
    }

    #[cfg(feature = "schema")]
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    #[cfg(feature = "schema")]
    pub(crate) fn table_mut(&mut self) -> &mut Table {
        &mut self.table
    }

    pub(crate) fn life(&self) -> &Arc<Life> {
        &self.table.life
    }

    pub(crate) fn into_parts(self) -> (W, Option<SessionManager>, Table) {
        (self.shape, self.sessions, self.table)
    }

    fn assert_no_routes(&self, what: &str) {
        if let Some(route) = self.table.routes.first() {
            panic!("{what} before `{}` is registered", route.message_type);
        }
    }
}

impl<S: Send + Sync + 'static, G: Guard<S>, W: Shape> Group<S, G, W> {
    /// Puts middleware around the routes of this group, inside that of the dispatcher.
    ///
    /// # Panics
    ///
    /// After [`on`](Self::on): the routes there would silently go without.
    #[must_use]
    pub fn layer(mut self, middleware: impl Middleware) -> Self {
        if let Some(route) = self.table.routes.get(self.before) {
            panic!(
                "middleware is added before `{}` is registered",
                route.message_type
            );
        }
        let layer: Arc<dyn Middleware> = Arc::new(middleware);
        self.layers = self.layers.iter().cloned().chain([layer]).collect();
        self
    }

    /// Registers a handler under the type of the message that it takes, and its aliases.
    ///
    /// # Panics
    ///
    /// When another handler takes the same type or alias, or one whose name has the same number on
    /// the native wire; when the handler takes an
    /// [`Upload`](crate::Upload) and its message states no attachment.
    #[must_use]
    pub fn on<M, A, H>(mut self, handler: H) -> Self
    where
        H: Handler<M, A, S, G::Identity>,
        M: Message<Reply: Serialize> + DeserializeOwned,
        A: 'static,
    {
        let route = Route {
            message_type: M::TYPE,
            aliases: M::ALIASES,
            guard: self.guard.name(),
            open: self.guard.is_open(),
            attachment: M::ATTACHMENT,
            reply_attachment: M::REPLY_ATTACHMENT,
        };
        assert!(
            M::ATTACHMENT.is_some() || !H::TAKES_ATTACHMENT,
            "the handler of `{}` takes an upload, and the message states no attachment",
            M::TYPE
        );
        let endpoint: Arc<dyn Endpoint> = Arc::new(Guarded {
            route,
            fields: Fields::of::<M>(),
            meter: Meter::of(M::TYPE),
            guard: Arc::clone(&self.guard),
            handler,
            state: Arc::clone(&self.state),
            shape: self.shape.clone(),
            layers: Arc::clone(&self.layers),
            in_flight: InFlight::default(),
            marker: PhantomData::<fn(M, A)>,
        });
        self.table.insert(&endpoint);
        self
    }
}

impl Table {
    fn insert(&mut self, endpoint: &Arc<dyn Endpoint>) {
        let route = endpoint.route().clone();
        for name in [route.message_type].iter().chain(route.aliases) {
            let old = self.by_name.insert(name, Arc::clone(endpoint));
            assert!(old.is_none(), "two handlers take messages of type `{name}`");
            match self.types.register(name) {
                Ok(number) => drop(self.by_number.insert(number, Arc::clone(endpoint))),
                Err(error) => panic!("{error}"),
            }
        }
        if let Some(key) = route.attachment
            && !self.size_keys.contains(&key)
        {
            self.size_keys.push(key);
        }
        self.routes.push(route);
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<dyn Endpoint>> {
        self.by_name.get(name)
    }

    #[cfg(feature = "schema")]
    pub(crate) fn to_schema(&self) -> crate::schema::Schema {
        let endpoints = self
            .routes
            .iter()
            .filter_map(|route| self.find(route.message_type));
        let schemas = endpoints.map(|endpoint| (endpoint.route(), endpoint.schema()));
        crate::schema::Schema::of(schemas, self.pushes.clone())
    }

    pub(crate) fn find_number(&self, number: u32) -> Option<&Arc<dyn Endpoint>> {
        self.by_number.get(&number)
    }
}

impl<S, W> fmt::Debug for Dispatcher<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("routes", &self.table.routes)
            .finish_non_exhaustive()
    }
}

impl<S, G, W> fmt::Debug for Group<S, G, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("routes", &self.table.routes)
            .finish_non_exhaustive()
    }
}

/// FNV-1a: short names hash in a few nanoseconds. The keys in the table are the program's own, so
/// no peer can make them collide.
#[derive(Clone, Copy)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
