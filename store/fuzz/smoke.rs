//! A short run of every fuzz target, always with the same inputs.
mod mutate;
mod run;
mod targets;

use std::path::Path;
use std::time::Duration;

use run::Limits;
use targets::Target;

/// One test: what panics is caught for the whole process.
#[test]
fn nothing_that_is_sent_makes_the_store_panic_or_fail() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    run::catch_panics();
    run::watch_for_hangs();
    let limits = Limits { executions: 300, time: Duration::MAX };
    let mut findings = Vec::new();
    for target in Target::ALL {
        let outcome = run::fuzz(target, &corpus, 1, limits);
        findings.extend(
            outcome
                .findings
                .into_iter()
                .map(|(what, input)| format!("{}: {what}\n  {}", target.name(), String::from_utf8_lossy(&input))),
        );
    }
    let _ = std::panic::take_hook();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
