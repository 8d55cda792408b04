//! A large file down and up: the dispatcher with guard and session, against what one writes by hand.
//!
//! Files lie on a disk, and what is sent is in the cache. What comes goes to the disk and is synced there once before
//! the reply. Nobody is kept on a core, since a server that reads while it writes has use for two.

mod asynchronous;
mod blocking;
mod client;
mod movie;
mod report;
mod wire;

use std::{
    env,
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use self::{
    client::{Classic, Native, Plain},
    movie::Movie,
};
use crate::{error::BoxError, process::Process, served::Served, statistics::turn};

/// The file that is sent, in a server's folder.
pub(crate) const DOWN: &str = "down.bin";
/// The file that is received.
pub(crate) const UP: &str = "up.bin";

/// Options of `files`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file's size in MiB.
    #[arg(long, default_value_t = 256)]
    size: u64,
    /// Measured rounds; at least 9 tell something. In each, every peer has its turn in every work.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Prints one JSON object a line, and no table.
    #[arg(long)]
    json: bool,
    /// Measures this work only. May be given several times.
    #[arg(long)]
    only: Vec<Work>,
    /// Measures against this peer only, such as `sendfile`. May be given several times.
    #[arg(long)]
    peer: Vec<String>,
    /// Where the files go, four times their size. Default: the system's temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The program `movie`, whose server is measured beside, with all that it does around a file. It takes the file's
    /// size once more in each round.
    #[arg(long, value_name = "PROGRAM")]
    movie: Option<PathBuf>,
}

/// What is done with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// It is sent.
    Down,
    /// It is sent with the digest that was kept. The peers know of none.
    DownDigest,
    /// It is received.
    Up,
    /// It is received and held against the digest that came with it. The peers do not look.
    UpVerified,
}

/// Which of the hand-written servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Asynchronous,
    Blocking,
}

/// What a hand-written server is asked: a way to move the file, and its size if it follows.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    way: String,
    size: Option<u64>,
}

/// One transfer as measured.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// 10^9 bytes per second.
    speed: f64,
    /// CPU seconds of the server per 10^9 bytes.
    cpu: f64,
    /// Growth of the server's resident memory, from before its first transfer to its peak.
    growth: u64,
}

/// Everything measured of one peer in one work.
#[derive(Debug)]
struct Measured {
    name: &'static str,
    samples: Vec<Sample>,
}

/// Who moves the file.
enum Client {
    Classic(Classic),
    Native(Native),
    Plain(Plain),
}

/// A peer: its client, and which of the servers it asks.
struct Peer {
    name: &'static str,
    server: usize,
    client: Client,
}

const NATIVE: &str = "ours";
const CLASSIC: &str = "classic";

/// The peers of a work beside ours, and whose they are.
const DOWNS: [(&str, Kind); 7] = [
    ("sendfile", Kind::Blocking),
    ("splice", Kind::Blocking),
    ("std-256k", Kind::Blocking),
    ("io-copy", Kind::Asynchronous),
    ("copy-256k", Kind::Asynchronous),
    ("readerstream", Kind::Asynchronous),
    ("readerstream-256k", Kind::Asynchronous),
];
const UPS: [(&str, Kind); 4] = [
    ("std-256k", Kind::Blocking),
    ("splice", Kind::Blocking),
    ("io-copy", Kind::Asynchronous),
    ("copy-256k", Kind::Asynchronous),
];

impl Work {
    const fn is_down(self) -> bool {
        matches!(self, Self::Down | Self::DownDigest)
    }

    const fn has_digest(self) -> bool {
        matches!(self, Self::DownDigest | Self::UpVerified)
    }
}

