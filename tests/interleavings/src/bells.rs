//! The bell: who rings is heard, once, whenever that is.

use std::mem;

use loom::thread;

use crate::bell::{Bell, RingOnDrop};
use crate::sync::Arc;
use crate::task::{block_on, every_order, glance};

/// Several ring while the connection's task waits: it hears each once, each one's rings in order,
/// and what it waits for never ends before there is something.
pub fn each_ring_is_heard_once() {
    every_order(Some(3), || {
        let bell = Arc::<Bell>::default();
        let ringers = [vec![1, 2], vec![3]].map(|requests| ringer(&bell, requests));
        let heard = block_on(hear(&bell, 3));
        end(&bell, ringers, &heard, &[&[1, 2], &[3]]);
    });
}

/// As above, with three that ring at once.
pub fn three_ring_at_once() {
    every_order(Some(2), || {
        let bell = Arc::<Bell>::default();
        let ringers = [vec![1], vec![2], vec![3]].map(|requests| ringer(&bell, requests));
        let heard = block_on(hear(&bell, 3));
        end(&bell, ringers, &heard, &[&[1], &[2], &[3]]);
    });
}

/// The task waits for the bell and for something else, which comes first: it drops its future, in
/// the middle of a ring perhaps, and waits anew. Also where it looks before.
pub fn a_dropped_future_loses_no_ring() {
    for looks in [false, true] {
        every_order(Some(2), move || {
            let bell = Arc::<Bell>::default();
            let ringers = [vec![1], vec![2]].map(|requests| ringer(&bell, requests));
            let heard = block_on(async {
                let mut heard = Vec::new();
                glance(bell.rung()).await;
                if looks {
                    bell.swap(&mut heard);
                }
                glance(bell.rung()).await;
                let left = 2 - heard.len();
                heard.extend(hear(&bell, left).await);
                heard
            });
            end(&bell, ringers, &heard, &[&[1], &[2]]);
        });
    }
}

/// Whatever ends a request's task rings for it, unless it forgoes that.
pub fn what_is_dropped_rings_unless_it_forgoes() {
    every_order(None, || {
        let bell = Arc::<Bell>::default();
        let [rings, forgoes] = [1, 2].map(|request| RingOnDrop::new(bell.ringer(request)));
        let ringers = [
            thread::spawn(move || drop(rings)),
            thread::spawn(move || forgoes.forgo()),
        ];
        let heard = block_on(hear(&bell, 1));
        end(&bell, ringers, &heard, &[&[1]]);
    });
}

fn ringer(bell: &Arc<Bell>, requests: Vec<u32>) -> thread::JoinHandle<()> {
    let ringers: Vec<_> = requests.into_iter().map(|id| bell.ringer(id)).collect();
    thread::spawn(move || ringers.iter().for_each(|ringer| ringer.ring()))
}

/// Hears so many rings, as the task of a connection does.
async fn hear(bell: &Bell, rings: usize) -> Vec<u32> {
    let (mut heard, mut rung) = (Vec::new(), Vec::new());
    while heard.len() < rings {
        bell.rung().await;
        bell.swap(&mut rung);
        assert!(!rung.is_empty(), "it was woken for nothing");
        heard.append(&mut mem::take(&mut rung));
    }
    heard
}

/// Everybody has rung, and each was heard once and in order.
fn end<const N: usize>(
    bell: &Bell,
    ringers: [thread::JoinHandle<()>; N],
    heard: &[u32],
    rang: &[&[u32]],
) {
    for ringer in ringers {
        ringer.join().expect("it rings and ends");
    }
    let mut more = Vec::new();
    bell.swap(&mut more);
    assert!(more.is_empty(), "besides {heard:?}");
    assert_eq!(
        heard.len(),
        rang.iter().map(|rings| rings.len()).sum::<usize>()
    );
    for rings in rang {
        let its_own = heard.iter().filter(|id| rings.contains(id));
        assert!(its_own.eq(*rings), "{rings:?} in {heard:?}");
    }
}
