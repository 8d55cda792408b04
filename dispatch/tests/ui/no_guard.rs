//! What stands before a group is a guard.

use packetboat_dispatch::Dispatcher;

struct Nobody;

fn main() {
    let _ = Dispatcher::new(()).allow(Nobody, |group| group);
}
