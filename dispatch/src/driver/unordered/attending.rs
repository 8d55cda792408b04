//! What happens to a request between its message and its last frame.

use packetboat_framing::native::{Code, Digest};
use packetboat_framing::{Error, Source};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot::error::TryRecvError;

use crate::driver::handling::{Running, State, panicked};
use crate::driver::starting::{end, prepare};
use crate::driver::unordered::Unordered;
use crate::driver::unordered::reply::queue;
use crate::driver::unordered::request::{Incoming, Request, Sending};
use crate::file::{File, Terms};
use crate::middleware::Response;
use crate::wire::Wire;

impl<R, W> Unordered<'_, R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    /// A request has been begun: it is answered, or remembered.
    pub(super) fn begun(
        &mut self,
        request: u32,
        running: Running,
        attached: bool,
    ) -> Result<(), Error> {
        let waiting = match running.state {
            State::Answered(response) => return self.answer(request, response),
            State::Waiting(waiting) => waiting,
        };
        let ringer = self.bell.ringer(request);
        let handler = waiting.spawn(self.shared, &self.held, Some(ringer));
        let upload = running.upload.filter(|_| attached);
        let entry = Request {
            handler: Some(handler),
            upload: upload.map(|(_, feed)| Incoming::new(feed)),
            file: None,
        };
        self.requests.insert(request, entry);
        // It may have asked for its upload already.
        self.look(request)
    }

    /// Looks at what has rung: the upload, the handler, the file.
    pub(super) fn look(&mut self, request: u32) -> Result<(), Error> {
        self.look_at_upload(request);
        let Some(entry) = self.requests.get_mut(&request) else {
            return Ok(());
        };
        if let Some(handler) = &mut entry.handler {
            let response = match handler.receiver.try_recv() {
                Ok(response) => response,
                Err(TryRecvError::Empty) => return Ok(()),
                // The task ends without an answer only when the runtime takes it down.
                Err(TryRecvError::Closed) => panicked(&self.shared.app, Wire::Native),
            };
            entry.handler = None;
            self.answer(request, response)?;
        }
        self.look_at_file(request);
        Ok(())
    }

    fn look_at_upload(&mut self, request: u32) {
        let entry = self.requests.get_mut(&request);
        let Some(upload) = entry.and_then(|entry| entry.upload.as_mut()) else {
            return;
        };
        let looked = upload.feed.look();
        if looked.returned > 0 {
            upload.unread -= looked.returned;
            self.transport.consumed(request, looked.returned);
        }
        if looked.dropped {
            self.upload_over(request, None);
        } else if looked.wanted && !upload.asked {
            upload.asked = true;
            if let Err(error) = self.transport.receive(request, looked.from) {
                upload.feed.end(Some(error));
            }
        }
    }

    /// All of an upload has come, or its sender has broken it off.
    pub(super) fn upload_ended(&mut self, request: u32, outcome: Result<Option<Digest>, Code>) {
        let entry = self.requests.get_mut(&request);
        let Some(upload) = entry.and_then(|entry| entry.upload.as_mut()) else {
            return;
        };
        upload.ended = true;
        let error = outcome.err().map(|code| Error::Aborted { code, request });
        upload.feed.end(error);
    }

    /// Nobody reads an upload any more, or nobody sends it.
    pub(super) fn upload_over(&mut self, request: u32, error: Option<Error>) {
        let entry = self.requests.get_mut(&request);
        let Some(upload) = entry.and_then(|entry| entry.upload.take()) else {
            return;
        };
        if upload.unread > 0 {
            self.transport.consumed(request, upload.unread);
        }
        if !upload.ended {
            // It may have been cancelled before.
            let _ = self.transport.cancel(request, Code::NOT_WANTED);
        }
        if let Some(error) = error {
            upload.feed.fail(error);
        }
        self.tidy(request);
    }

    /// Queues an answer, and begins the file that follows it.
    fn answer(&mut self, request: u32, response: Response) -> Result<(), Error> {
        let logged_in = self.caller.peer.is_logged_in();
        let connection = self.transport.connection();
        connection.set_logged_in(logged_in);
        let file = queue(connection, &self.shared.app, request, response)?;
        // What was not read of an upload has been cancelled behind the answer.
        self.upload_over(request, None);
        match file {
            Some(file) => self.begin_file(request, *file),
            None => self.tidy(request),
        }
        Ok(())
    }

    /// Begins a file, or what has to happen before its first byte.
    fn begin_file(&mut self, request: u32, file: File) {
        let (source, mut terms) = file.into_parts();
        if terms.not_before.is_none() && terms.on_start.is_none() {
            self.send_file(request, source, terms);
            return;
        }
        let ringer = self.bell.ringer(request);
        let prepared = prepare(self.shared, &self.held, &mut terms, ringer);
        self.requests.entry(request).or_default().file = Some(Sending::Preparing {
            source,
            terms,
            prepared,
        });
    }

    fn look_at_file(&mut self, request: u32) {
        let Some(entry) = self.requests.get_mut(&request) else {
            return;
        };
        let Some(Sending::Preparing { prepared, .. }) = &mut entry.file else {
            return;
        };
        let may_go = match prepared.try_recv() {
            Err(TryRecvError::Empty) => return,
            answer => answer == Ok(true),
        };
        match entry.file.take() {
            Some(Sending::Preparing { source, terms, .. }) if may_go => {
                self.send_file(request, source, terms);
            }
            file => {
                entry.file = file;
                self.transport.break_off(request, Code::INTERNAL);
                self.file_over(request);
            }
        }
    }

    fn send_file(&mut self, request: u32, source: Source, mut terms: Terms) {
        let is_empty = source.is_empty();
        let sent = self.transport.send(request, source, terms.digest);
        match &sent {
            Ok(()) => terms.started(),
            Err(error) => {
                // Its client has cancelled it, or it is not as long as it was.
                tracing::debug!(%error, "a file was not begun");
                self.transport.break_off(request, Code::SOURCE_FAILED);
            }
        }
        self.requests.entry(request).or_default().file = Some(Sending::Underway(terms));
        if is_empty || sent.is_err() {
            self.file_over(request);
        }
    }

    /// Some of a file has gone.
    pub(super) fn file_sent(&mut self, request: u32, left: u64) {
        let entry = self.requests.get_mut(&request);
        if let Some(Sending::Underway(terms)) = entry.and_then(|entry| entry.file.as_mut()) {
            terms.left(left);
        }
        if left == 0 {
            self.file_over(request);
        }
    }

    /// A file has gone, or will not go.
    pub(super) fn file_over(&mut self, request: u32) {
        let entry = self.requests.get_mut(&request);
        if let Some(file) = entry.and_then(|entry| entry.file.take()) {
            end(self.shared, &self.held, file.into_terms());
        }
        self.tidy(request);
    }

    /// Forgets a request of which nothing is left.
    fn tidy(&mut self, request: u32) {
        if self.requests.get(&request).is_some_and(Request::is_over) {
            self.requests.remove(&request);
        }
    }
}
