//! Where the store departs from the recorded answer on purpose. `DIFFERENCES.md` gives users the same list.
use crate::world::Answer;

pub struct Difference {
    case: &'static str,
    /// What the store answers instead.
    status: u16,
    /// Must stand in the body.
    part: &'static str,
}

pub const DIFFERENCES: &[Difference] = &[
    Difference { case: "cases/026-search-snippet", status: 400, part: "snippet field `body`" },
    Difference { case: "cases/027-search-snippet-json-subfield", status: 400, part: "body.message" },
    Difference { case: "cases/186-q-not-indexed-u64", status: 400, part: "field trace_flags is not indexed" },
    Difference {
        case: "cases/224-agg-date-histogram-too-many-buckets",
        status: 400,
        part: "bucket limit was exceeded",
    },
    Difference { case: "cases/381-otlp-empty-body", status: 200, part: "\"rejected_log_records\":0" },
    Difference { case: "cases/382-otlp-empty-resource-logs", status: 200, part: "\"rejected_log_records\":0" },
    Difference { case: "cases/390-otlp-header-unknown-index", status: 404, part: "`no-such-index` not found" },
    Difference { case: "cases/391-otlp-header-invalid-index", status: 400, part: "`bad$index` is invalid" },
    Difference { case: "cases/392-otlp-path-unknown-index", status: 404, part: "`no-such-index` not found" },
    Difference { case: "cases/393-otlp-bad-trace-id-length", status: 400, part: "16 bytes long, got 2" },
    Difference { case: "cases/401-ingest-bad-json-line", status: 200, part: "\"num_rejected_docs\":1" },
];

pub fn find(case: &str) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|difference| difference.case == case)
}

impl Difference {
    pub fn check(&self, answer: &Answer) -> Result<(), String> {
        let body = answer.body.to_string();
        if answer.status != self.status || !body.contains(self.part) {
            let (status, part) = (self.status, self.part);
            return Err(format!("{status} with `{part}` is documented, got {}: {body}", answer.status));
        }
        Ok(())
    }
}

/// Each difference stands in the document under its case's name.
pub fn check_documented() -> Result<(), String> {
    let document = include_str!("../../DIFFERENCES.md");
    match DIFFERENCES.iter().find(|difference| !document.contains(difference.case)) {
        Some(missing) => Err(format!("DIFFERENCES.md does not name {}", missing.case)),
        None => Ok(()),
    }
}