/// Measures, and prints a line for each work and peer.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    let parent = args.folder.clone().unwrap_or_else(env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("packetboat-bench")
        .tempdir_in(parent)?;
    let source = folder.path().join(DOWN);
    write_file(&source, args.size << 20)?;
    let digest = blake3::Hasher::new()
        .update_reader(File::open(&source)?)?
        .finalize();
    let mut house = House {
        servers: Vec::new(),
        source,
        digest: *digest.as_bytes(),
    };
    house.start("serve-app", &["--free"], folder.path())?;
    for kind in Kind::value_variants() {
        let name = kind.to_possible_value().ok_or("a server without a name")?;
        house.start("serve-files", &[name.get_name()], folder.path())?;
    }
    let mut whole = match &args.movie {
        Some(program) => {
            let place = folder.path().join("movie");
            Some(Whole::start(program, &place, &house.source)?)
        }
        None => None,
    };
    let report = report::Report::new(args.json, args.size);
    for work in Work::value_variants() {
        if args.only.is_empty() || args.only.contains(work) {
            let mut measured = house.measure(*work, args)?;
            if let Some(whole) = whole.as_mut().filter(|_| !work.has_digest()) {
                let mut samples = Vec::with_capacity(args.rounds);
                for _ in 0..args.rounds {
                    let (down, up) = whole.both()?;
                    samples.push(if work.is_down() { down } else { up });
                }
                measured.push(Measured {
                    name: "movie",
                    samples,
                });
            }
            report.add(*work, &measured);
        }
    }
    Ok(())
}

/// Is one of the hand-written servers.
pub(crate) fn serve(kind: Kind, folder: &Path) -> Result<(), BoxError> {
    match kind {
        Kind::Asynchronous => asynchronous::serve(folder),
        Kind::Blocking => blocking::serve(folder),
    }
}

/// A server with its folder.
struct Started {
    server: Served,
    folder: PathBuf,
    /// Resident bytes before its first transfer.
    fresh: u64,
}

/// The servers, and the file with its digest.
struct House {
    /// Ours first, then one of each kind.
    servers: Vec<Started>,
    source: PathBuf,
    digest: [u8; 32],
}

impl House {
    /// Starts a server in a folder of its own, where the file is.
    fn start(&mut self, command: &str, args: &[&str], folder: &Path) -> Result<(), BoxError> {
        let own = folder.join(self.servers.len().to_string());
        fs::create_dir(&own)?;
        fs::hard_link(&self.source, own.join(DOWN))?;
        let path = own.to_str().ok_or("a folder without a name")?;
        let server = Served::start(&[&[command], args, &[path]].concat())?;
        let fresh = server.process().reset_peak()?;
        self.servers.push(Started {
            server,
            folder: own,
            fresh,
        });
        Ok(())
    }

    /// Ours first; the others are compared with it.
    fn peers(&self, work: Work, args: &Args) -> Result<Vec<Peer>, BoxError> {
        let address = |server: usize| self.servers[server].server.address;
        let peer = |name, server, client| Peer {
            name,
            server,
            client,
        };
        let native = Native::connect(address(0))?;
        let mut peers = vec![peer(NATIVE, 0, Client::Native(native))];
        let is_wanted = |name| args.peer.is_empty() || args.peer.iter().any(|peer| peer == name);
        if !work.has_digest() && is_wanted(CLASSIC) {
            let classic = Classic::connect(address(0))?;
            peers.push(peer(CLASSIC, 0, Client::Classic(classic)));
        }
        let others = if work.is_down() { &DOWNS[..] } else { &UPS };
        for (name, kind) in others.iter().filter(|(name, _)| is_wanted(name)) {
            let server = match kind {
                Kind::Asynchronous => 1,
                Kind::Blocking => 2,
            };
            let plain = Plain::connect(address(server), name)?;
            peers.push(peer(name, server, Client::Plain(plain)));
        }
        Ok(peers)
    }

    fn measure(&mut self, work: Work, args: &Args) -> Result<Vec<Measured>, BoxError> {
        let mut peers = self.peers(work, args)?;
        for peer in &mut peers {
            self.check(work, peer)?;
        }
        let mut measured: Vec<_> = peers
            .iter()
            .map(|peer| Measured {
                name: peer.name,
                samples: Vec::with_capacity(args.rounds),
            })
            .collect();
        for round in 0..args.rounds {
            for place in 0..peers.len() {
                let at = turn(round, place, peers.len());
                let sample = self.sample(work, &mut peers[at])?;
                measured[at].samples.push(sample);
            }
        }
        Ok(measured)
    }

    fn sample(&mut self, work: Work, peer: &mut Peer) -> Result<Sample, BoxError> {
        let file = File::open(&self.source)?;
        let started = &mut self.servers[peer.server];
        let process = started.server.process();
        process.reset_peak()?;
        let cpu = started.server.cpu()?;
        let begun = Instant::now();
        self.transfer(work, peer, &file, &mut |_| Ok(()))?;
        let seconds = begun.elapsed().as_secs_f64();
        let started = &mut self.servers[peer.server];
        let cpu = started.server.cpu()? - cpu;
        let growth = process.peak()?.saturating_sub(started.fresh);
        if !work.is_down() {
            // Each begins with the same disk.
            clear(&started.folder)?;
        }
        let gb = file.metadata()?.len() as f64 / 1e9;
        Ok(Sample {
            speed: gb / seconds,
            cpu: cpu.as_secs_f64() / gb,
            growth,
        })
    }

