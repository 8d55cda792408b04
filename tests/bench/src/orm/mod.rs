//! The orm against hand-written sqlx, SeaORM, Diesel and rusqlite: one process, interleaved, order-balanced.
//!
//! Every peer has its own connections to one database, with the same options. Those on sqlx (ours, hand-written sqlx,
//! SeaORM) have a pool with sqlx's default options each, as an application has it; Diesel, diesel-async and rusqlite
//! have one connection, with no pool to pay for. Ids are 64 bits wide for all. What is to be inserted is made before
//! the clock starts; what an interface wants of it (an `ActiveModel`, bound references) is made while it runs.
//!
//! A round measures each peer once, in an order that is another one in each round, until each has stood in each place
//! equally often. A ratio is the median, over all rounds, of our time by the peer's in the same round, so that what
//! else the machine does strikes both.

mod allocator;
mod database;
#[cfg(feature = "peers")]
mod diesel;
#[cfg(feature = "peers")]
mod diesel_async;
mod hand_written;
mod measure;
mod ours;
mod report;
#[cfg(feature = "peers")]
mod rusqlite;
#[cfg(feature = "peers")]
mod sea_orm;
mod work;

use std::{future::Future, pin::Pin};

use self::{
    database::{Database, Kind},
    work::Work,
};
use crate::error::BoxError;

/// The future of one work done once. It says how many rows came back or were written.
type Ran<'a> = Pin<Box<dyn Future<Output = Result<usize, BoxError>> + Send + 'a>>;

/// Someone who can do all the works.
trait Peer: Send {
    /// As it stands in the results.
    fn name(&self) -> &'static str;

    /// Does the work once.
    fn run(&mut self, work: Work) -> Ran<'_>;
}

/// Options of the command `orm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Measures on this database only.
    #[arg(long)]
    db: Option<Kind>,
    /// How many rounds; at least 30 tell something.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Prints one JSON object a line, and no table.
    #[arg(long)]
    json: bool,
    /// Measures this work only, such as `trivial/100`. May be given several times.
    #[arg(long)]
    only: Vec<Work>,
    /// Measures against this peer only, such as `diesel`. May be given several times.
    #[arg(long)]
    peer: Vec<String>,
}

/// Measures, and prints a line for each work and peer.
pub(crate) fn run(args: Args) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // In a task, as the handlers of a server are.
    runtime.block_on(runtime.spawn(all(args)))?
}

async fn all(args: Args) -> Result<(), BoxError> {
    let kinds = match args.db {
        Some(kind) => vec![kind],
        None => vec![Kind::Sqlite, Kind::Postgres],
    };
    for kind in kinds {
        let database = Database::make(kind).await?;
        let outcome = on(kind, &database, &args).await;
        database.remove().await?;
        outcome?;
    }
    Ok(())
}

async fn on(kind: Kind, database: &Database, args: &Args) -> Result<(), BoxError> {
    let mut peers = peers(kind, database).await?;
    let is_wanted = |name| args.peer.is_empty() || args.peer.iter().any(|peer| peer == name);
    peers.retain(|peer| peer.name() == ours::NAME || is_wanted(peer.name()));
    let mut report = report::Report::new(kind, args.json);
    for work in Work::ALL {
        if args.only.is_empty() || args.only.contains(&work) {
            let measured = measure::measure(kind, database, work, &mut peers, args.rounds).await?;
            report.add(work, &measured);
        }
    }
    Ok(())
}

/// Ours first; the others are compared with it.
async fn peers(kind: Kind, database: &Database) -> Result<Vec<Box<dyn Peer>>, BoxError> {
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(ours::Ours::new(database.pool().await?)),
        Box::new(hand_written::HandWritten::new(database.pool().await?)),
    ];
    #[cfg(feature = "peers")]
    {
        peers.push(Box::new(sea_orm::SeaOrm::new(database.pool().await?)));
        match kind {
            Kind::Postgres => peers.push(Box::new(
                diesel_async::DieselAsync::new(&database.url()).await?,
            )),
            Kind::Sqlite => {
                peers.push(Box::new(diesel::Diesel::new(&database.url())?));
                peers.push(Box::new(rusqlite::Rusqlite::new(&database.url())?));
            }
        }
    }
    #[cfg(not(feature = "peers"))]
    let _ = kind;
    Ok(peers)
}
