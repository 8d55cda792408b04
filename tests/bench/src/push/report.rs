//! What was measured, as a table or as JSON.

use serde_json::json;

use super::Measured;
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
            println!("ratios are ours/peer of time: below 1 is faster\n");
            println!(
                "{:<8} {:<16} {:>10} {:>10} {:>6} {:>10} {:>6} {:>10} {:>6}",
                "members", "peer", "first", "p50", "ratio", "p99", "ratio", "CPU", "ratio"
            );
        }
        Self { json }
    }

    /// Adds the lines of a room. The first one measured is ours.
    pub(super) fn add(&self, members: usize, measured: &[Measured]) {
        let Some(ours) = measured.first() else { return };
        for (at, peer) in measured.iter().enumerate() {
            let ratio = |ours, peer| quantile(&ratios(ours, peer), 0.5);
            let columns = [
                ("first-ms", &ours.first, &peer.first),
                ("p50-ms", &ours.p50, &peer.p50),
                ("p99-ms", &ours.p99, &peer.p99),
                ("cpu-us", &ours.cpu, &peer.cpu),
            ];
            if self.json {
                for (unit, ours, values) in columns {
                    let work = members.to_string();
                    let value = rounded(median(values));
                    println!(
                        "{}",
                        json!({"bench": "push", "work": work, "peer": peer.name, "unit": unit, "value": value})
                    );
                    if at > 0 {
                        let ratio = rounded(ratio(ours, values));
                        println!(
                            "{}",
                            json!({"bench": "push", "work": work, "peer": peer.name, "unit": unit, "ratio": ratio})
                        );
                    }
                }
                continue;
            }
            let of = |column: usize| {
                let (_, ours, values) = columns[column];
                let by = match at {
                    0 => String::new(),
                    _ => format!("{:.2}", ratio(ours, values)),
                };
                (median(values), by)
            };
            let (first, (p50, by50), (p99, by99), (cpu, by_cpu)) = (of(0).0, of(1), of(2), of(3));
            println!(
                "{members:<8} {:<16} {first:>7.2} ms {p50:>7.2} ms {by50:>6} {p99:>7.2} ms {by99:>6} {cpu:>7.2} µs {by_cpu:>6}",
                peer.name
            );
        }
    }
}
