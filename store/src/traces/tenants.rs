//! Whose traces a request is about.
//!
//! Without multi-tenancy there is one store and the header is not looked at. With it, every tenant has a store in a
//! directory of its own; a query may name several (`a|b`), an export one.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use parking_lot::Mutex;

use super::block::{self, Block};
use super::maintain::join_fragments;
use super::{StoreOptions, TraceError, TraceStore};

/// Where a request says which tenant it is about.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// The longest name of a tenant.
const MAX_NAME_BYTES: usize = 150;

#[derive(Clone)]
pub enum Tenants {
    Single(Arc<TraceStore>),
    Many(Arc<Many>),
}

/// A store per tenant, opened when first asked for.
pub struct Many {
    /// Of each tenant's store; `dir` holds a directory per tenant.
    options: StoreOptions,
    stores: Mutex<BTreeMap<String, Arc<TraceStore>>>,
}

/// Why a request has no tenant. The texts are Tempo's.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("no org id")]
    Missing,
    #[error("tenant ID '{name}' contains unsupported character '{character}'")]
    BadCharacter { name: String, character: char },
    #[error("tenant ID is too long: max {MAX_NAME_BYTES} characters")]
    TooLong,
    #[error("tenant ID is '.' or '..'")]
    Unsafe,
    #[error("multiple org IDs present")]
    Several,
    #[error(transparent)]
    Store(#[from] TraceError),
}

impl From<Arc<TraceStore>> for Tenants {
    fn from(store: Arc<TraceStore>) -> Self {
        Self::Single(store)
    }
}

impl Tenants {
    /// Opens the stores of all tenants that have a directory under `options.dir`. Blocks.
    ///
    /// # Errors
    /// [`TraceError`] of the first store that cannot be opened.
    pub fn open_many(options: StoreOptions) -> Result<Self, TraceError> {
        let dir = options.dir.clone();
        let io = |source| TraceError::io(&dir, source);
        std::fs::create_dir_all(&dir).map_err(io)?;
        let many = Many { options, stores: Mutex::default() };
        for entry in std::fs::read_dir(&dir).map_err(io)? {
            let name = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
            if check(&name).is_ok() && dir.join(&name).is_dir() {
                many.store(&name)?;
            }
        }
        Ok(Self::Many(Arc::new(many)))
    }

    /// The store that an export goes to. Opens a new tenant's store, which blocks.
    ///
    /// # Errors
    /// [`TenantError`]: nobody to give the spans to.
    pub fn for_writing(&self, header: Option<&str>) -> Result<Arc<TraceStore>, TenantError> {
        match self {
            Self::Single(store) => Ok(Arc::clone(store)),
            Self::Many(many) => match &names(header)?[..] {
                [name] => Ok(many.store(name)?),
                _ => Err(TenantError::Several),
            },
        }
    }

    /// The stores that a query is about; a tenant that never sent anything has none.
    ///
    /// # Errors
    /// [`TenantError`] when the header is missing or names no tenant.
    pub fn for_reading(&self, header: Option<&str>) -> Result<Reader, TenantError> {
        let stores = match self {
            Self::Single(store) => vec![Arc::clone(store)],
            Self::Many(many) => {
                let open = many.stores.lock();
                names(header)?.iter().filter_map(|name| open.get(*name).cloned()).collect()
            }
        };
        Ok(Reader::of(stores))
    }

    /// Every open store, with its tenant's name when there are several tenants.
    pub fn all(&self) -> Vec<(Option<String>, Arc<TraceStore>)> {
        match self {
            Self::Single(store) => vec![(None, Arc::clone(store))],
            Self::Many(many) => {
                let stores = many.stores.lock();
                stores.iter().map(|(name, store)| (Some(name.clone()), Arc::clone(store))).collect()
            }
        }
    }

    /// Closes every store; see [`TraceStore::close`].
    ///
    /// # Errors
    /// The first error; the other stores are closed all the same.
    pub fn close(&self) -> Result<(), TraceError> {
        let outcomes: Vec<_> = self.all().iter().map(|(_, store)| store.close()).collect();
        outcomes.into_iter().collect()
    }
}

