//! Recorded cases that the store does not follow, each with its reason.

/// Why a case is left out, or `None` when it must pass.
pub fn reason(case: &str) -> Option<&'static str> {
    LEFT_OUT.iter().find(|(name, _)| *name == case).map(|(_, reason)| *reason)
}

const LEFT_OUT: &[(&str, &str)] = &[];
