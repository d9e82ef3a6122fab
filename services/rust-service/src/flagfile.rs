//! An OpenFeature provider for a file in flagd's format, which is read again when it changes.
//!
//! flagd's own provider (`open-feature-flagd`) brings a gRPC client and a file watcher, and an engine of all of JSONLogic
//! a minute and a half, to a build that everyone does cold. Targeting is therefore read as far as `tracewright flags`
//! writes it: `if`, `in`, `or` and `var`. A file with any other operator is refused by name.

use std::collections::HashMap;
use std::convert::Infallible;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use std::{fmt, fs, io};

use async_trait::async_trait;
use open_feature::provider::{FeatureProvider, ProviderMetadata, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationError, EvaluationErrorCode, EvaluationReason,
    EvaluationResult, StructValue,
};
use serde::Deserialize;
use serde_json::Value;

/// How soon a change is seen at the latest.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The file cannot be used. Its text is the file's name and what is wrong.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    problem: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for Error {}

/// Boolean flags; clones share them.
#[derive(Clone)]
pub struct FlagFile {
    path: PathBuf,
    /// Replaced as a whole, so that the lock is held for a look-up alone.
    flags: Arc<RwLock<Arc<HashMap<String, Flag>>>>,
    metadata: ProviderMetadata,
}

struct Flag {
    variants: HashMap<String, bool>,
    default_variant: String,
    /// `None` where everybody gets the default.
    targeting: Option<Targeting>,
}

/// Chooses a variant, in JSONLogic: `{"if": [condition, "on", "off"]}`.
#[derive(Deserialize)]
enum Targeting {
    #[serde(rename = "if")]
    If(Condition, String, String),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Condition {
    /// `{"in": [{"var": "tenant"}, ["acme"]]}`
    In(Variable, Vec<String>),
    Or(Vec<Condition>),
}

#[derive(Deserialize)]
struct Variable {
    var: String,
}

impl Targeting {
    fn variant(&self, caller: &EvaluationContext) -> &str {
        let Self::If(condition, then, otherwise) = self;
        if condition.holds(caller) { then } else { otherwise }
    }
}

impl Condition {
    fn holds(&self, caller: &EvaluationContext) -> bool {
        match self {
            Self::In(Variable { var }, values) => match caller.custom_fields.get(var) {
                Some(EvaluationContextFieldValue::String(text)) => values.contains(text),
                _ => false, // this service describes its callers by texts alone
            },
            Self::Or(conditions) => conditions.iter().any(|condition| condition.holds(caller)),
        }
    }
}

#[derive(Deserialize)]
struct File {
    flags: HashMap<String, Written>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    state: String,
    variants: HashMap<String, bool>,
    default_variant: String,
    #[serde(default)]
    targeting: Value,
}

impl FlagFile {
    /// Reads the file once.
    ///
    /// # Errors
    /// It is missing, or no flagd file with boolean flags.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let flags = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            flags: Arc::new(RwLock::new(Arc::new(flags))),
            metadata: ProviderMetadata::new("flagfile"),
        })
    }

    /// Reads the file again whenever it changes. One that is missing or broken is logged once, and what it said last
    /// goes on being true. A look is one `stat`, too short to leave the async thread for.
    pub async fn watch(&self) -> Infallible {
        // What was seen when `open` read is not known: the first look reads once more.
        let mut seen = None;
        let mut first = true;
        loop {
            let now = identity(&self.path);
            if now != seen {
                match read(&self.path) {
                    Ok(flags) => {
                        *self.flags.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(flags);
                        if !first {
                            tracing::info!(file.path = %self.path.display(), "flags read");
                        }
                    }
                    Err(error) => tracing::warn!(reason = %error, "flags not read; the last ones stay"),
                }
                seen = now;
            }
            first = false;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn resolve(&self, name: &str, context: &EvaluationContext) -> EvaluationResult<ResolutionDetails<bool>> {
        let flags = Arc::clone(&self.flags.read().unwrap_or_else(PoisonError::into_inner));
        let flag = flags.get(name).ok_or_else(|| EvaluationError {
            code: EvaluationErrorCode::FlagNotFound,
            message: Some(format!("{name} is not in the file, or disabled")),
        })?;
        let (variant, reason) = match &flag.targeting {
            Some(rule) => (rule.variant(context), EvaluationReason::TargetingMatch),
            None => (flag.default_variant.as_str(), EvaluationReason::Static),
        };
        // `read` has seen to it that every variant that can be chosen is there.
        let mut details = ResolutionDetails::new(flag.variants.get(variant).copied().unwrap_or(false));
        details.variant = Some(variant.to_owned());
        details.reason = Some(reason);
        Ok(details)
    }
}

/// What tells one state of the file from the next; `None` while it is missing. The time alone does not: it counts in
/// ticks of some milliseconds, and two files that replace each other within one may be of the same length.
fn identity(path: &Path) -> Option<(u64, SystemTime, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.modified().ok()?, found.len()))
}

fn read(path: &Path) -> Result<HashMap<String, Flag>, Error> {
    let refuse = |problem: String| Error { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error: io::Error| refuse(error.to_string()))?;
    let file: File = serde_json::from_str(&text).map_err(|error| refuse(format!("is no flagd file: {error}")))?;
    let mut flags = HashMap::new();
    for (name, written) in file.flags {
        let refuse = |problem: String| refuse(format!("flag {name}: {problem}"));
        if !written.variants.contains_key(&written.default_variant) {
            return Err(refuse(format!("defaultVariant {:?} is none of its variants", written.default_variant)));
        }
        let targeted = written.targeting.as_object().is_some_and(|rule| !rule.is_empty());
        let targeting: Option<Targeting> = targeted
            .then(|| serde_json::from_value(written.targeting))
            .transpose()
            .map_err(|error| refuse(format!("its targeting: {error}")))?;
        if let Some(Targeting::If(_, then, otherwise)) = &targeting
            && let Some(unknown) = [then, otherwise].into_iter().find(|name| !written.variants.contains_key(*name))
        {
            return Err(refuse(format!("its targeting chooses {unknown:?}, which is none of its variants")));
        }
        if written.state == "ENABLED" {
            flags
                .insert(name, Flag { variants: written.variants, default_variant: written.default_variant, targeting });
        }
    }
    Ok(flags)
}

/// The fleet has boolean flags only; other types are refused.
#[async_trait]
impl FeatureProvider for FlagFile {
    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag_key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(flag_key, context)
    }

    async fn resolve_int_value(
        &self,
        flag_key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        Err(not_boolean(flag_key))
    }

    async fn resolve_float_value(
        &self,
        flag_key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        Err(not_boolean(flag_key))
    }

    async fn resolve_string_value(
        &self,
        flag_key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        Err(not_boolean(flag_key))
    }

    async fn resolve_struct_value(
        &self,
        flag_key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        Err(not_boolean(flag_key))
    }
}

fn not_boolean(name: &str) -> EvaluationError {
    EvaluationError { code: EvaluationErrorCode::TypeMismatch, message: Some(format!("{name} is a boolean flag")) }
}

#[cfg(test)]
mod tests;
