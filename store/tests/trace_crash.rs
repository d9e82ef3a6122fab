//! The trace store is killed at random moments while it takes spans, cuts heads and joins segments; what it had
//! acknowledged is there afterwards, once. `TRACEWRIGHT_KILLS` asks for more kills than the few of a normal run.
//!
//! The writer is this same program, started again with a directory in its environment: heads of a few spans make it
//! cut and join all the time, which no command line asks for.
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tracewright_store::traces::{IngestError, StoreOptions, TraceStore};

const DIRECTORY: &str = "TRACEWRIGHT_TEST_WRITER_DIR";
const FIRST: &str = "TRACEWRIGHT_TEST_WRITER_FIRST";
const WRITERS: usize = 4;
const SPANS_PER_TRACE: u64 = 5;

fn options(dir: &Path) -> StoreOptions {
    StoreOptions { retention: None, head_max_spans: 100, ..StoreOptions::new(dir) }
}

fn id(number: u64) -> [u8; 16] {
    // Spread, so that segments overlap in their ids.
    let mut id = [1; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id
}

fn trace(number: u64) -> Vec<ResourceSpans> {
    let spans = (1..=SPANS_PER_TRACE).map(|span| Span {
        trace_id: id(number).to_vec(),
        span_id: span.to_be_bytes().to_vec(),
        name: format!("span {span}"),
        start_time_unix_nano: 1_768_471_200_000_000_000 + number,
        end_time_unix_nano: 1_768_471_200_000_000_000 + number + 1,
        ..Span::default()
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }]
}

/// Stores traces and prints the number of each that was acknowledged, until somebody kills the process.
fn write_until_killed(dir: &Path) {
    let first = std::env::var(FIRST).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let store = TraceStore::open(options(dir)).expect("the store opens after a kill");
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    match store.ingest(trace(number)) {
                        Ok(_) => writeln!(std::io::stdout().lock(), "ack {number}").expect("the parent reads"),
                        Err(IngestError::Busy { .. }) => std::thread::yield_now(),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
}

#[test]
fn killed_at_any_moment_the_store_keeps_every_acknowledged_trace_once() {
    if let Some(dir) = std::env::var_os(DIRECTORY) {
        write_until_killed(Path::new(&dir));
        return;
    }
    let kills: u64 = std::env::var("TRACEWRIGHT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut acknowledged = BTreeSet::new();
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().expect("the path of this program"))
            .args(["--exact", "killed_at_any_moment_the_store_keeps_every_acknowledged_trace_once", "--nocapture"])
            .env(DIRECTORY, dir.path())
            .env(FIRST, (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let output = child.stdout.take().expect("it was piped");
        let (seen, acknowledgements) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            // The last line may be cut by the kill; a number without its end would be another number.
            let numbers = lines.filter_map(|line| line.strip_prefix("ack ").and_then(|text| text.parse().ok()));
            // Nobody asks about the first rounds.
            let mut numbers: Vec<u64> = numbers.inspect(|_| seen.send(()).unwrap_or_default()).collect();
            numbers.pop();
            numbers
        });
        // In the last round something is acknowledged, on a machine that is too busy for the others, too: two, since
        // one is dropped.
        if round + 1 == kills {
            for _ in 0..2 {
                acknowledgements.recv_timeout(Duration::from_secs(120)).expect("a trace is acknowledged");
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        // From "still opening" to "has joined segments more than once".
        std::thread::sleep(Duration::from_millis(50 + u64::from(now.subsec_nanos()) % 700));
        child.kill().expect("the writer runs until it is killed");
        child.wait().expect("the writer ends");
        acknowledged.extend(reader.join().expect("the reader ends"));
    }
    let store = Arc::new(TraceStore::open(options(dir.path())).expect("the store opens after a kill"));
    assert!(!acknowledged.is_empty(), "nothing was acknowledged, so nothing was tested");
    for number in &acknowledged {
        let found = store.reader().trace(&id(*number)).expect("a trace can be read");
        let spans: Vec<&Span> =
            found.iter().flat_map(|group| &group.scope_spans).flat_map(|scope| &scope.spans).collect();
        assert_eq!(spans.len() as u64, SPANS_PER_TRACE, "trace {number} of {}", acknowledged.len());
    }
    // Traces that were stored and not acknowledged may be there too, whole.
    let stored = store.stats().stored_spans as u64;
    assert_eq!(stored % SPANS_PER_TRACE, 0);
    assert!(stored >= acknowledged.len() as u64 * SPANS_PER_TRACE);
    println!("{kills} kills, {} traces acknowledged, {stored} spans stored", acknowledged.len());
}
