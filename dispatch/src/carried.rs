//! What a connection knows of the request that opened it.

#[cfg(feature = "web")]
use std::sync::Arc;

#[cfg(feature = "web")]
use crate::extensions::Extensions;

/// Values of the request by which a WebSocket was opened. Every other connection has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried {
    #[cfg(feature = "web")]
    values: Option<Arc<Extensions>>,
}

#[cfg(feature = "web")]
impl Carried {
    pub(crate) fn new(values: Option<Extensions>) -> Self {
        let values = values.map(Arc::new);
        Self { values }
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values.as_ref()?.get()
    }
}
