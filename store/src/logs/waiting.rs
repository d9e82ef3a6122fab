//! What was acknowledged and is not yet in an index: how much of it there is, and what of the write-ahead log it needs.

use std::collections::BTreeSet;
use std::iter::{Chain, Flatten};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tantivy::TantivyDocument;
use tantivy::schema::Document;

use super::doc_mapper::LogDocument;
use crate::wal::Seq;

/// The number of a batch that is on its way to its index. When the index was deleted meanwhile, the log needs it no more,
/// wherever on the way the batch is dropped.
#[derive(Debug)]
pub(super) struct Needed {
    pub seq: Seq,
    outstanding: Arc<Outstanding>,
    forgotten: Arc<AtomicBool>,
}

impl Needed {
    /// `forgotten` says whether the index was deleted.
    pub fn new(seq: Seq, outstanding: &Arc<Outstanding>, forgotten: &Arc<AtomicBool>) -> Self {
        outstanding.add(seq);
        Self { seq, outstanding: Arc::clone(outstanding), forgotten: Arc::clone(forgotten) }
    }
}

impl Drop for Needed {
    fn drop(&mut self) {
        if self.forgotten.load(Ordering::Acquire) {
            self.outstanding.remove([self.seq]);
        }
    }
}

/// Numbers of the write-ahead log that some index still needs.
#[derive(Debug, Default)]
pub(super) struct Outstanding(Mutex<BTreeSet<Seq>>);

impl Outstanding {
    fn add(&self, seq: Seq) {
        self.0.lock().insert(seq);
    }

    pub fn remove(&self, seqs: impl IntoIterator<Item = Seq>) {
        let mut set = self.0.lock();
        for seq in seqs {
            set.remove(&seq);
        }
    }

    pub fn oldest(&self) -> Option<Seq> {
        self.0.lock().first().copied()
    }
}

/// Bytes that wait for indexing, over all indexes.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Mutex<usize>,
    less: Condvar,
}

impl Waiting {
    /// Takes `bytes` when fewer than `limit` wait, or as soon as that is so. Blocks.
    ///
    /// # Errors
    /// How many bytes wait, when that was not so within `patience`.
    pub fn take(self: &Arc<Self>, bytes: usize, limit: usize, patience: Duration) -> Result<Weight, usize> {
        let mut waiting = self.bytes.lock();
        let timed_out = self.less.wait_while_for(&mut waiting, |waiting| *waiting >= limit, patience).timed_out();
        if timed_out {
            return Err(*waiting);
        }
        *waiting += bytes;
        Ok(Weight { bytes, waiting: Arc::clone(self) })
    }

    pub fn bytes(&self) -> usize {
        *self.bytes.lock()
    }
}

/// Bytes of [`Waiting`], which are given back when this is dropped.
#[derive(Debug)]
pub(super) struct Weight {
    bytes: usize,
    waiting: Arc<Waiting>,
}

impl Weight {
    /// For what does not count as waiting.
    pub fn nothing(waiting: &Arc<Waiting>) -> Self {
        Self { bytes: 0, waiting: Arc::clone(waiting) }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        *self.waiting.bytes.lock() -= self.bytes;
        self.waiting.less.notify_all();
    }
}

/// A document with its share of its batch's weight: when tantivy takes up the last one, the batch waits no longer.
pub(super) struct Weighed {
    document: LogDocument,
    _weight: Arc<Weight>,
}

impl Weighed {
    pub fn new(document: LogDocument, weight: Arc<Weight>) -> Self {
        Self { document, _weight: weight }
    }
}

type Fields<'a> = <TantivyDocument as Document>::FieldsValuesIter<'a>;

impl Document for Weighed {
    type Value<'a> = <TantivyDocument as Document>::Value<'a>;
    type FieldsValuesIter<'a> = Chain<Fields<'a>, Flatten<std::option::IntoIter<Fields<'a>>>>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        let LogDocument { own, shared } = &self.document;
        let shared = shared.as_ref().map(|shared| shared.iter_fields_and_values());
        own.iter_fields_and_values().chain(shared.into_iter().flatten())
    }
}
