//! `rate`, `quantile_over_time` and their kin: matching spans, one by one, become series.
//!
//! A sample stamped T covers the spans that started in (T - step, T]. Counts know every step, also the empty ones;
//! minima, maxima, averages and sums only those with spans. Durations are in seconds.
use std::collections::HashMap;

use super::ast::{MetricsFn, MetricsStage, Op, SecondStage};
use super::value::Value;

/// The steps of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The first sample's stamp.
    pub first_ns: u64,
    pub step_ns: u64,
    pub count: usize,
}

impl Steps {
    /// Steps whose stamps are multiples of the step, from the one before `start_ns` to the one after `end_ns`.
    pub fn aligned(start_ns: u64, end_ns: u64, step_ns: u64) -> Self {
        let first_ns = start_ns / step_ns * step_ns;
        let last_ns = end_ns.div_ceil(step_ns) * step_ns;
        Self { first_ns, step_ns, count: ((last_ns - first_ns) / step_ns) as usize + 1 }
    }

    /// One step for the whole window.
    pub fn single(start_ns: u64, end_ns: u64) -> Self {
        Self { first_ns: end_ns, step_ns: end_ns - start_ns, count: 1 }
    }

    /// The step that a span belongs to.
    pub fn of(&self, time_ns: u64) -> Option<usize> {
        let behind_first = (time_ns + self.step_ns).checked_sub(self.first_ns)?.checked_sub(1)?;
        let step = (behind_first / self.step_ns) as usize;
        (step < self.count).then_some(step)
    }

    pub fn stamp_ms(&self, step: usize) -> u64 {
        (self.first_ns + step as u64 * self.step_ns) / 1_000_000
    }

    /// The times that belong to some step: after the first, up to and with the second.
    pub fn bounds(&self) -> (u64, u64) {
        (self.first_ns.saturating_sub(self.step_ns), self.first_ns + (self.count as u64 - 1) * self.step_ns)
    }
}

/// A finished series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub labels: Vec<(String, Value)>,
    /// Step and value, ascending.
    pub samples: Vec<(usize, f64)>,
    pub exemplars: Vec<Exemplar>,
}

/// A span that stands for a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    pub trace_id: [u8; 16],
    pub time_ns: u64,
    pub step: usize,
    /// The span's own value; `None` where the series counts spans.
    pub value: Option<f64>,
}

/// Collects spans into groups.
pub struct Accumulator<'a> {
    stage: &'a MetricsStage,
    steps: Steps,
    groups: Vec<Group>,
    places: HashMap<String, usize>,
    /// Exemplars that each group may keep.
    exemplars_per_group: usize,
}

struct Group {
    labels: Vec<Value>,
    slots: Slots,
    exemplars: Vec<Exemplar>,
}

enum Slots {
    Counts(Vec<u64>),
    /// Count, and what is computed, per step.
    Numbers(Vec<(u64, f64)>),
    /// Per step, how many values lie in the bucket that ends at 2^n.
    Buckets(Vec<HashMap<u32, u64>>),
}

/// A group is never asked for again by its labels once its place is known.
pub type Place = usize;

impl<'a> Accumulator<'a> {
    pub fn new(stage: &'a MetricsStage, steps: Steps, max_exemplars: usize) -> Self {
        Self { stage, steps, groups: Vec::new(), places: HashMap::new(), exemplars_per_group: max_exemplars }
    }

    /// The place of the group with these values of `by(…)`.
    pub fn group(&mut self, labels: &[Value]) -> Place {
        let key: String = labels.iter().map(|label| label.group_key() + "\0").collect();
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let count = self.steps.count;
        let slots = match self.stage.function {
            MetricsFn::Rate | MetricsFn::CountOverTime | MetricsFn::Compare { .. } => Slots::Counts(vec![0; count]),
            MetricsFn::Quantile(..) | MetricsFn::Histogram(_) => Slots::Buckets(vec![HashMap::new(); count]),
            _ => Slots::Numbers(vec![(0, 0.0); count]),
        };
        self.groups.push(Group { labels: labels.to_vec(), slots, exemplars: Vec::new() });
        self.places.insert(key, self.groups.len() - 1);
        self.groups.len() - 1
    }

    /// Adds a span. `value` is that of the function's attribute, nanoseconds for durations (`seconds` says so);
    /// spans without a number count for no function that needs one.
    pub fn add(&mut self, place: Place, trace_id: [u8; 16], time_ns: u64, value: Option<f64>, seconds: bool) {
        let Some(step) = self.steps.of(time_ns) else { return };
        let group = &mut self.groups[place];
        let scaled = value.map(|value| if seconds { value / 1e9 } else { value });
        let counted = match (&mut group.slots, value, scaled) {
            (Slots::Counts(counts), ..) => {
                counts[step] += 1;
                true
            }
            (Slots::Numbers(numbers), _, Some(scaled)) => {
                let (count, number) = &mut numbers[step];
                *number = match self.stage.function {
                    _ if *count == 0 => scaled,
                    MetricsFn::Min(_) => number.min(scaled),
                    MetricsFn::Max(_) => number.max(scaled),
                    _ => *number + scaled,
                };
                *count += 1;
                true
            }
            (Slots::Buckets(buckets), Some(value), _) if value >= 2.0 => {
                *buckets[step].entry(log2_bucket(value)).or_default() += 1;
                true
            }
            _ => false,
        };
        if counted && group.exemplars.len() < self.exemplars_per_group {
            group.exemplars.push(Exemplar { trace_id, time_ns, step, value: scaled });
        }
    }

