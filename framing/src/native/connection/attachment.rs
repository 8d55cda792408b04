//! Attachments, both ways: what may come, what may go.

use crate::{
    budget::Lease,
    error::Error,
    native::{
        Attached, Code, Digest, Extensions, FrameHeader,
        credit::MIN_WINDOW,
        exchange::Exchange,
        flow::{InState, Inflow, Outflow},
        kind::{Flags, Kind},
        wire,
    },
};

use super::{Connection, Role};

/// Receiving.
impl Connection {
    /// Asks for the attachment of a request, or of a reply: credit is given for it from now on.
    /// With `from` it begins at that offset of the whole, since what stands before is here.
    ///
    /// If the budget has no room the attachment waits: see [`wants_lease`](Self::wants_lease).
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if none was offered, or it has been asked for already;
    /// [`Error::NotResumable`] if it cannot begin there.
    pub fn receive(&mut self, request: u32, from: Option<u64>) -> Result<(), Error> {
        let gone = Error::NotInFlight { request };
        let exchange = self.exchanges.get_mut(&request).ok_or(gone)?;
        let offered = exchange
            .inflow
            .as_mut()
            .filter(|flow| flow.state == InState::Offered);
        let inflow = offered.ok_or(Error::NotInFlight { request })?;
        if let Some(offset) = from
            && offset != inflow.attached.offset
        {
            if !inflow.begin(offset) {
                return Err(Error::NotResumable { offset });
            }
            inflow.begin_at = Some(offset);
        }
        inflow.state = InState::Open;
        self.open_window(request);
        Ok(())
    }

    /// Gives credit, at a client, for the attachment that the reply to this request may bring, so
    /// that it comes right behind the reply. With `from` it is to begin at that offset of the
    /// whole; whether it does, the reply's [`Attached`] tells.
    ///
    /// Does nothing while the budget has no room.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] once the request has been answered or cancelled, or if this was
    /// called before.
    ///
    /// # Panics
    ///
    /// At a server.
    pub fn expect(&mut self, request: u32, from: Option<u64>) -> Result<(), Error> {
        assert_eq!(self.role, Role::Client, "a server expects no replies");
        let waits = |ex: &&mut Exchange| !ex.answered && !ex.cancelled && ex.inflow.is_none();
        let exchange = self.exchanges.get_mut(&request).filter(waits);
        let exchange = exchange.ok_or(Error::NotInFlight { request })?;
        let unknown = Attached::default();
        let mut inflow = Box::new(Inflow::new(InState::Expected, unknown, self.max_window));
        if !self.waiting.is_empty() || !inflow.window.open(&self.budget, u64::MAX) {
            return Ok(());
        }
        if let Some(bytes) = inflow.window.grant(&self.budget, u64::MAX) {
            let fields = Extensions {
                offset: from,
                ..Extensions::default()
            };
            let header = FrameHeader::control(Kind::Credit, request, bytes);
            self.encoder.control(header, &fields);
        }
        inflow.begin_at = from;
        exchange.inflow = Some(inflow);
        Ok(())
    }

    /// So many bytes of an attachment have been dealt with; more may come in their place. Bytes
    /// of one that has been cancelled need not be counted.
    ///
    /// # Panics
    ///
    /// If more are consumed than came.
    pub fn consumed(&mut self, request: u32, bytes: usize) {
        let Some(exchange) = self.exchanges.get_mut(&request) else {
            return;
        };
        let Some(inflow) = &mut exchange.inflow else {
            return;
        };
        if inflow.state == InState::Discarded || !inflow.window.has_lease() {
            return;
        }
        inflow.window.consume(bytes as u64);
        if inflow.state == InState::Open {
            self.grant(request);
        } else {
            self.settle(request);
        }
    }

    /// Drops what is remembered of an attachment that has ended and will not be consumed.
    pub fn forget(&mut self, request: u32) {
        if self.exchanges.get(&request).is_some_and(|ex| ex.closed) {
            self.exchanges.remove(&request);
        }
    }

    /// The bytes that the longest-waiting attachment needs out of the budget, if one waits. Lease
    /// them with [`Budget::lease`](crate::Budget::lease) and hand them to
    /// [`supply`](Self::supply).
    pub fn wants_lease(&mut self) -> Option<usize> {
        while let Some(request) = self.waiting.front() {
            let flow = self
                .exchanges
                .get(request)
                .and_then(|ex| ex.inflow.as_ref());
            match flow {
                Some(flow) if flow.state == InState::Open => {
                    let left = usize::try_from(flow.left()).unwrap_or(usize::MAX);
                    return Some(left.clamp(1, MIN_WINDOW));
                }
                _ => self.waiting.pop_front(),
            };
        }
        None
    }