    fn transfer(
        &self,
        work: Work,
        peer: &mut Peer,
        file: &File,
        look: client::Look<'_>,
    ) -> Result<(), BoxError> {
        let digest = Some(&self.digest).filter(|_| work.has_digest());
        match (&mut peer.client, work.is_down()) {
            (Client::Classic(client), true) => client.down(look),
            (Client::Classic(client), false) => client.up(file),
            (Client::Native(client), true) => client.down(work.has_digest(), look),
            (Client::Native(client), false) => client.up(file, digest),
            (Client::Plain(client), true) => client.down(look),
            (Client::Plain(client), false) => client.up(file),
        }
    }

    /// Once, unmeasured: that the bytes are the same, and warm caches for all.
    fn check(&self, work: Work, peer: &mut Peer) -> Result<(), BoxError> {
        let mut original = File::open(&self.source)?;
        let file = File::open(&self.source)?;
        self.transfer(work, peer, &file, &mut |piece| same(&mut original, piece))?;
        let rest = original.metadata()?.len() - original.stream_position()?;
        if work.is_down() {
            return match rest {
                0 => Ok(()),
                _ => Err(format!("{} sent {rest} bytes too few", peer.name).into()),
            };
        }
        let folder = &self.servers[peer.server].folder;
        let mut saved = File::open(folder.join(UP))?;
        let mut piece = vec![0; 1 << 20];
        loop {
            match saved.read(&mut piece)? {
                0 if original.read(&mut piece)? == 0 => break,
                n => same(&mut original, &piece[..n])?,
            }
        }
        Ok(clear(folder)?)
    }
}

/// Removes what the last upload left.
fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(UP)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// What a transfer, which gives its bytes and seconds, takes of the movie server.
fn measure(
    process: Process,
    fresh: u64,
    transfer: impl FnOnce() -> Result<(u64, f64), BoxError>,
) -> Result<Sample, BoxError> {
    process.reset_peak()?;
    let cpu = process.cpu()?;
    let (bytes, seconds) = transfer()?;
    let gb = bytes as f64 / 1e9;
    Ok(Sample {
        speed: gb / seconds,
        cpu: (process.cpu()? - cpu) / gb,
        growth: process.peak()?.saturating_sub(fresh),
    })
}

/// The movie server, and its resident bytes before its first transfer.
struct Whole {
    movie: Movie,
    fresh: u64,
}

impl Whole {
    /// Starts it, and sends the file up and down once, unmeasured, to see that the bytes are the same.
    fn start(program: &Path, folder: &Path, source: &Path) -> Result<Self, BoxError> {
        let mut movie = Movie::start(program, folder, source)?;
        let fresh = Process(movie.child.id()).reset_peak()?;
        movie.up()?;
        let mut original = movie.source().try_clone()?;
        original.rewind()?;
        movie.down(|piece| same(&mut original, piece))?;
        Ok(Self { movie, fresh })
    }

    /// A new movie up, and down again.
    fn both(&mut self) -> Result<(Sample, Sample), BoxError> {
        let (process, len) = (
            Process(self.movie.child.id()),
            self.movie.source().metadata()?.len(),
        );
        let up = measure(process, self.fresh, || {
            Ok((len, self.movie.up()?.as_secs_f64()))
        })?;
        let down = measure(process, self.fresh, || {
            Ok((len, self.movie.down(|_| Ok(()))?.as_secs_f64()))
        })?;
        Ok((down, up))
    }
}

fn same(original: &mut File, piece: &[u8]) -> Result<(), BoxError> {
    let mut expected = vec![0; piece.len()];
    original.read_exact(&mut expected)?;
    if expected == piece {
        Ok(())
    } else {
        Err("the bytes differ".into())
    }
}

/// A file in which every 8 bytes are different.
pub(crate) fn write_file(path: &Path, len: u64) -> Result<(), BoxError> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for i in 0..len / 8 {
        file.write_all(&(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes())?;
    }
    file.flush()?;
    Ok(file.get_ref().sync_all()?)
}
