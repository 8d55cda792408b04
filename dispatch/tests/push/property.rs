//! Whatever happens in whatever order, each member gets each message once and in order, or is told
//! of the gap in its place.

use packetboat_dispatch::client::{Lost, Pushes};
use packetboat_dispatch::push::{Position, SlowReader};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::world::{Connected, ROOM, Said, World, long, next, said};

const MEMBERS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Say(u8, SlowReader),
    Stop(usize),
    ReadOn(usize),
    Cut(usize),
    ComeAgain(usize),
    Look(usize),
    Yield,
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let slow = prop_oneof![
        4 => Just(SlowReader::Wait),
        2 => Just(SlowReader::DropOldest),
        1 => Just(SlowReader::Disconnect),
        2 => (0_u8..3).prop_map(|key| SlowReader::KeepLatest(key.to_string())),
    ];
    prop_oneof![
        8 => (1_u8..12, slow).prop_map(|(count, slow)| Step::Say(count, slow)),
        2 => (0..MEMBERS).prop_map(Step::Stop),
        2 => (0..MEMBERS).prop_map(Step::ReadOn),
        2 => (0..MEMBERS).prop_map(Step::Cut),
        3 => (0..MEMBERS).prop_map(Step::ComeAgain),
        3 => (0..MEMBERS).prop_map(Step::Look),
        3 => Just(Step::Yield),
        1 => Just(Step::Forget),
    ]
}

/// Somebody who comes again with what it has last read.
struct Member {
    connected: Option<(Connected, Pushes<Said>)>,
    /// Where it has read to.
    at: Position,
    /// The messages that it has read, by the stream's position.
    read: Vec<(Position, u64)>,
}

impl Member {
    /// Reads what has come.
    async fn look(&mut self) {
        let at_once = std::time::Duration::ZERO;
        while let Some((_, pushes)) = &mut self.connected
            && let Ok(Some(pushed)) = tokio::time::timeout(at_once, pushes.next()).await
        {
            self.take(pushed.map(|p| (p.position.expect("it is kept"), p.message.n)));
        }
    }

    fn take(&mut self, pushed: Result<(Position, u64), Lost>) {
        match pushed {
            Ok((position, n)) => {
                assert_eq!(
                    position.epoch, self.at.epoch,
                    "a new epoch begins with a notice"
                );
                assert_eq!(position.seq, self.at.seq + 1, "once and in order");
                self.at = position.clone();
                self.read.push((position, n));
            }
            Err(Lost::Gap {
                position, missed, ..
            }) => {
                let same = position.epoch == self.at.epoch;
                if let Some(missed) = missed {
                    assert!(same && missed > 0, "an epoch cannot be counted over");
                    assert_eq!(position.seq, self.at.seq + missed, "in its place");
                }
                assert!(!same || position.seq > self.at.seq || missed.is_none());
                self.at = position;
            }
            Err(lost) => panic!("{lost}"),
        }
    }

    /// Reads until the last message of all.
    async fn finish(&mut self, world: &World, last: u64) {
        if let Some((connected, _)) = &self.connected {
            connected.read_on();
        }
        let mut times = 0;
        loop {
            if self.connected.is_none() {
                times += 1;
                assert!(times < 20, "who comes again and again gets on");
                self.come(world).await;
            }
            let Some((_, pushes)) = &mut self.connected else {
                unreachable!("it has come")
            };
            let next = tokio::time::timeout(std::time::Duration::from_secs(3), pushes.next());
            match next.await.expect("the last message or a notice comes") {
                None => self.connected = None,
                Some(pushed) => {
                    self.take(pushed.map(|p| (p.position.expect("it is kept"), p.message.n)));
                    if self.read.last().is_some_and(|(_, n)| *n == last) {
                        return;
                    }
                }
            }
        }
    }

    async fn come(&mut self, world: &World) {
        let connected = world.client("member").await;
        let pushes = connected.client.pushes(100_000);
        world.join(&connected, Some(self.at.clone())).await;
        self.connected = Some((connected, pushes));
    }
}

async fn run(steps: Vec<Step>) {
    let world = World::narrow(40, 4);
    let start = world.hub.room(ROOM).position().await.expect("position");
    let mut members: Vec<Member> = (0..MEMBERS)
        .map(|_| Member {
            connected: None,
            at: start.clone(),
            read: Vec::new(),
        })
        .collect();
    let mut n = 0;
    let mut sent = Vec::new();
    for step in steps {
        match step {
            Step::Say(count, slow) => {
                for _ in 0..count {
                    n += 1;
                    let position = world.hub.room(ROOM).send(&long(n), slow.clone()).await;
                    sent.push((position.expect("sent"), n));
                }
            }
            Step::Stop(who) => {
                if let Some((connected, _)) = &members[who].connected {
                    connected.stop_reading();
                }
            }
            Step::ReadOn(who) => {
                if let Some((connected, _)) = &members[who].connected {
                    connected.read_on();
                }
            }
            Step::Cut(who) => {
                members[who].look().await;
                members[who].connected = None;
            }
            Step::ComeAgain(who) => {
                let member = &mut members[who];
                member.look().await;
                member.connected = None;
                member.come(&world).await;
            }
            Step::Look(who) => members[who].look().await,
            Step::Yield => {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
            }
            Step::Forget => world.broker.forget(ROOM),
        }
    }
    // All come, and read to the end.
    for member in &mut members {
        if let Some((connected, _)) = &member.connected {
            connected.read_on();
        }
        member.look().await;
    }
    let last = n + 1;
    let position = world
        .hub
        .room(ROOM)
        .send(&said(last), SlowReader::Wait)
        .await;
    sent.push((position.expect("sent"), last));
    for member in &mut members {
        member.finish(&world, last).await;
        for read in &member.read {
            assert!(sent.contains(read), "{read:?} was never said");
        }
    }
}

proptest! {
    #![proptest_config(Config {
        cases: if std::env::var_os("PACKETBOAT_LONG").is_some() { 5000 } else { 100 },
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    })]

    #[test]
    fn each_member_gets_each_message_once_in_order_or_a_notice(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(run(steps));
    }
}

/// The same, by what is known to have mattered.
#[tokio::test]
async fn a_member_that_stops_comes_again_and_stops_again_misses_nothing() {
    let world = World::narrow(1000, 4);
    let (ann, mut to_ann) = world.member("ann").await;
    let mut n = 0;
    for _ in 0..20 {
        ann.stop_reading();
        for _ in 0..20 {
            n += 1;
            world
                .hub
                .room(ROOM)
                .send(&long(n), SlowReader::Wait)
                .await
                .expect("sent");
            tokio::task::yield_now().await;
        }
        ann.read_on();
        tokio::task::yield_now().await;
    }
    for expected in 1..=n {
        assert_eq!(
            next(&mut to_ann).await.expect("nothing is lost").message.n,
            expected
        );
    }
}
