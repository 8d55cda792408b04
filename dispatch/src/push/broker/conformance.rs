//! A test for any broker.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::{Broker, Delivery, Keep, MemberId, Publication, Subscription};
use crate::push::position::{Epoch, Position};
use crate::push::slow::SlowReader;

/// Checks that a broker keeps what [`Broker`] asks of it, for the tests of those who write one.
///
/// It makes rooms of its own, whose names begin with `broker check`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use packetboat_dispatch::push::broker::{MemoryBroker, check_broker};
///
/// check_broker(&MemoryBroker::new()).await;
/// # }
/// ```
///
/// # Panics
///
/// At the first rule that does not hold, naming it.
pub async fn check_broker(broker: &impl Broker) {
    let name = |what: &str| format!("broker check {what} {}", Epoch::generate());
    numbers_and_history(broker, &name("history")).await;
    bounds(broker, &name("bounds")).await;
    subscriptions(broker, &name("live")).await;
    resuming(broker, &name("resume")).await;
}

async fn numbers_and_history(broker: &impl Broker, room: &str) {
    let start = broker.position(room).await.expect("position");
    assert_eq!(start.seq, 0, "a new room begins before its first message");
    let again = broker.position(room).await.expect("position");
    assert_eq!(start, again, "asking changes nothing");
    let sent: Vec<_> = (1..=5).map(message).collect();
    for (seq, publication) in (1..).zip(&sent) {
        let position = publish(broker, room, publication).await;
        assert_eq!(position, at(&start, seq), "numbers rise by one");
    }
    broker.signal(room, message(9)).await.expect("signal");
    let history = broker.history(room, &start, 100).await.expect("history");
    let all: Vec<_> = (1..).zip(sent.iter().cloned()).collect();
    assert_eq!(history.position, at(&start, 5), "history says where it is");
    assert!(!history.gap, "nothing was forgotten");
    assert_eq!(
        history.publications, all,
        "what was published is kept, as it was, and what was signalled is not"
    );
    let some = broker.history(room, &at(&start, 2), 2).await;
    let some = some.expect("history");
    assert_eq!(
        some.publications,
        all[2..4],
        "the oldest after the position"
    );
    assert_eq!(some.position.seq, 5, "and where the stream is");
    let none = broker.history(room, &at(&start, 5), 10).await;
    let none = none.expect("history");
    assert!(none.publications.is_empty() && !none.gap, "all was read");

    let ahead = broker.history(room, &at(&start, 6), 10).await;
    let ahead = ahead.expect("history");
    assert!(
        ahead.gap && ahead.publications.is_empty(),
        "a position that was never reached is a gap"
    );
    let other = Position {
        epoch: Epoch::generate(),
        seq: 2,
    };
    let other = broker.history(room, &other, 10).await.expect("history");
    assert!(other.gap, "a position of another epoch is a gap");
    assert_eq!(
        other.publications, all,
        "after which all comes that is kept"
    );
}

async fn bounds(broker: &impl Broker, room: &str) {
    let start = broker.position(room).await.expect("position");
    let keep = Keep {
        messages: 3,
        ..Keep::default()
    };
    for n in 1..=10 {
        broker
            .publish(room, message(n), &keep)
            .await
            .expect("publish");
    }
    let history = broker.history(room, &start, 100).await.expect("history");
    assert!(history.gap, "what was forgotten is a gap");
    let seqs: Vec<u64> = history.publications.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [8, 9, 10], "the last ones are kept");
    let rest = broker.history(room, &at(&start, 7), 100).await;
    assert!(!rest.expect("history").gap, "nothing is missing after 7");
    let rest = broker.history(room, &at(&start, 6), 100).await;
    assert!(rest.expect("history").gap, "one is missing after 6");

    let keep = Keep {
        bytes: 40,
        ..Keep::default()
    };
    let large = Publication::new("check", Bytes::from("7".repeat(30)), SlowReader::Wait);
    for _ in 0..3 {
        broker
            .publish(room, large.clone(), &keep)
            .await
            .expect("publish");
    }
    let history = broker.history(room, &start, 100).await.expect("history");
    assert_eq!(history.publications.len(), 1, "bytes are bounded, too");
}

