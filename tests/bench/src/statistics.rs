//! Medians, and who has which turn.

/// What so large a part of the sorted values is below.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = last as f64 * part;
    let (low, high) = (at.floor(), at.ceil());
    let (low_value, high_value) = (sorted[low as usize], sorted[high as usize]);
    low_value + (high_value - low_value) * (at - low)
}

/// The median.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// One by the other, round by round, sorted. What else the machine does strikes both.
pub(crate) fn ratios(ours: &[f64], peer: &[f64]) -> Vec<f64> {
    let mut ratios: Vec<f64> = ours
        .iter()
        .zip(peer)
        .map(|(ours, peer)| ours / peer)
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// Who is measured in a place of a round. Rotated, and every second round backwards: who comes
/// first one time comes last the other.
pub(crate) fn turn(round: usize, place: usize, peers: usize) -> usize {
    let at = (place + round / 2) % peers;
    match round % 2 {
        0 => at,
        _ => peers - 1 - at,
    }
}

/// To three digits behind the point, as results are printed.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
