//! Credit, out of one budget for all connections of a server.

use packetboat_framing::{
    Budget, Limits,
    native::{Attached, Connection, Outgoing, Role},
};

use crate::pair::{Pair, Seen, look, take, text_of};

const KIB: usize = 1024;

#[test]
fn credit_starts_at_nothing_and_grows_only_while_it_is_read() {
    let mut pair = Pair::new();
    let id = pair.asked("up", Some(Attached::default()));
    assert_eq!((pair.client.sendable(id), pair.server.leased()), (0, 0));
    pair.server.receive(id, None).expect("it was offered");
    let mut windows = Vec::new();
    for _ in 0..7 {
        pair.reach_client();
        let n = pair.client.sendable(id) as usize;
        windows.push(n / KIB);
        for chunk in vec![0; n].chunks(1024 * KIB) {
            pair.client.data(id, chunk, None).expect("within credit");
        }
        assert_eq!(pair.client.sendable(id), 0);
        let came: usize = pair.reach_server().iter().map(len_of).sum();
        assert_eq!(came, n);
        pair.reach_client();
        assert_eq!(pair.client.sendable(id), 0, "unread bytes bring no credit");
        pair.server.consumed(id, came);
    }
    assert_eq!(windows, [64, 128, 256, 512, 1024, 2048, 2048]);
}

#[test]
fn an_empty_budget_makes_new_bodies_wait_their_turn() {
    let budget = Budget::new(128 * KIB);
    let mut pair = Pair::with(&Limits::default(), &budget);
    let ids: Vec<_> = (0..4)
        .map(|_| pair.asked("up", Some(Attached::whole(1 << 20))))
        .collect();
    for id in &ids {
        pair.server.receive(*id, None).expect("it was offered");
    }
    assert_eq!((pair.server.leased(), budget.available()), (128 * KIB, 0));
    pair.reach_client();
    let sendable = |pair: &Pair| [0, 1, 2, 3].map(|i| pair.client.sendable(ids[i]) as usize / KIB);
    assert_eq!(sendable(&pair), [64, 64, 0, 0]);
    assert_eq!(pair.server.wants_lease(), Some(64 * KIB));
    // The third gives up waiting, so the fourth is the next.
    pair.client
        .cancel(ids[2], packetboat_framing::native::Code::CANCELLED)
        .expect("it waits");
    pair.reach_server();
    pair.refuse(ids[0], packetboat_framing::native::Code::APPLICATION);
    let lease = budget.try_lease(64 * KIB, 64 * KIB).expect("just given up");
    assert_eq!(pair.server.wants_lease(), Some(64 * KIB));
    pair.server.supply(lease);
    assert_eq!(pair.server.wants_lease(), None);
    pair.reach_client();
    assert_eq!(sendable(&pair), [0, 64, 0, 64]);
}

#[test]
fn ten_thousand_connections_of_sixteen_attachments_stay_within_the_budget() {
    let (limits, budget) = (Limits::default(), Budget::default());
    let elsewhere = Budget::default();
    let mut client = Connection::new(Role::Client, &limits, &elsewhere);
    let upload = Outgoing {
        attachment: Some(Attached::whole(1 << 30)),
        ..Outgoing::json()
    };
    // What one client says is what ten thousand say.
    client.request(&upload, text_of("up")).expect("the first");
    let mut hello = take(&mut client);
    let mut server = Connection::new(Role::Server, &limits, &elsewhere);
    server.feed(&hello);
    look(&mut server).expect("rules are kept");
    client.feed(&take(&mut server));
    look(&mut client).expect("rules are kept");
    for _ in 1..16 {
        client
            .request(&upload, text_of("up"))
            .expect("fifteen more");
    }
    hello.extend_from_slice(&take(&mut client));

    let mut servers = Vec::new();
    for _ in 0..10_000 {
        let mut server = Connection::new(Role::Server, &limits, &budget);
        server.feed(&hello);
        for seen in look(&mut server).expect("rules are kept") {
            if let Seen::Message(id, ..) = seen {
                server.receive(id, None).expect("it was offered");
            }
        }
        servers.push(server);
    }
    let leased: usize = servers.iter().map(Connection::leased).sum();
    assert_eq!(leased + budget.available(), budget.total());
    assert_eq!(leased, budget.total(), "the first thousand have it all");
    let waiting = servers.iter_mut().filter_map(Connection::wants_lease);
    assert_eq!(waiting.count(), 10_000 - 64);
    drop(servers);
    assert_eq!(budget.available(), budget.total());
}

#[test]
fn bytes_count_until_they_are_consumed_even_after_the_end() {
    let mut pair = Pair::new();
    let id = pair.asked("down", None);
    pair.reply(id, "here", Some(Attached::whole(5)));
    pair.reach_client();
    pair.client.receive(id, None).expect("it was offered");
    pair.reach_server();
    pair.server.data(id, b"12345", None).expect("credit");
    pair.server.end(id, None).expect("all was sent");
    assert_eq!(pair.reach_client().len(), 2);
    assert_eq!(
        (pair.client.in_flight(), pair.client.leased()),
        (0, 4 * KIB)
    );
    pair.client.consumed(id, 3);
    assert_eq!(pair.client.leased(), 4 * KIB);
    pair.client.consumed(id, 2);
    assert_eq!(pair.client.leased(), 0);
}

fn len_of(seen: &Seen) -> usize {
    match seen {
        Seen::Data(_, bytes, _) => bytes.len(),
        _ => 0,
    }
}
