//! Pushes at a client: handed to whoever has taken up their type.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use packetboat_framing::native::type_hash;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::message::Message;
use crate::push::{Epoch, Position};

/// Bytes of pushes of one type that wait for being read.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A push.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pushed<M> {
    /// The message.
    pub message: M,
    /// The room that it was sent to, if it was sent to one.
    pub room: Option<String>,
    /// Where it stands in the room's stream, if that keeps it. Whoever comes again joins with that
    /// of the last one.
    pub position: Option<Position>,
}

/// Something did not come, here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The server has not kept, or has dropped, messages of a room, of whatever type.
    #[error("messages of the room `{room}` are missing")]
    Gap {
        /// The room.
        room: String,
        /// Where its stream goes on.
        position: Position,
        /// How many, where that is known.
        missed: Option<u64>,
    },

    /// Pushes came faster than they were read here, and the oldest were dropped.
    #[error("{count} pushes came and were not read in time")]
    Unread {
        /// How many, gaps included.
        count: u64,
    },

    /// A push does not fit its type.
    #[error("a push does not fit its type")]
    Unreadable(#[source] serde_json::Error),
}

/// The pushes of one type, as [`NativeClient::pushes`](crate::NativeClient::pushes) gives them. It
/// ends with the connection, after all that has come.
pub struct Pushes<M> {
    inbox: Arc<Inbox>,
    slot: Arc<Slot>,
    message_type: u32,
    marker: PhantomData<fn() -> M>,
}

/// Who wants what.
#[derive(Default)]
pub(super) struct Inbox {
    // A std lock: held to find and change entries, never across an await.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slots: HashMap<u32, Vec<Arc<Slot>>>,
    is_over: bool,
}

/// What waits for one reader.
struct Slot {
    max: usize,
    // A std lock: held to add or take one, never across an await.
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    pushes: VecDeque<Arc<[u8]>>,
    bytes: usize,
    unread: u64,
    is_over: bool,
    waker: Option<Waker>,
}

/// What stands around a push's message.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    room: Option<Cow<'a, str>>,
    epoch: Option<Epoch>,
    seq: Option<u64>,
    gap: Option<Gap>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Gap {
    missed: Option<u64>,
}

impl Inbox {
    /// A push has come. A notice of a gap is for all: it is not known what is missing.
    pub(super) fn came(&self, message_type: u32, push: &[u8]) {
        let state = self.lock();
        let push: Arc<[u8]> = match message_type {
            0 if !state.slots.is_empty() => push.into(),
            known if state.slots.contains_key(&known) => push.into(),
            _ => return,
        };
        let all = state.slots.iter();
        let concerned = all.filter(|(wanted, _)| message_type == 0 || **wanted == message_type);
        for slot in concerned.flat_map(|(_, slots)| slots) {
            slot.put(&push);
        }
    }

    /// The connection is over.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_over = true;
        for slot in state.slots.drain().flat_map(|(_, slots)| slots) {
            slot.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Only single entries are changed, so a panic leaves nothing in half.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn put(&self, push: &Arc<[u8]>) {
        let mut waiting = self.lock();
        waiting.bytes += push.len();
        waiting.pushes.push_back(Arc::clone(push));
        while waiting.pushes.len() > self.max
            || (waiting.bytes > MAX_BYTES && waiting.pushes.len() > 1)
        {
            waiting.take();
            waiting.unread += 1;
        }
        waiting.wake();
    }

    fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_over = true;
        waiting.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Option<Arc<[u8]>> {
        let push = self.pushes.pop_front()?;
        self.bytes -= push.len();
        Some(push)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<M: Message> Pushes<M> {
    pub(super) fn new(inbox: &Arc<Inbox>, max: usize) -> Self {
        assert!(max > 0, "pushes need room to wait in");
        let slot = Arc::new(Slot {
            max,
            waiting: Mutex::default(),
        });
        let message_type = type_hash(M::TYPE);
        let mut state = inbox.lock();
        if state.is_over {
            slot.close();
        } else {
            let slots = state.slots.entry(message_type).or_default();
            slots.push(Arc::clone(&slot));
        }
        drop(state);
        Self {
            inbox: Arc::clone(inbox),
            slot,
            message_type,
            marker: PhantomData,
        }
    }
}

impl<M: DeserializeOwned> Pushes<M> {
    /// The next push; `None` when the connection is over and all that came has been read.
    ///
    /// # Errors
    ///
    /// [`Lost`]: something did not come, in this place. The next ones do.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Pushed<M>, Lost>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Pushed<M>, Lost>>> {
        let mut waiting = self.slot.lock();
        if waiting.unread > 0 {
            let count = std::mem::take(&mut waiting.unread);
            return Poll::Ready(Some(Err(Lost::Unread { count })));
        }
        let push = match waiting.take() {
            Some(push) => push,
            None if waiting.is_over => return Poll::Ready(None),
            None => {
                waiting.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        };
        drop(waiting);
        Poll::Ready(Some(read(&push)))
    }
}

fn read<M: DeserializeOwned>(push: &[u8]) -> Result<Pushed<M>, Lost> {
    let Envelope {
        room,
        epoch,
        seq,
        gap,
        data,
    } = serde_json::from_slice(push).map_err(Lost::Unreadable)?;
    let room = room.map(Cow::into_owned);
    let position = epoch.zip(seq).map(|(epoch, seq)| Position { epoch, seq });
    if let (Some(Gap { missed }), Some(room), Some(position)) = (gap, &room, &position) {
        let (room, position) = (room.clone(), position.clone());
        return Err(Lost::Gap {
            room,
            position,
            missed,
        });
    }
    let data = data.map_or("null", RawValue::get);
    Ok(Pushed {
        message: serde_json::from_str(data).map_err(Lost::Unreadable)?,
        room,
        position,
    })
}

impl<M: DeserializeOwned> Stream for Pushes<M> {
    type Item = Result<Pushed<M>, Lost>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl<M> Drop for Pushes<M> {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        if let Some(slots) = state.slots.get_mut(&self.message_type) {
            slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            if slots.is_empty() {
                state.slots.remove(&self.message_type);
            }
        }
    }
}

impl<M> fmt::Debug for Pushes<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushes")
            .field("waiting", &self.slot.lock().pushes.len())
            .finish_non_exhaustive()
    }
}
