//! What the operator reads: events on standard error, one a line, and so many in a second.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines in a second at most. An attack must not fill the disk, nor hide what else happens.
pub const LINES: u32 = 50;

/// Starts logging, at `info` unless the environment's `WEBSITE_LOG` says otherwise.
///
/// Standard output stays free for what programs read. No password, session or text of a visitor is ever part of an
/// event. A second call does nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env("WEBSITE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Limited::new(io::stderr))
        .with_ansi(io::stderr().is_terminal())
        .try_init();
}

/// A writer that takes [`LINES`] events in each second, and says how many it left out.
#[derive(Clone, Debug)]
pub struct Limited<M> {
    make: M,
    /// A plain mutex: held to count.
    second: Arc<Mutex<Second>>,
}

#[derive(Debug)]
struct Second {
    began: Instant,
    lines: u32,
    left_out: u64,
}

impl<M> Limited<M> {
    /// Limits what goes to the writers that this makes.
    pub fn new(make: M) -> Self {
        let second = Second {
            began: Instant::now(),
            lines: 0,
            left_out: 0,
        };
        Self {
            make,
            second: Arc::new(Mutex::new(second)),
        }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Limited<M> {
    type Writer = Line<M::Writer>;

    /// Called once for each event.
    fn make_writer(&'a self) -> Self::Writer {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_out = 0;
        if second.began.elapsed() >= Duration::from_secs(1) {
            left_out = second.left_out;
            *second = Second {
                began: Instant::now(),
                // The line about those that were left out is one too.
                lines: u32::from(left_out > 0),
                left_out: 0,
            };
        }
        if second.lines >= LINES {
            second.left_out += 1;
            return Line(None);
        }
        second.lines += 1;
        drop(second);
        let mut writer = self.make.make_writer();
        if left_out > 0 {
            // What cannot be written is told by the event's own write.
            let _told = writeln!(writer, "{left_out} lines were left out");
        }
        Line(Some(writer))
    }
}

/// The writer of one event, or none.
#[derive(Debug)]
pub struct Line<W>(Option<W>);

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .as_mut()
            .map_or(Ok(bytes.len()), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), Write::flush)
    }
}
