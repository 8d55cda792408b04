//! A small request and its reply: the whole dispatcher against hand-written servers and other frameworks.
//!
//! Everybody does the same work: 96 bytes of JSON come, or the same fields in the peer's own encoding, and become a
//! struct; a struct goes back. Ours also looks for the route, asks the guard, and looks up the session. Each server is
//! a process of its own on one core, with one worker; who asks them is on the other.
//!
//! Where a peer is a wire, whoever asks writes prepared bytes and counts replies, so that the server is what limits.
//! Where a peer is a framework with a client of its own, that client asks; `own-client` is ours asked by ours, for
//! those to be held against. What a server takes of its core for one request hangs on no client.

#[cfg(feature = "peers")]
mod axum;
mod floor;
#[cfg(feature = "peers")]
mod jsonrpsee;
mod length_delimited;
mod load;
mod ours;
mod report;
#[cfg(feature = "peers")]
mod tarpc;
#[cfg(feature = "peers")]
mod tonic;
#[cfg(feature = "peers")]
mod websocket;

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    net::SocketAddr,
    pin::Pin,
    time::Duration,
};

use clap::ValueEnum;

use crate::{
    app,
    error::BoxError,
    machine::{self, End},
    served::{self, Served},
    statistics::turn,
};

/// How long each peer is asked in a round.
const SAMPLE: Duration = Duration::from_millis(150);

/// What is asked, 96 bytes with a session of 32 digits in it.
const NAME: &str = "fourteen bytes";
const ID: u64 = 1_000_000;

/// Options of `rpc`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many rounds; at least 9 tell something.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Prints one JSON object a line, and no table.
    #[arg(long)]
    json: bool,
    /// Measures this work only. May be given several times.
    #[arg(long)]
    only: Vec<Work>,
    /// Measures against this peer only, such as `floor`. May be given several times.
    #[arg(long)]
    peer: Vec<String>,
}

/// How requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// One connection, one request at a time.
    Sequential,
    /// 64 connections, one request at a time on each.
    C64,
    /// One connection, 64 requests in flight.
    Pipelined,
}

impl Work {
    const fn connections(self) -> usize {
        match self {
            Self::C64 => 64,
            Self::Sequential | Self::Pipelined => 1,
        }
    }

    /// Requests in flight on each connection.
    const fn depth(self) -> usize {
        match self {
            Self::Pipelined => 64,
            Self::Sequential | Self::C64 => 1,
        }
    }
}

/// Which server to be. Our wires have one between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Ours,
    Floor,
    LengthDelimited,
    #[cfg(feature = "peers")]
    Axum,
    #[cfg(feature = "peers")]
    Jsonrpsee,
    #[cfg(feature = "peers")]
    TarpcBincode,
    #[cfg(feature = "peers")]
    TarpcJson,
    #[cfg(feature = "peers")]
    Tonic,
}

/// Asks for a while, and says how many replies came in which time.
type Ran<'a> = Pin<Box<dyn Future<Output = Result<(u64, Duration), BoxError>> + Send + 'a>>;

/// Someone who asks a server, over the connections of one work.
trait Asker: Send {
    fn run(&mut self, time: Duration) -> Ran<'_>;
}

/// What was measured of one peer.
struct Measured {
    name: &'static str,
    /// Replies in a second, in each round.
    rate: Vec<f64>,
    /// CPU seconds of the server for one.
    cpu: Vec<f64>,
}

/// Measures, and prints a line for each work and peer.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    machine::pin(End::Client);
    machine::raise_descriptors()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(all(args))
}

/// Is one of the servers.
pub(crate) fn serve(kind: Kind) -> Result<(), BoxError> {
    served::on_tokio(1, move |listener| async move {
        match kind {
            Kind::Ours => Ok(app::serve(listener, &std::env::temp_dir()).await?),
            Kind::Floor => floor::serve(listener).await,
            Kind::LengthDelimited => length_delimited::serve(listener).await,
            #[cfg(feature = "peers")]
            Kind::Axum => axum::serve(listener).await,
            #[cfg(feature = "peers")]
            Kind::Jsonrpsee => jsonrpsee::serve(listener).await,
            #[cfg(feature = "peers")]
            Kind::TarpcBincode => tarpc::serve(listener, tarpc::Encoding::Bincode).await,
            #[cfg(feature = "peers")]
            Kind::TarpcJson => tarpc::serve(listener, tarpc::Encoding::Json).await,
            #[cfg(feature = "peers")]
            Kind::Tonic => tonic::serve(listener).await,
        }
    })
}

