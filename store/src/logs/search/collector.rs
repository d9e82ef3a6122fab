//! Collects the best hits and the exact count in one pass.

use std::cell::OnceCell;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

use super::super::doc_mapper::SEQ_FIELD;
use super::sort::{Order, ResolvedKey, SegmentKey, SortKey};
use super::zones::Zones;

#[derive(Debug)]
pub(super) struct HitsCollector {
    pub keys: Vec<ResolvedKey>,
    /// How many of the best to keep.
    pub keep: usize,
    /// Only hits that come after these keys; they are counted all the same.
    pub after: Option<Vec<SortKey>>,
}

/// What a hit is ordered by: its sort keys, then its arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    keys: [SortKey; 2],
    arrival: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ranked {
    pub rank: Rank,
    pub address: DocAddress,
}

impl Ranked {
    /// The sort values, as many as there are sort fields, as the answer shows them.
    pub(super) fn sort_values(&self, keys: &[ResolvedKey], split: &str) -> Vec<serde_json::Value> {
        keys.iter().zip(self.rank.keys).map(|(key, value)| key.show(value, split)).collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct Found {
    pub count: u64,
    pub best: Vec<Ranked>,
}

pub(super) struct HitsSegmentCollector {
    keys: Vec<SegmentKey>,
    seq: Column<u64>,
    newest_first: bool,
    segment: SegmentOrdinal,
    after: Option<Vec<SortKey>>,
    count: u64,
    best: Best,
    /// Hits that were not looked at yet, in the order of their numbers.
    pending: Vec<DocId>,
    /// Of the first sort key, once there are hits to be dismissed by them.
    zones: OnceCell<Option<Arc<Zones>>>,
    /// First sort keys of a block, to be filled again and again.
    lead: [Option<u64>; BLOCK],
}

/// Hits that are gathered before they are looked at, the last first: newer logs mostly have higher numbers, so the best
/// come early and all others are dismissed by a look at one column.
const PENDING: usize = 8_192;
/// Hits whose first sort key is read at once.
const BLOCK: usize = 128;

/// The best so far, kept in a buffer that is cut back when it is full. Cheaper than a heap when hits come in an order in
/// which each is better than the last.
struct Best {
    keep: usize,
    buffer: Vec<Ranked>,
    /// Once as many as wanted are known: worse ones need not be looked at.
    threshold: Option<Rank>,
}

/// Rooms in the buffer beyond those that are kept.
const SLACK: usize = 256;

impl Best {
    fn new(keep: usize) -> Self {
        Self { keep, buffer: Vec::new(), threshold: None }
    }

    #[inline]
    fn push(&mut self, ranked: Ranked) {
        if self.threshold.is_some_and(|threshold| ranked.rank < threshold) {
            return;
        }
        self.buffer.push(ranked);
        if self.buffer.len() >= self.keep + SLACK {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.buffer.len() <= self.keep {
            return;
        }
        self.buffer.select_nth_unstable_by(self.keep - 1, |one, other| other.cmp(one));
        self.buffer.truncate(self.keep);
        self.threshold = self.buffer.last().map(|worst| worst.rank);
    }
}

impl Collector for HitsCollector {
    type Fruit = Found;
    type Child = HitsSegmentCollector;

    fn for_segment(&self, segment: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<Self::Child> {
        Ok(HitsSegmentCollector {
            keys: self.keys.iter().map(|key| key.in_segment(reader)).collect::<tantivy::Result<_>>()?,
            seq: reader.fast_fields().u64(SEQ_FIELD)?,
            // Equal hits come in order of arrival when the first key ascends, else newest first.
            newest_first: self.keys.first().is_none_or(|key| key.order() == Order::Descending),
            segment,
            after: self.after.clone(),
            count: 0,
            best: Best::new(self.keep),
            pending: Vec::new(),
            zones: OnceCell::new(),
            lead: [None; BLOCK],
        })
    }

    fn requires_scoring(&self) -> bool {
        self.keys.iter().any(ResolvedKey::is_score)
    }

    fn merge_fruits(&self, fruits: Vec<Found>) -> tantivy::Result<Found> {
        let mut merged = Found::default();
        for fruit in fruits {
            merged.count += fruit.count;
            merged.best.extend(fruit.best);
        }
        merged.best.sort_unstable_by(|one, other| other.cmp(one));
        merged.best.truncate(self.keep);
        Ok(merged)
    }
}

impl SegmentCollector for HitsSegmentCollector {
    type Fruit = Found;

    #[inline]
    fn collect(&mut self, doc: DocId, score: Score) {
        self.count += 1;
        if self.best.keep > 0 {
            self.consider(doc, score);
        }
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        self.count += docs.len() as u64;
        if self.best.keep == 0 {
            return;
        }
        self.pending.extend_from_slice(docs);
        if self.pending.len() >= PENDING {
            self.look_at_pending();
        }
    }

    fn harvest(mut self) -> Found {
        self.look_at_pending();
        if self.best.keep > 0 {
            self.best.cut();
        }
        Found { count: self.count, best: self.best.buffer }
    }
}

impl HitsSegmentCollector {
    fn look_at_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for docs in pending.rchunks(BLOCK) {
            let floor = self.best.threshold.map(|threshold| threshold.keys[0]);
            match (floor, self.keys.first()) {
                (Some(floor), Some(lead)) => {
                    let zones = self.zones.get_or_init(|| lead.zones());
                    if zones.as_ref().is_some_and(|zones| !lead.may_reach(floor, docs, zones)) {
                        continue;
                    }
                    let mut worthy = [false; BLOCK];
                    let values = &mut self.lead[..docs.len()];
                    lead.at_least(floor, docs, values, &mut worthy[..docs.len()]);
                    for (doc, worthy) in docs.iter().zip(worthy).rev() {
                        if worthy {
                            self.consider(*doc, 0.0);
                        }
                    }
                }
                _ => docs.iter().rev().for_each(|doc| self.consider(*doc, 0.0)),
            }
        }
        self.pending = pending;
        self.pending.clear();
    }

    #[inline]
    fn consider(&mut self, doc: DocId, score: Score) {
        let mut keys = [SortKey::MISSING; 2];
        for (slot, key) in keys.iter_mut().zip(&self.keys) {
            *slot = key.of(doc, score);
        }
        if self.best.threshold.is_some_and(|threshold| keys < threshold.keys) {
            return;
        }
        // Larger keys come first, so what comes after is smaller.
        if self.after.as_ref().is_some_and(|after| keys[..self.keys.len()] >= after[..]) {
            return;
        }
        let seq = self.seq.first(doc).unwrap_or_default();
        let rank = Rank { keys, arrival: if self.newest_first { seq } else { !seq } };
        self.best.push(Ranked { rank, address: DocAddress::new(self.segment, doc) });
    }
}
