//! A large file down and up: speed, CPU and memory of the server, beside a hand-written one.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Read, Seek, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use clap::Parser;
use serde_json::json;

use crate::{
    client,
    error::BoxError,
    movie::Movie,
    process::Process,
    server::{self, DOWN, Kind, UP},
};

/// Options of `files`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The file's size in MiB.
    #[arg(long, default_value_t = 1024)]
    size: u64,
    /// Measured rounds; in each, both servers have their turn both ways.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Where the files go, three times their size. Default: the system's temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The program `movie`, whose server is measured beside, with all that it does around a file. It takes the file's
    /// size once more in each round.
    #[arg(long, value_name = "PROGRAM")]
    movie: Option<PathBuf>,
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

/// A server in a process of its own, and a connection to it.
struct Peer {
    child: Child,
    stream: TcpStream,
    folder: PathBuf,
    /// Resident bytes before its first transfer.
    fresh: u64,
}

/// Measures, and prints medians.
pub(crate) fn run(args: &Args) -> Result<(), BoxError> {
    let parent = args.folder.clone().unwrap_or_else(env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("packetboat-bench")
        .tempdir_in(parent)?;
    let path = folder.path().join(DOWN);
    write_file(&path, args.size << 20)?;
    let mut peers = Vec::new();
    for kind in [Kind::Framing, Kind::Blocking] {
        peers.push(Peer::start(kind, folder.path())?);
    }
    for peer in &mut peers {
        peer.check(&path)?;
    }
    let mut movie = match &args.movie {
        Some(program) => Some(Whole::start(program, &folder.path().join("movie"), &path)?),
        None => None,
    };
    let mut samples: [[Vec<Sample>; 3]; 2] = Default::default();
    for round in 0..args.rounds {
        for (way, samples) in samples.iter_mut().enumerate() {
            // Whoever goes first finds the caches as the other way left them; so they take turns.
            for at in [round % 2, (round + 1) % 2] {
                let sample = match way {
                    0 => peers[at].down()?,
                    _ => peers[at].up(&path)?,
                };
                samples[at].push(sample);
            }
        }
        if let Some(movie) = &mut movie {
            let (down, up) = movie.both()?;
            samples[0][2].push(down);
            samples[1][2].push(up);
        }
    }
    report(args, &samples)
}

fn report(args: &Args, samples: &[[Vec<Sample>; 3]; 2]) -> Result<(), BoxError> {
    let mut out = serde_json::Map::new();
    for (way, name) in ["down", "up"].into_iter().enumerate() {
        let mut row = serde_json::Map::new();
        for (at, kind) in ["framing", "blocking", "movie"].into_iter().enumerate() {
            let one = &samples[way][at];
            if one.is_empty() {
                continue;
            }
            let (speed, cpu) = (median(one, |s| s.speed), median(one, |s| s.cpu));
            let growth = one.iter().map(|s| s.growth).max().unwrap_or(0);
            let growth = growth as f64 / f64::from(1 << 20);
            row.insert(
                kind.into(),
                json!({ "gb_per_s": speed, "cpu_s_per_gb": cpu, "peak_growth_mib": growth }),
            );
            if !args.json {
                println!(
                    "{name:4} {kind:8}  {speed:6.2} GB/s  {cpu:5.2} CPU s/GB  peak +{growth:.1} MiB"
                );
            }
        }
        let ratio = median(&samples[way][0], |s| s.speed) / median(&samples[way][1], |s| s.speed);
        row.insert("ratio".into(), json!(ratio));
        if !args.json {
            println!("{name:4} ratio     {ratio:6.2}");
        }
        out.insert(name.into(), row.into());
    }
    if args.json {
        out.insert("size_mib".into(), args.size.into());
        out.insert("rounds".into(), args.rounds.into());
        println!("{}", serde_json::Value::Object(out));
    }
    Ok(())
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<_> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Peer {
    fn start(kind: Kind, folder: &Path) -> Result<Self, BoxError> {
        let name = format!("{kind:?}").to_lowercase();
        let own = folder.join(&name);
        fs::create_dir(&own)?;
        fs::hard_link(folder.join(DOWN), own.join(DOWN))?;
        let mut child = Command::new(env::current_exe()?)
            .args(["serve", &name])
            .arg(&own)
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("no output of the server")?;
        let mut address = String::new();
        BufReader::new(out).read_line(&mut address)?;
        let stream = TcpStream::connect(address.trim())?;
        stream.set_nodelay(true)?;
        let fresh = Process(child.id()).reset_peak()?;
        Ok(Self {
            child,
            stream,
            folder: own,
            fresh,
        })
    }

    /// Both ways once, unmeasured: that the bytes are the same, and warm caches for all.
    fn check(&mut self, path: &Path) -> Result<(), BoxError> {
        let mut original = File::open(path)?;
        client::down(&mut self.stream, |piece| same(&mut original, piece))?;
        client::up(&mut self.stream, &File::open(path)?)?;
        let (mut original, mut saved) = (File::open(path)?, File::open(self.folder.join(UP))?);
        let mut piece = vec![0; 1 << 20];
        loop {
            match saved.read(&mut piece)? {
                0 if original.read(&mut piece)? == 0 => break,
                n => same(&mut original, &piece[..n])?,
            }
        }
        Ok(server::clear(&self.folder)?)
    }

    fn down(&mut self) -> Result<Sample, BoxError> {
        let mut bytes = 0;
        self.measure(|stream| {
            let time = client::down(stream, |piece| {
                bytes += piece.len();
                Ok(())
            })?;
            Ok((bytes as u64, time.as_secs_f64()))
        })
    }

    fn up(&mut self, path: &Path) -> Result<Sample, BoxError> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let sample = self.measure(|stream| Ok((len, client::up(stream, &file)?.as_secs_f64())))?;
        server::clear(&self.folder)?;
        Ok(sample)
    }

    fn measure(
        &mut self,
        transfer: impl FnOnce(&mut TcpStream) -> Result<(u64, f64), BoxError>,
    ) -> Result<Sample, BoxError> {
        let process = Process(self.child.id());
        measure(process, self.fresh, || transfer(&mut self.stream))
    }
}

/// What a transfer, which gives its bytes and seconds, takes of a server.
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

impl Drop for Peer {
    fn drop(&mut self) {
        // Only fails when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