async fn subscriptions(broker: &impl Broker, room: &str) {
    publish(broker, room, &message(1)).await;
    let mut one = broker.subscribe(room, None).await.expect("subscribe");
    let mut two = broker.subscribe(room, None).await.expect("subscribe");
    let other = format!("{room} other");
    publish(broker, &other, &message(7)).await;
    let position = publish(broker, room, &message(2)).await;
    broker.signal(room, message(3)).await.expect("signal");
    let last = publish(broker, room, &message(4)).await;
    for subscription in [&mut one, &mut two] {
        let kept = next(subscription).await;
        let expected = Delivery::Kept(position.clone(), message(2));
        assert_eq!(kept, expected, "from now on, and of this room alone");
        let mut rest = [next(subscription).await, next(subscription).await];
        // What is not kept may overtake what is.
        rest.sort_by_key(|delivery| matches!(delivery, Delivery::Kept(..)));
        assert_eq!(rest[0], Delivery::Passing(message(3)));
        assert_eq!(rest[1], Delivery::Kept(last.clone(), message(4)));
    }
    let waiting = timeout(Duration::from_millis(50), one.next()).await;
    assert!(waiting.is_err(), "each message once");
    drop(two);
    let position = publish(broker, room, &message(5)).await;
    let delivery = next(&mut one).await;
    let expected = Delivery::Kept(position, message(5));
    assert_eq!(delivery, expected, "a wait that was dropped loses nothing");
}

async fn resuming(broker: &impl Broker, room: &str) {
    let start = broker.position(room).await.expect("position");
    for n in 1..=3 {
        publish(broker, room, &message(n)).await;
    }
    let after = at(&start, 1);
    let mut subscription = broker
        .subscribe(room, Some(&after))
        .await
        .expect("subscribe");
    publish(broker, room, &message(4)).await;
    for n in 2..=4 {
        let expected = Delivery::Kept(at(&start, n), message(n));
        assert_eq!(next(&mut subscription).await, expected, "once, in order");
    }
    let foreign = Position {
        epoch: Epoch::generate(),
        seq: 1,
    };
    let mut subscription = broker
        .subscribe(room, Some(&foreign))
        .await
        .expect("subscribe");
    let first = next(&mut subscription).await;
    assert_eq!(first, Delivery::Lost, "a foreign position is told of first");
}

async fn publish(broker: &impl Broker, room: &str, publication: &Publication) -> Position {
    let keep = Keep::default();
    let published = broker.publish(room, publication.clone(), &keep);
    published.await.expect("publish")
}

async fn next(subscription: &mut Box<dyn Subscription>) -> Delivery {
    let next = timeout(Duration::from_secs(10), subscription.next()).await;
    next.expect("what was published arrives").expect("next")
}

fn at(start: &Position, seq: u64) -> Position {
    let epoch = start.epoch.clone();
    Position { epoch, seq }
}

fn message(n: u64) -> Publication {
    let slow = match n % 4 {
        0 => SlowReader::Disconnect,
        1 => SlowReader::DropOldest,
        2 => SlowReader::KeepLatest(format!("key \"{n}\" 名字")),
        _ => SlowReader::Wait,
    };
    let except = (n.is_multiple_of(2)).then_some(MemberId {
        node: u64::MAX - n,
        connection: n,
    });
    Publication {
        except,
        ..Publication::new("check", Bytes::from(format!("[{n}]")), slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::async_trait;
    use crate::push::broker::{BrokerError, History, MemoryBroker};

    /// Forgets to tell of a gap.
    struct Smooth(MemoryBroker);

    #[async_trait]
    impl Broker for Smooth {
        async fn publish(
            &self,
            room: &str,
            publication: Publication,
            keep: &Keep,
        ) -> Result<Position, BrokerError> {
            self.0.publish(room, publication, keep).await
        }

        async fn signal(&self, room: &str, publication: Publication) -> Result<(), BrokerError> {
            self.0.signal(room, publication).await
        }

        async fn position(&self, room: &str) -> Result<Position, BrokerError> {
            self.0.position(room).await
        }

        async fn history(
            &self,
            room: &str,
            after: &Position,
            max: usize,
        ) -> Result<History, BrokerError> {
            let history = self.0.history(room, after, max).await?;
            Ok(History {
                gap: false,
                ..history
            })
        }

        async fn subscribe(
            &self,
            room: &str,
            after: Option<&Position>,
        ) -> Result<Box<dyn Subscription>, BrokerError> {
            self.0.subscribe(room, after).await
        }
    }

    #[tokio::test]
    #[should_panic(expected = "a position that was never reached is a gap")]
    async fn a_broker_that_tells_of_no_gap_is_found_out() {
        check_broker(&Smooth(MemoryBroker::new())).await;
    }
}
