//! What follows a metrics function: `topk`, `bottomk` and thresholds.
use std::collections::HashMap;

use super::ast::{Op, SecondStage};
use super::metrics::Series;

/// `topk`, `bottomk` and thresholds on finished series.
pub fn second_stage(stages: &[SecondStage], series: Vec<Series>) -> Vec<Series> {
    stages.iter().fold(series, |series, stage| match stage {
        SecondStage::Threshold(op, limit) => keep(series, |_, value| holds(*op, value, *limit)),
        SecondStage::TopK(count) => rank(series, *count, true),
        SecondStage::BottomK(count) => rank(series, *count, false),
    })
}

fn holds(op: Op, value: f64, limit: f64) -> bool {
    match op {
        Op::Eq => value == limit,
        Op::Neq => value != limit,
        Op::Lt => value < limit,
        Op::Lte => value <= limit,
        Op::Gt => value > limit,
        _ => value >= limit,
    }
}

/// Drops samples, and with them their exemplars and the series that have none left. `test` gets sample and series.
fn keep(series: Vec<Series>, test: impl Fn((usize, usize), f64) -> bool) -> Vec<Series> {
    let kept = series.into_iter().enumerate().map(|(at, mut one)| {
        one.samples.retain(|(step, value)| test((*step, at), *value));
        let steps: std::collections::HashSet<usize> = one.samples.iter().map(|(step, _)| *step).collect();
        one.exemplars.retain(|exemplar| steps.contains(&exemplar.step));
        one
    });
    kept.filter(|one| !one.samples.is_empty()).collect()
}

/// The first or last `count` series of each step. Of equal values, `topk` takes the smaller labels, `bottomk` the larger.
fn rank(series: Vec<Series>, count: usize, top: bool) -> Vec<Series> {
    let mut by_step: HashMap<usize, Vec<(f64, usize)>> = HashMap::new();
    for (at, one) in series.iter().enumerate() {
        for (step, value) in &one.samples {
            by_step.entry(*step).or_default().push((*value, at));
        }
    }
    let mut chosen = std::collections::HashSet::new();
    for (step, mut values) in by_step {
        // Series are ordered by their labels, so their number stands for them.
        values.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        if !top {
            values.reverse();
        }
        chosen.extend(values.into_iter().take(count).map(|(_, at)| (step, at)));
    }
    keep(series, |place, _| chosen.contains(&place))
}
