//! The machine: what it is, which core does what, how many files may be open.

use std::{fs, io};

use rustix::{
    process::{Resource, getrlimit, setrlimit},
    system::uname,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// Which end of a connection a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Asks. It has the last core.
    Client,
    /// Is measured. It has the first core.
    Server,
}

/// Keeps this thread, and those that it starts from now on, on the core of an end. Where there is
/// one core, or the system does not allow it, nothing happens.
pub(crate) fn pin(end: End) {
    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let core = match end {
        End::Server => cores.next(),
        End::Client => cores.next_back(),
    };
    if let Some(core) = core.filter(|_| allowed.count() > 1) {
        let mut only = CpuSet::new();
        only.set(core);
        // A machine that does not allow it is measured as it is.
        let _ = sched_setaffinity(None, &only);
    }
}

/// The machine in words.
pub(crate) fn line() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    // Not as many as this process may use, which is one by now.
    let cores = cpu.lines().filter(|line| line.starts_with("processor"));
    let cores = cores.count();
    let cpu = cpu
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("an unknown CPU", |(_, name)| name);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown");
    let (name, release) = (uname(), uname());
    let (name, release) = (name.sysname(), release.release());
    let (name, release) = (name.to_string_lossy(), release.to_string_lossy());
    format!("{cores} cores, {name} {release}, {cpu}, load {load}")
}

/// Lets this process have as many files open as the system lets it.
pub(crate) fn raise_descriptors() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
