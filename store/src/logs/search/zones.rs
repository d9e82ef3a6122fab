//! The least and the greatest time in each stretch of a segment's documents.
//!
//! Whoever looks for the newest hits among a million need not read a million times: in a stretch whose greatest time is too
//! old there is none. Logs come almost in the order of their times, so that is nearly every stretch, even where a segment
//! as a whole reaches from old to new. A segment never changes, so its zones are read once and kept.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::columnar::{Cardinality, Column};
use tantivy::index::SegmentId;
use tantivy::{DocId, Searcher};

/// Documents of a zone: 16 bytes are kept for so many.
const ZONE: usize = 512;

/// Of one segment. Documents that were deleted count, so a zone may promise more than there is, never less.
#[derive(Debug)]
pub(super) struct Zones(Vec<(u64, u64)>);

impl Zones {
    /// `None` if there are documents without a value, or with several. Reads the whole column.
    fn read(column: &Column<u64>) -> Option<Self> {
        if column.get_cardinality() != Cardinality::Full {
            return None;
        }
        let documents = column.num_docs() as usize;
        let mut values = [0; ZONE];
        let zone = |start: usize| {
            let values = &mut values[..ZONE.min(documents - start)];
            column.values.get_range(start as u64, values);
            values
                .iter()
                .fold((u64::MAX, u64::MIN), |(least, greatest), &value| (least.min(value), greatest.max(value)))
        };
        Some(Self((0..documents).step_by(ZONE).map(zone).collect()))
    }

    /// Bounds of the values of some documents, which ascend.
    pub(super) fn around(&self, docs: &[DocId]) -> (u64, u64) {
        let (Some(&first), Some(&last)) = (docs.first(), docs.last()) else { return (u64::MAX, u64::MIN) };
        let zones = &self.0[first as usize / ZONE..=last as usize / ZONE];
        zones.iter().fold((u64::MAX, u64::MIN), |bounds, zone| (bounds.0.min(zone.0), bounds.1.max(zone.1)))
    }
}

/// The zones of an index's time column, so far as they were needed.
#[derive(Debug, Default)]
pub struct KnownZones(Mutex<HashMap<SegmentId, Option<Arc<Zones>>>>);

impl KnownZones {
    #[cfg(test)]
    pub fn segments(&self) -> usize {
        self.0.lock().len()
    }

    /// Of a segment's `column`, read if they are not known.
    pub(super) fn of(&self, segment: SegmentId, column: &Column<u64>) -> Option<Arc<Zones>> {
        if let Some(known) = self.0.lock().get(&segment) {
            return known.clone();
        }
        // Not under the lock: other segments are read meanwhile.
        let zones = Zones::read(column).map(Arc::new);
        self.0.lock().insert(segment, zones.clone());
        zones
    }

    /// Gives up what was kept of segments that are gone.
    pub(super) fn forget_others(&self, searcher: &Searcher) {
        let is_there = |id: &SegmentId| searcher.segment_readers().iter().any(|reader| reader.segment_id() == *id);
        self.0.lock().retain(|id, _| is_there(id));
    }
}

#[cfg(test)]
mod tests {
    use tantivy::columnar::column_values::VecColumn;

    use super::*;

    fn column(values: Vec<u64>) -> Column<u64> {
        Column { index: tantivy::columnar::ColumnIndex::Full, values: Arc::new(VecColumn::from(values)) }
    }

    #[test]
    fn the_bounds_of_documents_hold_all_their_values() {
        let values: Vec<u64> = (0..2_000).map(|doc| 10_000 + doc * 10 + doc % 7).collect();
        let zones = Zones::read(&column(values.clone())).expect("every document has one value");
        for docs in [vec![0], vec![511, 512], vec![3, 700, 1_999], (0..2_000).collect()] {
            let (least, greatest) = zones.around(&docs);
            assert!(docs.iter().all(|&doc| (least..=greatest).contains(&values[doc as usize])), "{docs:?}");
        }
        assert!(zones.around(&[0, 511]).1 < values[1_024], "a zone knows nothing of what lies beyond its neighbours");
    }

    #[test]
    fn a_column_with_gaps_has_no_zones() {
        assert!(Zones::read(&Column::build_empty_column(10)).is_none());
    }
}