    /// The series, ordered by their labels.
    pub fn finish(self, seconds: bool) -> Vec<Series> {
        let stage = self.stage;
        let per_second = 1.0 / (self.steps.step_ns as f64 / 1e9);
        let mut series = Vec::new();
        let mut groups = self.groups;
        if groups.is_empty()
            && stage.by.is_empty()
            && matches!(stage.function, MetricsFn::Rate | MetricsFn::CountOverTime)
        {
            let slots = Slots::Counts(vec![0; self.steps.count]);
            groups.push(Group { labels: Vec::new(), slots, exemplars: Vec::new() });
        }
        groups.sort_by_key(|group| group.labels.iter().map(Value::group_key).collect::<Vec<_>>());
        for group in groups {
            let mut labels: Vec<(String, Value)> = stage.by.iter().map(ToString::to_string).zip(group.labels).collect();
            let plain = |labels: &mut Vec<(String, Value)>| {
                if labels.is_empty() {
                    labels.push(("__name__".to_owned(), Value::Str(stage.function.name().to_owned())));
                }
            };
            match group.slots {
                Slots::Counts(counts) => {
                    plain(&mut labels);
                    let factor = if stage.function == MetricsFn::Rate { per_second } else { 1.0 };
                    let samples = counts.iter().enumerate().map(|(step, count)| (step, *count as f64 * factor));
                    series.push(Series { labels, samples: samples.collect(), exemplars: group.exemplars });
                }
                Slots::Numbers(numbers) => {
                    plain(&mut labels);
                    let average = matches!(stage.function, MetricsFn::Avg(_));
                    let samples = numbers.iter().enumerate().filter(|(_, (count, _))| *count > 0);
                    let samples = samples
                        .map(|(step, (count, number))| (step, if average { number / *count as f64 } else { *number }));
                    let samples: Vec<_> = samples.collect();
                    if !samples.is_empty() {
                        series.push(Series { labels, samples, exemplars: group.exemplars });
                    }
                }
                Slots::Buckets(buckets) => {
                    of_buckets(&stage.function, &labels, &buckets, group.exemplars, seconds, &mut series);
                }
            }
        }
        series
    }
}

/// The exponent of the smallest power of two that is not below the value.
fn log2_bucket(value: f64) -> u32 {
    value.log2().ceil() as u32
}

fn of_buckets(
    function: &MetricsFn,
    by: &[(String, Value)],
    buckets: &[HashMap<u32, u64>],
    exemplars: Vec<Exemplar>,
    seconds: bool,
    series: &mut Vec<Series>,
) {
    let unit = if seconds { 1e9 } else { 1.0 };
    let with = |name: &str, value: f64| {
        let mut labels = by.to_vec();
        labels.push((name.to_owned(), Value::Float(value)));
        labels
    };
    if buckets.iter().all(HashMap::is_empty) {
        return;
    }
    if let MetricsFn::Quantile(_, quantiles) = function {
        for quantile in quantiles {
            let samples =
                buckets.iter().enumerate().map(|(step, counts)| (step, log2_quantile(*quantile, counts) / unit));
            series.push(Series {
                labels: with("p", *quantile),
                samples: samples.collect(),
                exemplars: exemplars.clone(),
            });
        }
        return;
    }
    let mut exponents: Vec<u32> = buckets.iter().flat_map(|counts| counts.keys().copied()).collect();
    exponents.sort_unstable();
    exponents.dedup();
    for exponent in exponents {
        let bound = f64::from(exponent).exp2() / unit;
        let samples = buckets.iter().enumerate();
        let samples = samples.map(|(step, counts)| (step, counts.get(&exponent).copied().unwrap_or(0) as f64));
        let own = exemplars
            .iter()
            .filter(|exemplar| exemplar.value.is_some_and(|value| log2_bucket(value * unit) == exponent));
        let own = own.map(|exemplar| Exemplar { value: None, ..exemplar.clone() }).collect();
        series.push(Series { labels: with("__bucket", bound), samples: samples.collect(), exemplars: own });
    }
}

/// The value below which the share `quantile` of the values lies, interpolated on a logarithmic scale in its bucket.
fn log2_quantile(quantile: f64, counts: &HashMap<u32, u64>) -> f64 {
    let total: u64 = counts.values().sum();
    if total == 0 {
        return 0.0;
    }
    let wanted = (quantile.clamp(0.0, 1.0) * total as f64).ceil().max(1.0);
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort();
    let mut below = 0.0;
    for (exponent, count) in sorted {
        let count = *count as f64;
        if below + count >= wanted {
            return (f64::from(*exponent) - 1.0 + (wanted - below) / count).exp2();
        }
        below += count;
    }
    0.0
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_covers_the_time_up_to_its_stamp() {
        let steps = Steps::aligned(3_000, 47_000, 10_000);
        assert_eq!((steps.first_ns, steps.count), (0, 6));
        assert_eq!(steps.of(0), Some(0));
        assert_eq!(steps.of(1), Some(1));
        assert_eq!(steps.of(10_000), Some(1));
        assert_eq!(steps.of(50_000), Some(5));
        assert_eq!(steps.of(50_001), None);
        let whole = Steps::single(100, 200);
        assert_eq!((whole.of(100), whole.of(101), whole.of(200), whole.of(201)), (None, Some(0), Some(0), None));
    }

    #[test]
    fn quantiles_interpolate_in_powers_of_two() {
        let counts = HashMap::from([(27, 2), (28, 6), (30, 2)]);
        assert!((log2_quantile(0.5, &counts) / 1e9 - 0.189_812_531_248_503_14).abs() < 1e-12);
    }
}
