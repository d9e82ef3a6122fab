//! `rate`, `quantile_over_time` and their kin: matching spans, one by one, become series.
//!
//! Counts know every step, also the empty ones; minima, maxima, averages and sums only those with spans. Durations are in
//! seconds. `topk` and its kin, on finished series: `second_stage.rs`.
use std::collections::HashMap;

use super::ast::{MetricsFn, MetricsStage};
use super::steps::Steps;
use super::value::Value;

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

/// What an [`Accumulator`] collected of a part of the spans, to be added to others with the same stage and step.
pub struct Part {
    steps: Steps,
    groups: Vec<Group>,
}

impl Part {
    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        let group = |group: &Group| {
            let slots = match &group.slots {
                Slots::Counts(counts) => size_of_val(&**counts),
                Slots::Numbers(numbers) => size_of_val(&**numbers),
                Slots::Buckets(buckets) => buckets.iter().map(|counts| 64 + counts.len() * 16).sum(),
            };
            size_of::<Group>() + slots + group.exemplars.len() * size_of::<Exemplar>()
        };
        self.groups.iter().map(group).sum()
    }
}

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

    /// What was collected, for [`Accumulator::add_part`].
    pub fn into_part(self) -> Part {
        Part { steps: self.steps, groups: self.groups }
    }

    /// Adds the spans of a part. Its steps must be the same, and all of them among these.
    pub fn add_part(&mut self, part: &Part) {
        let first = ((part.steps.first_ns - self.steps.first_ns) / self.steps.step_ns) as usize;
        for one in &part.groups {
            let place = self.group(&one.labels);
            let group = &mut self.groups[place];
            match (&mut group.slots, &one.slots) {
                (Slots::Counts(counts), Slots::Counts(more)) => {
                    counts[first..].iter_mut().zip(more).for_each(|(count, more)| *count += more);
                }
                (Slots::Numbers(numbers), Slots::Numbers(more)) => {
                    for (number, more) in numbers[first..].iter_mut().zip(more).filter(|(_, more)| more.0 > 0) {
                        combine(&self.stage.function, number, *more);
                    }
                }
                (Slots::Buckets(buckets), Slots::Buckets(more)) => {
                    for (counts, more) in buckets[first..].iter_mut().zip(more) {
                        more.iter().for_each(|(exponent, count)| *counts.entry(*exponent).or_default() += count);
                    }
                }
                _ => unreachable!("the stage says which slots a group has"),
            }
            let free = self.exemplars_per_group.saturating_sub(group.exemplars.len());
            let exemplars = one.exemplars.iter().take(free);
            group
                .exemplars
                .extend(exemplars.map(|exemplar| Exemplar { step: exemplar.step + first, ..exemplar.clone() }));
        }
    }

    /// Adds a span. `value` is that of the function's attribute, nanoseconds for durations (`seconds` says so);
    /// spans without a number count for no function that needs one.
    pub fn add(
        &mut self,
        place: Place,
        trace_id: impl FnOnce() -> [u8; 16],
        time_ns: u64,
        value: Option<f64>,
        seconds: bool,
    ) {
        let Some(step) = self.steps.of(time_ns) else { return };
        let group = &mut self.groups[place];
        let scaled = value.map(|value| if seconds { value / 1e9 } else { value });
        let counted = match (&mut group.slots, value, scaled) {
            (Slots::Counts(counts), ..) => {
                counts[step] += 1;
                true
            }
            (Slots::Numbers(numbers), _, Some(scaled)) => {
                combine(&self.stage.function, &mut numbers[step], (1, scaled));
                true
            }
            (Slots::Buckets(buckets), Some(value), _) if value >= 2.0 => {
                *buckets[step].entry(log2_bucket(value)).or_default() += 1;
                true
            }
            _ => false,
        };
        if counted && group.exemplars.len() < self.exemplars_per_group {
            group.exemplars.push(Exemplar { trace_id: trace_id(), time_ns, step, value: scaled });
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

/// Adds values, of which there are some, to a slot. Both are a count with the minimum, maximum or sum of so many values.
fn combine(function: &MetricsFn, (count, number): &mut (u64, f64), (more_count, more): (u64, f64)) {
    *number = match function {
        _ if *count == 0 => more,
        MetricsFn::Min(_) => number.min(more),
        MetricsFn::Max(_) => number.max(more),
        _ => *number + more,
    };
    *count += more_count;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_in_powers_of_two() {
        let counts = HashMap::from([(27, 2), (28, 6), (30, 2)]);
        assert!((log2_quantile(0.5, &counts) / 1e9 - 0.189_812_531_248_503_14).abs() < 1e-12);
    }
}
