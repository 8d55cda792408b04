//! Members who come back wherever a node is, senders, and a check of what all of them saw.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use packetboat_dispatch::NativeClient;
use packetboat_dispatch::client::{ClientBuilder, ClientError, Lost, Pushes};
use packetboat_dispatch::push::Position;
use packetboat_tests::node::{Enter, Said, Say};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a member may be without a node.
pub(crate) const BACK: Duration = Duration::from_secs(5);

/// What the crowd knows of the nodes, and what it has been told.
#[derive(Default)]
pub(crate) struct Crowd {
    nodes: Mutex<Vec<SocketAddr>>,
    acknowledged: Mutex<Vec<Acknowledged>>,
    counts: Mutex<Counts>,
    seen: Mutex<HashMap<(String, String), Position>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Calls that were refused, or not begun, and made again elsewhere.
    pub(crate) again: u64,
    /// Calls that may have been done or not.
    pub(crate) unknown: u64,
    /// The longest that a member was without a node.
    pub(crate) longest: Duration,
    /// The longest that an acknowledged call took.
    pub(crate) slowest: Duration,
}

struct Acknowledged {
    room: String,
    position: Position,
    said: Said,
}

/// What a member saw.
enum Seen {
    Said(Position, Said),
    Gap(Position),
}

/// What a member saw, from where on.
pub(crate) struct Account {
    who: String,
    room: String,
    from: Position,
    seen: Vec<Seen>,
}

pub(crate) struct Member {
    task: JoinHandle<Account>,
    stop: watch::Sender<bool>,
}

pub(crate) struct Sender {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

async fn connect(addr: SocketAddr) -> Result<NativeClient, ClientError> {
    let builder: ClientBuilder = ClientBuilder::default();
    builder.connect_native(addr).await
}

impl Crowd {
    pub(crate) fn new(nodes: &[SocketAddr]) -> Arc<Self> {
        let crowd = Self::default();
        crowd.nodes_are(nodes);
        Arc::new(crowd)
    }

    pub(crate) fn nodes_are(&self, nodes: &[SocketAddr]) {
        *self.nodes.lock().expect("no panic") = nodes.to_vec();
    }

    fn node(&self, turn: usize) -> SocketAddr {
        let nodes = self.nodes.lock().expect("no panic");
        nodes[turn % nodes.len()]
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.lock().expect("no panic")
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.lock().expect("no panic"));
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.lock().expect("no panic").len()
    }

    /// Somebody who says something every so often, at one node after the other.
    pub(crate) fn sender(self: &Arc<Self>, n: usize, rooms: usize) -> Sender {
        let (crowd, (stop, mut stopped)) = (Arc::clone(self), watch::channel(false));
        let task = tokio::spawn(async move {
            let (mut turn, mut client) = (n, None);
            let mut number = 0;
            while !*stopped.borrow_and_update() {
                number += 1;
                let said = Said {
                    who: format!("sender {n}"),
                    n: number,
                };
                let room = format!(
                    "room {}",
                    (n + usize::try_from(number).expect("few")) % rooms
                );
                crowd.say(&mut client, &mut turn, room, said).await;
                // This is load, and no waiting for anything.
                sleep(Duration::from_millis(5)).await;
            }
        });
        Sender { task, stop }
    }

