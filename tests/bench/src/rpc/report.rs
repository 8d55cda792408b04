//! What was measured, as a table or as JSON.

use clap::ValueEnum;
use serde_json::json;

use super::{Measured, Work};
use crate::{
    machine,
    statistics::{median, quantile, ratios, rounded},
};

/// Prints as results come.
pub(super) struct Report {
    json: bool,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        if !json {
            println!("{}", machine::line());
            println!(
                "ratios are ours/peer: of replies above 1 is faster, of CPU below 1 takes less; in brackets the middle \
                 half of the rounds\n"
            );
            println!(
                "{:<10} {:<16} {:>10} {:>7}  {:<15} {:>8} {:>6}",
                "work", "peer", "replies/s", "ratio", "(spread)", "CPU", "ratio"
            );
        }
        Self { json }
    }

    /// Adds the lines of a work. The first one measured is ours.
    pub(super) fn add(&self, work: Work, measured: &[Measured]) {
        let Some(ours) = measured.first() else { return };
        let work = work.to_possible_value();
        let work = work.as_ref().map_or("", |work| work.get_name());
        for (at, peer) in measured.iter().enumerate() {
            let (rate, cpu) = (median(&peer.rate), median(&peer.cpu) * 1e6);
            let (rates, cpus) = (ratios(&ours.rate, &peer.rate), ratios(&ours.cpu, &peer.cpu));
            let (faster, less) = (quantile(&rates, 0.5), quantile(&cpus, 0.5));
            if self.json {
                let name = peer.name;
                for (unit, value) in [("replies/s", rate.round()), ("cpu-us", rounded(cpu))] {
                    println!(
                        "{}",
                        json!({"bench": "rpc", "work": work, "peer": name, "unit": unit, "value": value})
                    );
                }
                for (unit, ratio) in [("throughput", faster), ("cpu", less)] {
                    if at > 0 {
                        println!(
                            "{}",
                            json!({"bench": "rpc", "work": work, "peer": name, "unit": unit, "ratio": rounded(ratio)})
                        );
                    }
                }
            } else if at == 0 {
                println!(
                    "{work:<10} {:<16} {rate:>10.0} {:>7}  {:<15} {cpu:>5.2} µs",
                    peer.name, "", ""
                );
            } else {
                let (low, high) = (quantile(&rates, 0.25), quantile(&rates, 0.75));
                let spread = format!("({low:.2} to {high:.2})");
                println!(
                    "{:<10} {:<16} {rate:>10.0} {faster:>7.2}  {spread:<15} {cpu:>5.2} µs {less:>6.2}",
                    "", peer.name
                );
            }
        }
    }
}
