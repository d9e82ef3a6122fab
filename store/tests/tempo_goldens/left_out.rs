//! Recorded cases that the store does not follow, each with its reason.

/// Why a case is left out, or `None` when it must pass.
pub fn reason(case: &str) -> Option<&'static str> {
    LEFT_OUT.iter().find(|(name, _)| *name == case).map(|(_, reason)| *reason)
}

const LEFT_OUT: &[(&str, &str)] = &[
    ("146-traceql-div-zero", "a division by zero has no result, so it matches nothing; Tempo answers 500"),
    ("152-traceql-nil-eq2", "`span.x = nil` holds beside other conditions too; Tempo finds it only alone"),
    ("295-tags-v2-q", "Tempo lists names that none of the matching spans has"),
    ("336-tagvalues-v2-q-partial", "Tempo leaves out a value that a matching span has"),
    ("389-traceql-x-nil-alone", "Tempo does not find one of the spans that lack the attribute"),
    ("390-traceql-x-nil-with-other-attr", "as 152"),
    ("391-traceql-x-nil-existing-attr", "as 389"),
];