    /// Gives room to the attachment that has waited longest. Without one the lease is dropped.
    pub fn supply(&mut self, lease: Lease) {
        if self.wants_lease().is_none() {
            return;
        }
        let Some(request) = self.waiting.pop_front() else {
            return;
        };
        let flow = self.exchanges.get_mut(&request);
        if let Some(inflow) = flow.and_then(|ex| ex.inflow.as_mut()) {
            inflow.window.supply(lease);
            self.grant(request);
        }
    }

    /// The request and the bytes to come of it, where the stream stands in the payload of a data
    /// frame and nothing of it is buffered: they may be read from the socket straight into where
    /// they belong, and are then told by [`passed_by`](Self::passed_by).
    pub fn direct(&self) -> Option<(u32, usize)> {
        let (request, left) = self.decoder.direct()?;
        let flow = self.exchanges.get(&request)?.inflow.as_ref()?;
        (flow.state == InState::Open).then_some((request, left))
    }

    /// Counts bytes that the owner read past this connection.
    ///
    /// # Panics
    ///
    /// If [`direct`](Self::direct) does not offer so many.
    pub fn passed_by(&mut self, bytes: usize) {
        assert!(
            self.direct().is_some_and(|(_, left)| bytes <= left),
            "buffered bytes come before those on the socket"
        );
        self.decoder.passed_by(bytes);
    }

    /// Whether the sender of an attachment has credit for it, or is in a frame of it: then it is
    /// the one that is waited for.
    pub(in crate::native) fn is_owed(&self, request: u32) -> bool {
        let flow = self
            .exchanges
            .get(&request)
            .and_then(|ex| ex.inflow.as_ref());
        flow.is_some_and(|flow| {
            let open = matches!(flow.state, InState::Expected | InState::Open);
            let in_frame = self.decoder.data_of() == Some(request);
            open && (flow.window.unused() > 0 || in_frame)
        })
    }

    /// Bytes of the budget that the attachments on this connection hold.
    pub fn leased(&self) -> usize {
        let flows = self.exchanges.values().filter_map(|ex| ex.inflow.as_ref());
        flows.map(|flow| flow.window.leased()).sum()
    }

    /// Takes the first room for an attachment, or has it wait.
    fn open_window(&mut self, request: u32) {
        let flow = self.exchanges.get_mut(&request);
        let Some(inflow) = flow.and_then(|ex| ex.inflow.as_mut()) else {
            return;
        };
        let left = inflow.left();
        if left == 0 {
            // All of it is here already. The sender learns so by one byte that it cannot use.
            if inflow.begin_at.is_some() {
                self.send_credit(request, 1);
            }
        } else if self.waiting.is_empty() && inflow.window.open(&self.budget, left) {
            self.grant(request);
        } else {
            self.waiting.push_back(request);
        }
    }

    /// Sends credit, if it is worth a frame.
    fn grant(&mut self, request: u32) {
        let flow = self.exchanges.get_mut(&request);
        let Some(inflow) = flow.and_then(|ex| ex.inflow.as_mut()) else {
            return;
        };
        let left = inflow.left();
        if let Some(bytes) = inflow.window.grant(&self.budget, left) {
            self.send_credit(request, bytes);
        }
    }

    fn send_credit(&mut self, request: u32, bytes: u32) {
        let flow = self.exchanges.get_mut(&request);
        let offset = flow
            .and_then(|ex| ex.inflow.as_mut())
            .and_then(|flow| flow.begin_at.take());
        let fields = Extensions {
            offset,
            ..Extensions::default()
        };
        let header = FrameHeader::control(Kind::Credit, request, bytes);
        self.encoder.control(header, &fields);
    }
}

/// Sending.
impl Connection {
    /// The next attachment that may send, and how many bytes; each has its turn.
    pub fn next_sender(&mut self) -> Option<(u32, u64)> {
        for _ in 0..self.senders.len() {
            let request = self.senders.pop_front()?;
            let Ok(outflow) = self.outflow(request) else {
                continue;
            };
            let sendable = outflow.sendable();
            self.senders.push_back(request);
            if sendable > 0 {
                return Some((request, sendable));
            }
        }
        None
    }

    /// How many bytes of an attachment may be sent now: not more than the credit for it.
    pub fn sendable(&self, request: u32) -> u64 {
        let flow = self
            .exchanges
            .get(&request)
            .and_then(|ex| ex.outflow.as_ref());
        flow.map_or(0, |flow| flow.sendable())
    }

    /// The position in the whole of the next byte to send, once the attachment was announced.
    pub fn position(&self, request: u32) -> Option<u64> {
        let flow = self.exchanges.get(&request)?.outflow.as_ref()?;
        flow.attached.map(|_| flow.at)
    }

