//! A bounded cache of what was read from segments, shared by all of them.
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Segment and place in it; places are offsets of blocks.
pub type Key = (u64, u64);

/// The caches of a store.
pub struct Caches {
    /// What was read.
    pub read: Cache,
    /// What was computed from it: much smaller, and lost if a look at many columns could push it out.
    pub computed: Cache,
}

impl Caches {
    pub fn new(max_bytes: usize) -> Self {
        Self { read: Cache::new(max_bytes / 4 * 3), computed: Cache::new(max_bytes / 4) }
    }

    /// Forgets everything of a segment that is no more.
    pub fn forget(&self, segment: u64) {
        self.read.forget(segment);
        self.computed.forget(segment);
    }
}

/// Least recently used entries go first when `max_bytes` is passed.
pub struct Cache {
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    clock: u64,
}

struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    bytes: usize,
    used: u64,
}

impl Cache {
    fn new(max_bytes: usize) -> Self {
        Self { max_bytes, state: Mutex::default() }
    }

    /// The cached value, or the one that `load` returns with its size in bytes.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn get<T: Any + Send + Sync, E>(
        &self,
        key: Key,
        load: impl FnOnce() -> Result<(T, usize), E>,
    ) -> Result<Arc<T>, E> {
        if let Some(found) = self.lookup(key)
            && let Ok(value) = found.downcast::<T>()
        {
            return Ok(value);
        }
        let (value, bytes) = load()?;
        let value = Arc::new(value);
        self.insert(key, Arc::clone(&value) as Arc<dyn Any + Send + Sync>, bytes);
        Ok(value)
    }

    fn lookup(&self, key: Key) -> Option<Arc<dyn Any + Send + Sync>> {
        let mut state = self.state.lock();
        state.clock += 1;
        let now = state.clock;
        let entry = state.entries.get_mut(&key)?;
        entry.used = now;
        Some(Arc::clone(&entry.value))
    }

    fn insert(&self, key: Key, value: Arc<dyn Any + Send + Sync>, bytes: usize) {
        let mut state = self.state.lock();
        state.clock += 1;
        let used = state.clock;
        state.bytes += bytes;
        if let Some(old) = state.entries.insert(key, Entry { value, bytes, used }) {
            state.bytes -= old.bytes;
        }
        if state.bytes <= self.max_bytes {
            return;
        }
        // Down to three quarters at once, so that the sort is rare.
        let mut by_age: Vec<(u64, Key)> = state.entries.iter().map(|(key, entry)| (entry.used, *key)).collect();
        by_age.sort_unstable();
        for (_, key) in by_age {
            if state.bytes <= self.max_bytes / 4 * 3 {
                break;
            }
            if let Some(old) = state.entries.remove(&key) {
                state.bytes -= old.bytes;
            }
        }
    }

    fn forget(&self, segment: u64) {
        let mut state = self.state.lock();
        let mut freed = 0;
        state.entries.retain(|key, entry| {
            let keep = key.0 != segment;
            freed += if keep { 0 } else { entry.bytes };
            keep
        });
        state.bytes -= freed;
    }
}
