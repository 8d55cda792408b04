//! The members of a room, and what each has read.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::Notify,
    task::{JoinHandle, LocalSet},
    time::timeout,
};

use super::{Way, connect, enter, say};
use crate::{error::BoxError, statistics::quantile};

/// Longer than any server may take for one message.
const ENOUGH: Duration = Duration::from_secs(60);

/// Members who read, and one who speaks.
pub(super) struct Room {
    way: Way,
    speaker: TcpStream,
    last: u32,
    number: u64,
    shared: Rc<Shared>,
    members: Vec<JoinHandle<()>>,
    local: LocalSet,
}

/// What the members read for, and what they have found.
#[derive(Default)]
struct Shared {
    awaited: RefCell<Awaited>,
    all: Notify,
}

#[derive(Default)]
struct Awaited {
    text: Vec<u8>,
    since: Option<Instant>,
    left: usize,
    times: Vec<Duration>,
}

/// When each member had each message.
#[derive(Default)]
pub(super) struct Said {
    first: Vec<f64>,
    all: Vec<f64>,
}

impl Room {
    /// Lets so many come in.
    pub(super) async fn open(
        way: Way,
        address: SocketAddr,
        members: usize,
    ) -> Result<Self, BoxError> {
        let (shared, local) = (Rc::<Shared>::default(), LocalSet::new());
        let mut tasks = Vec::with_capacity(members);
        for number in 0..members {
            let mut stream = connect(address, number).await?;
            enter(way, &mut stream, &mut 0).await?;
            tasks.push(local.spawn_local(read(stream, Rc::clone(&shared))));
        }
        let (mut speaker, mut last) = (connect(address, members).await?, 0);
        enter(way, &mut speaker, &mut last).await?;
        // Nobody reads it: what comes there fits into its buffers, or is thrown away below.
        Ok(Self {
            way,
            speaker,
            last,
            number: 0,
            shared,
            members: tasks,
            local,
        })
    }

    /// Says something, and waits until all have it. Gives when each had.
    pub(super) async fn say(&mut self) -> Result<Vec<Duration>, BoxError> {
        self.number += 1;
        let text = format!("message {:08} to all that are here", self.number);
        let bytes = say(self.way, &text, &mut self.last);
        {
            let mut awaited = self.shared.awaited.borrow_mut();
            awaited.text = text.into_bytes();
            awaited.left = self.members.len();
            awaited.times.clear();
            awaited.since = Some(Instant::now());
        }
        let (speaker, shared) = (&mut self.speaker, &self.shared);
        let said = self.local.run_until(async {
            speaker.write_all(&bytes).await?;
            timeout(ENOUGH, shared.all.notified()).await?;
            let mut space = [0; 4096];
            // The speaker is a member, too, and has an answer to each message.
            while let Ok(1..) = speaker.try_read(&mut space) {}
            Ok::<_, BoxError>(())
        });
        said.await?;
        Ok(std::mem::take(&mut self.shared.awaited.borrow_mut().times))
    }
}

/// A member: it has a message when its text has come.
async fn read(stream: TcpStream, shared: Rc<Shared>) {
    let mut space = [0; 1024];
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let read = match stream.try_read(&mut space) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        let mut awaited = shared.awaited.borrow_mut();
        let len = awaited.text.len();
        // A ping, or what is left of a handshake, has another text.
        let has_come = len > 0 && space[..read].windows(len).any(|some| some == awaited.text);
        let Some(since) = awaited.since.filter(|_| has_come) else {
            continue;
        };
        awaited.times.push(since.elapsed());
        awaited.left -= 1;
        if awaited.left == 0 {
            shared.all.notify_one();
        }
    }
}

impl Said {
    pub(super) fn add(&mut self, times: &[Duration]) {
        let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        self.first.extend(times.first());
        self.all.append(&mut times);
    }

    /// The median of the first members, and the median and the 99th percentile of all.
    pub(super) fn milliseconds(mut self) -> (f64, f64, f64) {
        self.first.sort_by(f64::total_cmp);
        self.all.sort_by(f64::total_cmp);
        (
            quantile(&self.first, 0.5),
            quantile(&self.all, 0.5),
            quantile(&self.all, 0.99),
        )
    }
}
