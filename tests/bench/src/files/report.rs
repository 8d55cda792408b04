//! What was measured, as a table or as JSON.

use clap::ValueEnum;
use serde_json::json;

use super::{Measured, Sample, Work};
use crate::{
    machine,
    statistics::{median, quantile, ratios, rounded},
};

/// Prints as results come.
pub(super) struct Report {
    json: bool,
}

impl Report {
    pub(super) fn new(json: bool, size: u64) -> Self {
        if !json {
            println!("{}", machine::line());
            println!(
                "{size} MiB; ratios are ours/peer: of speed above 1 is faster, of CPU below 1 takes less; in brackets \
                 the middle half of the rounds\n"
            );
            println!(
                "{:<12} {:<18} {:>6} {:>7}  {:<15} {:>9} {:>6} {:>10}",
                "work", "peer", "GB/s", "ratio", "(spread)", "CPU s/GB", "ratio", "peak"
            );
        }
        Self { json }
    }

    /// Adds the lines of a work. The first one measured is ours.
    pub(super) fn add(&self, work: Work, measured: &[Measured]) {
        let Some(ours) = measured.first() else { return };
        let work = work.to_possible_value();
        let work = work.as_ref().map_or("", |work| work.get_name());
        let speeds = |peer: &Measured| all(peer, |sample| sample.speed);
        let cpus = |peer: &Measured| all(peer, |sample| sample.cpu);
        for (at, peer) in measured.iter().enumerate() {
            let (speed, cpu) = (median(&speeds(peer)), median(&cpus(peer)));
            let growth = peer.samples.iter().map(|sample| sample.growth).max();
            let growth = growth.unwrap_or(0) as f64 / f64::from(1 << 20);
            let speed_ratios = ratios(&speeds(ours), &speeds(peer));
            let cpu_ratios = ratios(&cpus(ours), &cpus(peer));
            let (faster, less) = (quantile(&speed_ratios, 0.5), quantile(&cpu_ratios, 0.5));
            if self.json {
                let values = [("GB/s", speed), ("cpu-s/GB", cpu), ("peak-MiB", growth)];
                for (unit, value) in values {
                    println!(
                        "{}",
                        json!({"bench": "files", "work": work, "peer": peer.name, "unit": unit, "value": rounded(value)})
                    );
                }
                for (unit, ratio) in [("throughput", faster), ("cpu", less)] {
                    if at > 0 {
                        println!(
                            "{}",
                            json!({"bench": "files", "work": work, "peer": peer.name, "unit": unit, "ratio": rounded(ratio)})
                        );
                    }
                }
            } else if at == 0 {
                println!(
                    "{work:<12} {:<18} {speed:>6.2} {:>7}  {:<15} {cpu:>9.2} {:>6} {growth:>6.1} MiB",
                    peer.name, "", "", ""
                );
            } else {
                let (low, high) = (quantile(&speed_ratios, 0.25), quantile(&speed_ratios, 0.75));
                let spread = format!("({low:.2} to {high:.2})");
                println!(
                    "{:<12} {:<18} {speed:>6.2} {faster:>7.2}  {spread:<15} {cpu:>9.2} {less:>6.2} {growth:>6.1} MiB",
                    "", peer.name
                );
            }
        }
    }
}

fn all(peer: &Measured, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
    peer.samples.iter().map(of).collect()
}
