//! What was measured, as a table or as JSON.

use serde_json::json;

use super::{database::Kind, measure::Measured, work::Work};
use crate::statistics::{median, quantile, ratios, rounded};

/// Prints as results come.
pub(super) struct Report {
    kind: Kind,
    json: bool,
}

impl Report {
    pub(super) fn new(kind: Kind, json: bool) -> Self {
        if !json {
            println!(
                "\n{kind}: ratios are ours/peer, below 1 is faster; in brackets the middle half of the rounds\n"
            );
            println!(
                "{:<14} {:<9} {:>12} {:>8}  {:<15} {:>6} {:>12} {:>6}",
                "work", "peer", "time", "ratio", "(spread)", "cpu", "allocations", "ratio"
            );
        }
        Self { kind, json }
    }

    /// Adds the lines of a work. The first one measured is ours.
    pub(super) fn add(&mut self, work: Work, measured: &[Measured]) {
        let [ours, peers @ ..] = measured else { return };
        if !self.json {
            println!(
                "{:<14} {:<9} {:>9.1} µs {:>8}  {:<15} {:>6} {:>12.0}",
                work.to_string(),
                ours.name,
                micros(&ours.time),
                "",
                "",
                "",
                ours.allocations
            );
        }
        for peer in peers {
            let time = ratios(&ours.time, &peer.time);
            let cpu = ratios(&ours.cpu, &peer.cpu);
            let allocations = ours.allocations / peer.allocations.max(1.0);
            if self.json {
                for (unit, ratio) in [
                    ("time", quantile(&time, 0.5)),
                    ("cpu", quantile(&cpu, 0.5)),
                    ("allocations", allocations),
                ] {
                    let ratio = rounded(ratio);
                    println!(
                        "{}",
                        json!({"bench": "orm", "db": self.kind.to_string(), "work": work.to_string(), "peer": peer.name, "unit": unit, "ratio": ratio})
                    );
                }
            } else {
                let spread = format!(
                    "({:.2} to {:.2})",
                    quantile(&time, 0.25),
                    quantile(&time, 0.75)
                );
                println!(
                    "{:<14} {:<9} {:>9.1} µs {:>8.2}  {spread:<15} {:>6.2} {:>12.0} {allocations:>6.2}",
                    "",
                    peer.name,
                    micros(&peer.time),
                    quantile(&time, 0.5),
                    quantile(&cpu, 0.5),
                    peer.allocations
                );
            }
        }
    }
}

/// The median in microseconds.
fn micros(seconds: &[f64]) -> f64 {
    median(seconds) * 1e6
}