    /// Bytes of an attachment that are still to be sent, if its size was announced.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if it has ended or was cancelled.
    pub fn unsent(&mut self, request: u32) -> Result<Option<u64>, Error> {
        self.outflow(request).map(|outflow| outflow.left())
    }

    /// The size that was announced of an attachment, if one was, and how many bytes of it its
    /// receiver has already.
    pub(in crate::native) fn announced(
        &mut self,
        request: u32,
    ) -> Result<(Option<u64>, u64), Error> {
        let outflow = self.outflow(request)?;
        let attached = outflow.attached.unwrap_or_default();
        Ok((attached.size, outflow.at - attached.offset))
    }

    /// Sends bytes of an attachment in one frame, with the chaining value of the group that they
    /// complete, if it is to be told.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if the attachment has ended or was cancelled.
    ///
    /// # Panics
    ///
    /// If there are none, more than [`sendable`](Self::sendable), or more than
    /// [`wire::MAX_DATA`].
    pub fn data(&mut self, request: u32, bytes: &[u8], group: Option<Digest>) -> Result<(), Error> {
        self.begin_data(request, bytes.len())?;
        let fields = Extensions {
            group,
            ..Extensions::default()
        };
        self.encoder.data(request, bytes, &fields);
        Ok(())
    }

    /// Begins a frame whose bytes the owner sends itself, once all that is pending has left, and
    /// gives the position in the whole from which. Frames that are added meanwhile wait behind it.
    ///
    /// Of a frame that has begun all bytes must be sent. If they cannot be, close the connection.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if the attachment has ended or was cancelled.
    ///
    /// # Panics
    ///
    /// As [`data`](Self::data), and if another slice is open.
    pub fn slice(&mut self, request: u32, len: usize, group: Option<Digest>) -> Result<u64, Error> {
        assert_eq!(self.encoder.slice_left(), 0, "one slice at a time");
        let at = self.begin_data(request, len)?;
        let fields = Extensions {
            group,
            ..Extensions::default()
        };
        self.encoder.slice(request, len, &fields);
        Ok(at)
    }

    /// Bytes of the open slice that are still to be sent, once nothing is pending.
    pub fn slice_left(&self) -> usize {
        self.encoder.slice_left()
    }

    /// The owner has sent so many bytes of the slice.
    ///
    /// # Panics
    ///
    /// If something is pending before them, or the slice has not so many left.
    pub fn slice_sent(&mut self, bytes: usize) {
        self.encoder.slice_sent(bytes);
    }

    /// Ends an attachment that has been sent to its end, with the digest of the whole if it is
    /// known.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if it has ended or was cancelled, [`Error::SourceTooShort`] if
    /// bytes are missing: send them, or [`abort`](Self::abort).
    pub fn end(&mut self, request: u32, digest: Option<Digest>) -> Result<(), Error> {
        let outflow = self.outflow(request)?;
        if let (Some(left @ 1..), Some(attached)) = (outflow.left(), outflow.attached) {
            let len = attached.size.unwrap_or(0);
            let sent = len - left.min(len);
            return Err(Error::SourceTooShort { len, sent });
        }
        let fields = Extensions {
            digest,
            ..Extensions::default()
        };
        let header = FrameHeader::control(Kind::End, request, 0);
        self.encoder.control(header, &fields);
        self.drop_outflow(request);
        Ok(())
    }

    /// Breaks off an attachment that is being sent. Its receiver is told that it is not whole.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if it has ended or was cancelled.
    ///
    /// # Panics
    ///
    /// If the code is one that ends connections.
    pub fn abort(&mut self, request: u32, code: Code) -> Result<(), Error> {
        assert!(!code.is_connection(), "{code} ends the connection");
        self.outflow(request)?;
        self.control(FrameHeader {
            flags: Flags::ABORTED,
            ..FrameHeader::control(Kind::End, request, code.0)
        });
        self.drop_outflow(request);
        Ok(())
    }

    fn begin_data(&mut self, request: u32, len: usize) -> Result<u64, Error> {
        let outflow = self.outflow(request)?;
        assert!(
            len as u64 <= outflow.sendable() && len <= wire::MAX_DATA as usize,
            "more data than may be sent"
        );
        let at = outflow.at;
        outflow.send(len as u64);
        Ok(at)
    }

    /// The attachment that is being sent for this request.
    fn outflow(&mut self, request: u32) -> Result<&mut Outflow, Error> {
        let failed = self.failed.is_some();
        let flow = self.exchanges.get_mut(&request);
        flow.and_then(|ex| ex.outflow.as_deref_mut())
            .filter(|flow| flow.attached.is_some() && !failed)
            .ok_or(Error::NotInFlight { request })
    }

    fn drop_outflow(&mut self, request: u32) {
        if let Some(exchange) = self.exchanges.get_mut(&request) {
            exchange.outflow = None;
        }
        self.settle(request);
    }
}
