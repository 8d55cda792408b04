//! A message to a room: how long until every member has it.
//!
//! Members are connections that have joined and then read. One more connection says something; what is measured is the
//! time from before its write until each member has read the message, in one process on one core, while the server is
//! another on the other. The next message is said when all have the one before. Each server numbers nothing and keeps
//! nothing but ours, which gives every message its place in the room's stream and keeps it for who comes again.

#[cfg(feature = "peers")]
mod axum;
mod ours;
mod report;
mod room;
#[cfg(feature = "peers")]
mod socketio;

use std::net::SocketAddr;

use clap::ValueEnum;
use tokio::net::TcpStream;

use crate::{
    error::BoxError,
    machine::{self, End},
    served::{self, Served},
    statistics::turn,
};
use room::{Room, Said};

/// Options of `push`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many rounds; at least 9 tell something.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// How many members. May be given several times.
    #[arg(long, default_values_t = [100, 1_000, 10_000])]
    members: Vec<usize>,
    /// Measures against this peer only, such as `socketioxide`. May be given several times.
    #[arg(long)]
    peer: Vec<String>,
    /// Prints one JSON object a line, and no table.
    #[arg(long)]
    json: bool,
}

/// Which server to be. Ours has both of our ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Ours,
    #[cfg(feature = "peers")]
    AxumBroadcast,
    #[cfg(feature = "peers")]
    Socketioxide,
}

/// A way to be a member, and to say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Ours, in text messages of a WebSocket.
    Text,
    /// Ours, on the native wire.
    Native,
    #[cfg(feature = "peers")]
    AxumBroadcast,
    #[cfg(feature = "peers")]
    Socketioxide,
}

/// What was measured of one peer: milliseconds, one of each for a round.
struct Measured {
    name: &'static str,
    /// Until the first member has it.
    first: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    /// CPU of the server for one member and message, in microseconds.
    cpu: Vec<f64>,
}

/// Who is measured. Ours in a WebSocket first; the others are compared with it.
const PEERS: &[(&str, Way, Kind)] = &[
    ("ours", Way::Text, Kind::Ours),
    ("native", Way::Native, Kind::Ours),
    #[cfg(feature = "peers")]
    ("axum-broadcast", Way::AxumBroadcast, Kind::AxumBroadcast),
    #[cfg(feature = "peers")]
    ("socketioxide", Way::Socketioxide, Kind::Socketioxide),
];

/// Measures, and prints a line for each work and peer.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    machine::pin(End::Client);
    machine::raise_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = report::Report::new(args.json);
    for &members in &args.members {
        let measured = runtime.block_on(measure(members, args))?;
        report.add(members, &measured);
    }
    Ok(())
}

/// Is one of the servers.
pub(crate) fn serve(kind: Kind) -> Result<(), BoxError> {
    served::on_tokio(1, move |listener| async move {
        match kind {
            Kind::Ours => ours::serve(listener).await,
            #[cfg(feature = "peers")]
            Kind::AxumBroadcast => axum::serve(listener).await,
            #[cfg(feature = "peers")]
            Kind::Socketioxide => socketio::serve(listener).await,
        }
    })
}

async fn measure(members: usize, args: &Args) -> Result<Vec<Measured>, BoxError> {
    let is_wanted = |name| args.peer.is_empty() || args.peer.iter().any(|peer| peer == name);
    let wanted = PEERS.iter().enumerate();
    let wanted = wanted.filter(|(at, (name, _, _))| *at == 0 || is_wanted(*name));
    let wanted: Vec<_> = wanted.map(|(_, peer)| *peer).collect();
    let mut measured: Vec<_> = wanted
        .iter()
        .map(|(name, _, _)| Measured {
            name,
            first: Vec::new(),
            p50: Vec::new(),
            p99: Vec::new(),
            cpu: Vec::new(),
        })
        .collect();
    for round in 0..args.rounds {
        for place in 0..wanted.len() {
            let at = turn(round, place, wanted.len());
            let (_, way, kind) = wanted[at];
            // A server of its own for each, since nobody may have 20,000 connections at once.
            let kind = kind.to_possible_value().ok_or("a server has a name")?;
            let mut server = Served::start(&["serve-push", kind.get_name()])?;
            let mut room = Room::open(way, server.address, members).await?;
            let (messages, warm) = (messages(members), 3);
            for _ in 0..warm {
                room.say().await?;
            }
            let cpu = server.cpu()?;
            let mut said = Said::default();
            for _ in 0..messages {
                said.add(&room.say().await?);
            }
            let cpu = (server.cpu()? - cpu).as_secs_f64() * 1e6 / (members * messages) as f64;
            let (first, p50, p99) = said.milliseconds();
            let measured = &mut measured[at];
            measured.first.push(first);
            measured.p50.push(p50);
            measured.p99.push(p99);
            measured.cpu.push(cpu);
        }
    }
    Ok(measured)
}

/// How many are said in a round: some hundred thousand deliveries, but for the smallest rooms.
const fn messages(members: usize) -> usize {
    match 100_000 / members {
        0 => 1,
        many @ ..200 => many,
        _ => 200,
    }
}

/// Comes into the room.
async fn enter(way: Way, stream: &mut TcpStream, last: &mut u32) -> Result<(), BoxError> {
    match way {
        Way::Text => ours::enter_by_text(stream).await,
        Way::Native => ours::enter(stream, last).await,
        #[cfg(feature = "peers")]
        Way::AxumBroadcast => axum::enter(stream).await,
        #[cfg(feature = "peers")]
        Way::Socketioxide => socketio::enter(stream).await,
    }
}

/// The bytes that say something.
fn say(way: Way, text: &str, last: &mut u32) -> Vec<u8> {
    match way {
        Way::Text => ours::say_by_text(text),
        Way::Native => ours::say(text, last),
        #[cfg(feature = "peers")]
        Way::AxumBroadcast => axum::say(text),
        #[cfg(feature = "peers")]
        Way::Socketioxide => socketio::say(text),
    }
}

/// Connects from one of several addresses: a system has some 28,000 ports for each by default.
async fn connect(address: SocketAddr, number: usize) -> Result<TcpStream, BoxError> {
    let source = 2 + u8::try_from(number / 5_000)?;
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, source], 0)))?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    // Reset in the end, so that tens of thousands leave no port waiting for the next round.
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO))?;
    Ok(stream)
}