    async fn say(
        &self,
        client: &mut Option<NativeClient>,
        turn: &mut usize,
        room: String,
        said: Said,
    ) {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < BACK + BACK, "nobody takes what is said");
            let connected = match client.take() {
                Some(connected) => connected,
                None => {
                    *turn += 1;
                    match connect(self.node(*turn)).await {
                        Ok(connected) => connected,
                        Err(_) => {
                            sleep(Duration::from_millis(10)).await;
                            continue;
                        }
                    }
                }
            };
            let say = Say {
                room: room.clone(),
                said: said.clone(),
            };
            let call = Instant::now();
            match connected.call(say).await {
                Ok(position) => {
                    self.count(|counts| counts.slowest = counts.slowest.max(call.elapsed()));
                    let mut acknowledged = self.acknowledged.lock().expect("no panic");
                    acknowledged.push(Acknowledged {
                        room,
                        position,
                        said,
                    });
                    drop(acknowledged);
                    *client = Some(connected);
                    return;
                }
                // Not done: again, elsewhere.
                Err(error) if error.is_not_begun() || error.code() == Some("shutting_down") => {
                    self.count(|counts| counts.again += 1);
                }
                // It may have been said, and so is not said again.
                Err(_) => {
                    self.count(|counts| counts.unknown += 1);
                    return;
                }
            }
        }
    }

    /// A member of a room, who comes back for as long as it is not told to stop.
    pub(crate) fn member(self: &Arc<Self>, n: usize, rooms: usize) -> Member {
        let (crowd, (stop, stopped)) = (Arc::clone(self), watch::channel(false));
        let (who, room) = (format!("member {n}"), format!("room {}", n % rooms));
        let task = tokio::spawn(crowd.attend(who, room, n, stopped));
        Member { task, stop }
    }

    async fn attend(
        self: Arc<Self>,
        who: String,
        room: String,
        mut turn: usize,
        mut stopped: watch::Receiver<bool>,
    ) -> Account {
        let mut account: Option<Account> = None;
        let mut away: Option<Instant> = None;
        loop {
            if let Some(away) = away {
                assert!(away.elapsed() < BACK, "{who} is not back within {BACK:?}");
            }
            let joined = timeout(BACK, self.join(&who, &room, turn, account.as_ref())).await;
            let Ok(Ok((client, mut pushes, position))) = joined else {
                turn += 1;
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            if let Some(away) = away.take() {
                self.count(|counts| counts.longest = counts.longest.max(away.elapsed()));
            }
            let account = account.get_or_insert_with(|| Account {
                who: who.clone(),
                room: room.clone(),
                from: position.clone(),
                seen: Vec::new(),
            });
            self.note(&who, &room, account.last().clone());
            loop {
                let pushed = tokio::select! {
                    pushed = pushes.next() => pushed,
                    _ = stopped.wait_for(|stop| *stop) => {
                        drop(client);
                        let Account { who, room, from, seen } = account;
                        let (who, room) = (who.clone(), room.clone());
                        let (from, seen) = (from.clone(), std::mem::take(seen));
                        return Account { who, room, from, seen };
                    }
                };
                match pushed {
                    None => break,
                    Some(Ok(pushed)) => {
                        let position = pushed.position.expect("it is kept");
                        account.seen.push(Seen::Said(position, pushed.message));
                    }
                    Some(Err(Lost::Gap {
                        room: of, position, ..
                    })) => {
                        if of == room {
                            account.seen.push(Seen::Gap(position));
                        }
                    }
                    Some(Err(error)) => panic!("{who}: {error}"),
                }
                self.note(&who, &room, account.last().clone());
            }
            away = Some(Instant::now());
            turn += 1;
        }
    }

    async fn join(
        &self,
        who: &str,
        room: &str,
        turn: usize,
        account: Option<&Account>,
    ) -> Result<(NativeClient, Pushes<Said>, Position), ClientError> {
        let client = connect(self.node(turn)).await?;
        let pushes = client.pushes(100_000);
        let enter = Enter {
            room: room.to_owned(),
            after: account.map(|account| account.last().clone()),
            name: Some(who.to_owned()),
        };
        let position = client.call(enter).await?;
        Ok((client, pushes, position))
    }

    fn note(&self, who: &str, room: &str, last: Position) {
        let mut seen = self.seen.lock().expect("no panic");
        seen.insert((who.to_owned(), room.to_owned()), last);
    }

    /// Nobody waits for this one.
    pub(crate) fn forget(&self, n: usize, rooms: usize) {
        let key = (format!("member {n}"), format!("room {}", n % rooms));
        self.seen.lock().expect("no panic").remove(&key);
    }

    /// Whether every member has seen what was acknowledged last in its room.
    pub(crate) fn have_all(&self) -> bool {
        let mut last = HashMap::<String, Position>::new();
        for acknowledged in &*self.acknowledged.lock().expect("no panic") {
            let known = last
                .entry(acknowledged.room.clone())
                .or_insert_with(|| acknowledged.position.clone());
            // They were acknowledged nearly in order, and an epoch never comes back.
            if known.epoch != acknowledged.position.epoch || known.seq < acknowledged.position.seq {
                *known = acknowledged.position.clone();
            }
        }
        let seen = self.seen.lock().expect("no panic");
        seen.iter().all(|((_, room), seen)| {
            last.get(room)
                .is_none_or(|last| last.epoch == seen.epoch && last.seq <= seen.seq)
        })
    }

    /// Checks that each member saw all that was acknowledged since it came, once and in order, but for what a notice
    /// told it was missing. Gives the most notices that one of them got.
    pub(crate) fn check(&self, accounts: &[Account]) -> usize {
        let acknowledged = self.acknowledged.lock().expect("no panic");
        accounts
            .iter()
            .map(|account| account.check(&acknowledged))
            .max()
            .unwrap_or_default()
    }
}

impl Account {
    fn last(&self) -> &Position {
        match self.seen.last() {
            Some(Seen::Said(position, _) | Seen::Gap(position)) => position,
            None => &self.from,
        }
    }

    fn check(&self, acknowledged: &[Acknowledged]) -> usize {
        let (mut now, mut gaps) = (self.from.clone(), 0);
        let mut at = HashMap::<Position, &Said>::new();
        let mut once = HashMap::<&Said, &Position>::new();
        let mut missing = Vec::new();
        for seen in &self.seen {
            match seen {
                Seen::Said(position, said) => {
                    assert!(
                        position.epoch == now.epoch && position.seq == now.seq + 1,
                        "{} in {}: {position:?} comes after {now:?}, without a notice",
                        self.who,
                        self.room
                    );
                    if let Some(before) = once.insert(said, position) {
                        panic!("{}: {said:?} at {before:?} and {position:?}", self.who);
                    }
                    at.insert(position.clone(), said);
                    now = position.clone();
                }
                Seen::Gap(position) => {
                    gaps += 1;
                    missing.push((now, position.clone()));
                    now = position.clone();
                }
            }
        }
        let own = acknowledged.iter().filter(|said| said.room == self.room);
        for Acknowledged { position, said, .. } in own {
            let is_before = position.epoch == self.from.epoch && position.seq <= self.from.seq;
            let is_told = missing
                .iter()
                .any(|(from, to)| match from.epoch == to.epoch {
                    true => {
                        position.epoch == from.epoch
                            && position.seq > from.seq
                            && position.seq <= to.seq
                    }
                    // All the rest of an epoch, and the beginning of the next.
                    false => {
                        (position.epoch == from.epoch && position.seq > from.seq)
                            || (position.epoch == to.epoch && position.seq <= to.seq)
                    }
                });
            match at.get(position) {
                Some(seen) => assert_eq!(*seen, said, "{} at {position:?}", self.who),
                None => assert!(
                    is_before || is_told,
                    "{} has not got {said:?} at {position:?}, which was acknowledged; it is at {now:?}",
                    self.who
                ),
            }
        }
        gaps
    }
}

impl Member {
    pub(crate) async fn stop(self) -> Account {
        self.stop.send_replace(true);
        self.task.await.expect("a member")
    }

    /// Is gone without a word.
    pub(crate) fn abort(self) {
        self.task.abort();
    }
}

impl Sender {
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.expect("a sender");
    }
}
