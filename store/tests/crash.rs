//! The store is killed at random moments while senders send; nothing that was acknowledged may be missing afterwards, and
//! nothing may be there twice. `TRACEWRIGHT_KILLS` asks for more kills than the few of a normal run.
#[path = "program/mod.rs"]
mod program;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as OtlpValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use program::{Program, request};
use prost::Message as _;

const RECORDS_PER_REQUEST: u64 = 20;
const SENDERS: u64 = 4;
/// 2026-01-15T10:00:00Z
const BASE_NANOS: u64 = 1_768_471_200_000_000_000;

fn start(dir: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracewright-store"));
    command.arg("--data-dir").arg(dir);
    Program::start(command)
}

fn export(first: u64) -> Vec<u8> {
    let record = |number: u64| LogRecord {
        time_unix_nano: BASE_NANOS + number,
        body: Some(AnyValue { value: Some(OtlpValue::StringValue(format!("record {number}"))) }),
        attributes: vec![KeyValue {
            key: "n".to_owned(),
            value: Some(AnyValue { value: Some(OtlpValue::IntValue(number as i64)) }),
            ..KeyValue::default()
        }],
        ..LogRecord::default()
    };
    let log_records = (first..first + RECORDS_PER_REQUEST).map(record).collect();
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
        .encode_to_vec()
}

#[test]
fn killed_at_any_moment_the_store_keeps_what_it_acknowledged_once() {
    let kills: u64 = std::env::var("TRACEWRIGHT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let next = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let mut sent_per_round = Vec::new();
    for round in 0..kills {
        let store = start(dir.path());
        let stop = Arc::new(AtomicBool::new(false));
        let address = store.quickwit;
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (next, acknowledged, stop) = (Arc::clone(&next), Arc::clone(&acknowledged), Arc::clone(&stop));
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let first = next.fetch_add(RECORDS_PER_REQUEST, Ordering::Relaxed);
                        let path = "/api/v1/otlp/v1/logs";
                        match request(address, "POST", path, "application/x-protobuf", &export(first)) {
                            Some(answer) if answer.status == 200 => {
                                let mut acknowledged = acknowledged.lock().expect("no sender panics");
                                acknowledged.extend(first..first + RECORDS_PER_REQUEST);
                            }
                            Some(answer) => {
                                panic!("status {}: {}", answer.status, String::from_utf8_lossy(&answer.body))
                            }
                            None => return,
                        }
                    }
                })
            })
            .collect();
        // At least the last round has something to lose, on a machine that is too busy for the others, too.
        if round + 1 == kills {
            let deadline = Instant::now() + Duration::from_secs(120);
            while acknowledged.lock().expect("no sender panics").is_empty() {
                assert!(Instant::now() < deadline, "no request is acknowledged");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // Some kills hit the first commit, some a merge; the moments differ from round to round.
        std::thread::sleep(Duration::from_millis(30 + round * 137 % 700));
        store.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().expect("no sender panics");
        }
        sent_per_round.push(acknowledged.lock().expect("no sender panics").len());
        if next.load(Ordering::Relaxed) > 15_000 {
            check(dir.path(), &acknowledged.lock().expect("no sender panics"));
            // Else each check would read more than the one before: begin anew.
            std::fs::remove_dir_all(dir.path()).expect("the directory can be removed");
            acknowledged.lock().expect("no sender panics").clear();
            next.store(0, Ordering::Relaxed);
        }
    }
    assert!(sent_per_round.iter().any(|sent| *sent > 0), "no request was acknowledged: {sent_per_round:?}");
    check(dir.path(), &acknowledged.lock().expect("no sender panics"));
}

fn check(dir: &Path, acknowledged: &BTreeSet<u64>) {
    let store = start(dir);
    // Replayed records are committed soon after the start.
    let deadline = Instant::now() + Duration::from_secs(120);
    let numbers = loop {
        let numbers = store.log_numbers();
        if acknowledged.is_subset(&numbers.iter().copied().collect()) {
            break numbers;
        }
        let missing = acknowledged.iter().filter(|number| !numbers.contains(number)).count();
        assert!(Instant::now() < deadline, "{missing} of {} acknowledged records are missing", acknowledged.len());
        std::thread::sleep(Duration::from_millis(5));
    };
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "records are there twice");
    store.kill();
}