/// The request as JSON, with a session.
fn request(session: &str) -> String {
    format!(r#"{{"type":"ask","session":"{session}","id":{ID},"name":"{NAME}"}}"#)
}

/// The session that is shown to those who have none.
const SESSION: &str = "0123456789abcdef0123456789abcdef";

async fn all(args: &Args) -> Result<(), BoxError> {
    let mut servers = HashMap::new();
    for (_, kind) in wanted(args) {
        let word = word(kind);
        if let Entry::Vacant(place) = servers.entry(word) {
            let server = Served::start(&["serve-rpc", place.key()])?;
            place.insert(server);
        }
    }
    let report = report::Report::new(args.json);
    for work in Work::value_variants() {
        if args.only.is_empty() || args.only.contains(work) {
            let measured = measure(*work, args, &mut servers).await?;
            report.add(*work, &measured);
        }
    }
    Ok(())
}

/// Who is asked, and which server that is. Ours first; the others are compared with it.
const PEERS: &[(&str, Kind)] = &[
    ("ours", Kind::Ours),
    ("classic", Kind::Ours),
    ("own-client", Kind::Ours),
    ("floor", Kind::Floor),
    ("length-delimited", Kind::LengthDelimited),
    #[cfg(feature = "peers")]
    ("tarpc-json", Kind::TarpcJson),
    #[cfg(feature = "peers")]
    ("tarpc-bincode", Kind::TarpcBincode),
    #[cfg(feature = "peers")]
    ("tonic", Kind::Tonic),
    #[cfg(feature = "peers")]
    ("axum-http1", Kind::Axum),
    #[cfg(feature = "peers")]
    ("axum-ws", Kind::Axum),
    #[cfg(feature = "peers")]
    ("jsonrpsee", Kind::Jsonrpsee),
];

/// Connects to a peer, as a work wants it.
async fn connect(name: &str, address: SocketAddr, work: Work) -> Result<Box<dyn Asker>, BoxError> {
    Ok(match name {
        "ours" => Box::new(load::Raw::connect(address, work, ours::native).await?),
        "classic" => Box::new(load::Raw::connect(address, work, ours::classic).await?),
        "own-client" => Box::new(ours::own_client(address, work).await?),
        "floor" => Box::new(load::Raw::connect(address, work, floor::client).await?),
        "length-delimited" => {
            Box::new(load::Raw::connect(address, work, length_delimited::client).await?)
        }
        #[cfg(feature = "peers")]
        "tarpc-json" => Box::new(tarpc::json(address, work).await?),
        #[cfg(feature = "peers")]
        "tarpc-bincode" => Box::new(tarpc::bincode(address, work).await?),
        #[cfg(feature = "peers")]
        "tonic" => Box::new(tonic::client(address, work).await?),
        #[cfg(feature = "peers")]
        "axum-http1" => Box::new(load::Raw::connect(address, work, axum::http1).await?),
        #[cfg(feature = "peers")]
        "axum-ws" => Box::new(load::Raw::connect(address, work, axum::websocket).await?),
        #[cfg(feature = "peers")]
        "jsonrpsee" => Box::new(load::Raw::connect(address, work, jsonrpsee::client).await?),
        _ => return Err(format!("nobody is called {name}").into()),
    })
}

async fn measure(
    work: Work,
    args: &Args,
    servers: &mut HashMap<String, Served>,
) -> Result<Vec<Measured>, BoxError> {
    let mut askers = Vec::new();
    let mut measured = Vec::new();
    for (name, kind) in wanted(args) {
        let mut asker = connect(name, servers[&word(kind)].address, work).await?;
        // To fill caches, and to see that all answer.
        asker.run(SAMPLE / 2).await?;
        askers.push((asker, word(kind)));
        measured.push(Measured {
            name,
            rate: Vec::with_capacity(args.rounds),
            cpu: Vec::with_capacity(args.rounds),
        });
    }
    for round in 0..args.rounds {
        for place in 0..askers.len() {
            let at = turn(round, place, askers.len());
            let (asker, server) = &mut askers[at];
            let server = servers.get_mut(server).ok_or("no such server")?;
            let cpu = server.cpu()?;
            let (replies, time) = asker.run(SAMPLE).await?;
            let cpu = server.cpu()? - cpu;
            measured[at].rate.push(replies as f64 / time.as_secs_f64());
            measured[at].cpu.push(cpu.as_secs_f64() / replies as f64);
        }
    }
    Ok(measured)
}

/// Ours, and the peers that were asked for.
fn wanted(args: &Args) -> impl Iterator<Item = (&'static str, Kind)> {
    let is_wanted = |name| args.peer.is_empty() || args.peer.iter().any(|peer| peer == name);
    let wanted = PEERS.iter().enumerate();
    wanted
        .filter(move |(at, (name, _))| *at == 0 || is_wanted(*name))
        .map(|(_, peer)| *peer)
}

/// A server's name on the command line.
fn word(kind: Kind) -> String {
    let value = kind.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_96_bytes() {
        assert_eq!(request(SESSION).len(), 96);
    }
}