impl Many {
    fn store(&self, name: &str) -> Result<Arc<TraceStore>, TraceError> {
        let mut stores = self.stores.lock();
        if let Some(store) = stores.get(name) {
            return Ok(Arc::clone(store));
        }
        let options = StoreOptions { dir: self.options.dir.join(name), ..self.options.clone() };
        let store = Arc::new(TraceStore::open(options)?);
        stores.insert(name.to_owned(), Arc::clone(&store));
        Ok(store)
    }
}

/// The names in a header, each once.
fn names(header: Option<&str>) -> Result<Vec<&str>, TenantError> {
    let header = header.filter(|header| !header.is_empty()).ok_or(TenantError::Missing)?;
    let mut names: Vec<&str> = header.split('|').collect();
    names.sort_unstable();
    names.dedup();
    names.iter().try_for_each(|name| check(name))?;
    Ok(names)
}

/// A name is also that of a directory.
fn check(name: &str) -> Result<(), TenantError> {
    if name.is_empty() {
        return Err(TenantError::Missing);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(TenantError::TooLong);
    }
    if name == "." || name == ".." {
        return Err(TenantError::Unsafe);
    }
    let allowed = |character: &char| character.is_ascii_alphanumeric() || "!-_.*'()".contains(*character);
    match name.chars().find(|character| !allowed(character)) {
        Some(character) => Err(TenantError::BadCharacter { name: name.to_owned(), character }),
        None => Ok(()),
    }
}

/// The stores that one query reads. Its methods block; see [`super::search`], [`super::tags`], [`super::metrics`].
pub struct Reader {
    stores: Vec<Arc<TraceStore>>,
}

impl Reader {
    pub(super) fn of(stores: Vec<Arc<TraceStore>>) -> Self {
        Self { stores }
    }

    /// Every stored span of a trace, each span once; empty when the id is unknown.
    ///
    /// # Errors
    /// [`TraceError`] when a segment cannot be read.
    pub fn trace(&self, id: &[u8; 16]) -> Result<Vec<ResourceSpans>, TraceError> {
        let mut fragments = Vec::new();
        self.for_each_block(&mut |block| {
            if let Some(number) = block.find(id)? {
                fragments.push(block::load_wire(block, number)?);
            }
            Ok(())
        })?;
        Ok(join_fragments(fragments))
    }

    pub(super) fn for_each_block(
        &self,
        visit: &mut dyn FnMut(&dyn Block) -> Result<(), TraceError>,
    ) -> Result<(), TraceError> {
        self.stores.iter().try_for_each(|store| store.for_each_block(visit))
    }

    pub(super) fn query_timeout(&self) -> Duration {
        self.stores.first().map_or(Duration::MAX, |store| store.options().query_timeout)
    }
}

/// When a query is given up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Option<Instant>,
    limit: Duration,
}

impl Deadline {
    pub(super) fn new(limit: Duration) -> Self {
        Self { at: Instant::now().checked_add(limit), limit }
    }

    /// To be called once per trace that is decoded.
    pub(super) fn check(&self) -> Result<(), TraceError> {
        match self.at {
            Some(at) if Instant::now() > at => Err(TraceError::QueryTimeout { limit: self.limit }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_be_safe_as_a_directory() {
        assert!(check("team-a").is_ok());
        assert_eq!(
            check("a/b").expect_err("refused").to_string(),
            "tenant ID 'a/b' contains unsupported character '/'"
        );
        assert!(check("..").is_err());
        assert!(check(&"a".repeat(151)).is_err());
    }

    #[test]
    fn a_header_may_name_several_tenants() {
        assert_eq!(names(Some("b|a|b")).expect("fine"), ["a", "b"]);
        assert!(matches!(names(None), Err(TenantError::Missing)));
        assert!(matches!(names(Some("a||b")), Err(TenantError::Missing)));
    }
}
