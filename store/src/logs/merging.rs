//! Which segments of an index are joined, and when.
//!
//! While much comes in, joining waits: it would take the processor from the senders, and soon be done again. Afterwards
//! small segments become middle-sized ones, not one large one, so that a search can use several cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tantivy::SegmentMeta;
use tantivy::index::SegmentId;
use tantivy::indexer::{LogMergePolicy, MergeCandidate, MergePolicy};

/// Segments of about the same size before they are joined.
const MIN_SEGMENTS: usize = 6;
/// While much comes in, only beyond so many segments in all.
const MAX_SEGMENTS_WHEN_BUSY: usize = 64;
/// A segment with more documents is large enough.
const LARGE: usize = 200_000;
/// What is joined stays below this, or is a pair.
const MAX_JOINED: u32 = 400_000;
/// A segment of which more is deleted is written anew.
const MAX_DELETED: f32 = 0.5;

#[derive(Debug)]
pub(super) struct PatientMerges {
    busy: Arc<AtomicBool>,
    by_size: LogMergePolicy,
}

impl PatientMerges {
    /// `busy` is asked each time that segments change.
    pub(super) fn new(busy: Arc<AtomicBool>) -> Self {
        let mut by_size = LogMergePolicy::default();
        by_size.set_min_num_segments(MIN_SEGMENTS);
        by_size.set_max_docs_before_merge(LARGE);
        by_size.set_del_docs_ratio_before_merge(MAX_DELETED);
        Self { busy, by_size }
    }
}

impl MergePolicy for PatientMerges {
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        if self.busy.load(Ordering::Relaxed) && segments.len() < MAX_SEGMENTS_WHEN_BUSY {
            return Vec::new();
        }
        let documents = |id: SegmentId| segments.iter().find(|meta| meta.id() == id).map_or(0, SegmentMeta::num_docs);
        let candidates = self.by_size.compute_merge_candidates(segments);
        candidates.into_iter().flat_map(|MergeCandidate(ids)| groups(ids, documents)).collect()
    }
}

/// Parts of a list of segments that together are not too large. Of several, one alone is left as it is.
fn groups(ids: Vec<SegmentId>, documents: impl Fn(SegmentId) -> u32) -> Vec<MergeCandidate> {
    let is_one = ids.len() == 1;
    let mut groups: Vec<Vec<SegmentId>> = Vec::new();
    let mut joined = 0_u32;
    for id in ids {
        let own = documents(id);
        match groups.last_mut() {
            Some(group) if group.len() < 2 || joined.saturating_add(own) <= MAX_JOINED => {
                group.push(id);
                joined = joined.saturating_add(own);
            }
            _ => {
                groups.push(vec![id]);
                joined = own;
            }
        }
    }
    groups.into_iter().filter(|group| is_one || group.len() > 1).map(MergeCandidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(of: &[u32]) -> Vec<usize> {
        let ids: Vec<SegmentId> = of.iter().map(|_| SegmentId::generate_random()).collect();
        let documents = |id| of[ids.iter().position(|known| *known == id).expect("one of them")];
        groups(ids.clone(), documents).iter().map(|group| group.0.len()).collect()
    }

    #[test]
    fn many_small_segments_become_several_middle_sized_ones() {
        assert_eq!(sizes(&[60_000; 17]), [6, 6, 5]);
        assert_eq!(sizes(&[10; 8]), [8]);
    }

    #[test]
    fn what_is_too_large_for_others_is_joined_in_pairs_or_left() {
        assert_eq!(sizes(&[390_000, 390_000, 390_000]), [2]);
    }

    #[test]
    fn a_segment_with_many_deletions_comes_alone() {
        assert_eq!(sizes(&[5]), [1]);
    }
}
