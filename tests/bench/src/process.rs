//! What the system knows of another process.

use std::{fs, str::FromStr};

use crate::error::BoxError;

/// A process by its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// CPU time so far, in seconds, to a hundredth.
    pub(crate) fn cpu(self) -> Result<f64, BoxError> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name in brackets may hold blanks; the fields behind it do not.
        let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
        let ticks = |at| {
            fields
                .split_whitespace()
                .nth(at)
                .and_then(|f| u64::from_str(f).ok())
        };
        let both = ticks(11).zip(ticks(12)).ok_or("no times in stat")?;
        // USER_HZ is 100 on every Linux there is.
        Ok((both.0 + both.1) as f64 / 100.0)
    }

    /// Lets the memory peak count from now, and gives what is resident, in bytes.
    pub(crate) fn reset_peak(self) -> Result<u64, BoxError> {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5")?;
        self.resident()
    }

    /// What is resident now, in bytes.
    pub(crate) fn resident(self) -> Result<u64, BoxError> {
        self.status("VmRSS:")
    }

    /// The memory peak since it was reset, in bytes.
    pub(crate) fn peak(self) -> Result<u64, BoxError> {
        self.status("VmHWM:")
    }

    fn status(self, key: &str) -> Result<u64, BoxError> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kib = line
            .and_then(|l| l.split_whitespace().next())
            .ok_or("no such line in status")?;
        Ok(kib.parse::<u64>()? * 1024)
    }
}
