//! The store is killed at random moments while senders send; nothing that was acknowledged may be missing afterwards, and
//! nothing may be there twice. `TRACEWRIGHT_KILLS` asks for more kills than the few of a normal run.
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as OtlpValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use serde_json::Value;

const RECORDS_PER_REQUEST: u64 = 20;
const SENDERS: u64 = 4;
/// 2026-01-15T10:00:00Z
const BASE_NANOS: u64 = 1_768_471_200_000_000_000;

struct Store {
    child: Child,
    address: SocketAddr,
}

impl Store {
    /// Starts the program and waits until it is ready.
    fn start(dir: &Path) -> Self {
        let addresses: Vec<SocketAddr> = {
            let listeners: Vec<_> = (0..5).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
            listeners.iter().map(|listener| listener.local_addr().expect("an address")).collect()
        };
        let flags = [
            "--quickwit-listen",
            "--quickwit-grpc-listen",
            "--tempo-listen",
            "--tempo-otlp-grpc-listen",
            "--tempo-otlp-http-listen",
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracewright-store"));
        command.arg("--data-dir").arg(dir).args(["--retention", "forever"]).stdout(Stdio::null());
        for (flag, address) in flags.iter().zip(&addresses) {
            command.arg(flag).arg(address.to_string());
        }
        let store = Self { child: command.spawn().expect("the program starts"), address: addresses[0] };
        let deadline = Instant::now() + Duration::from_secs(30);
        while store.request("GET", "/health/readyz", &[], "").is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < deadline, "the store does not get ready");
            std::thread::yield_now();
        }
        store
    }

    fn request(&self, method: &str, path: &str, body: &[u8], content_type: &str) -> Option<(u16, Vec<u8>)> {
        request(self.address, method, path, body, content_type)
    }

    fn kill(mut self) {
        self.child.kill().expect("the program runs");
        self.child.wait().expect("the program ends");
    }

    /// The numbers of all records that can be found, in the order of the hits, each as often as it is there.
    fn numbers(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            let body = serde_json::json!({
                "query": "*", "max_hits": 10_000, "start_offset": numbers.len().min(10_000), "sort_by": "-attributes.n",
            });
            let path = "/api/v1/otel-logs-v0_9/search";
            let (status, answer) =
                self.request("POST", path, body.to_string().as_bytes(), "application/json").expect("an answer");
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            let hits = answer["hits"].as_array().expect("hits");
            numbers.extend(hits.iter().map(|hit| hit["attributes"]["n"].as_u64().expect("a number")));
            let total = answer["num_hits"].as_u64().expect("a count") as usize;
            if numbers.len() >= total || hits.is_empty() {
                assert_eq!(numbers.len(), total, "more records than this test can page through");
                return numbers;
            }
        }
    }
}

/// `None` when the connection breaks.
fn request(address: SocketAddr, method: &str, path: &str, body: &[u8], content_type: &str) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: store\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&answer).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_off(end + 4)))
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
        let store = Store::start(dir.path());
        let stop = Arc::new(AtomicBool::new(false));
        let address = store.address;
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (next, acknowledged, stop) = (Arc::clone(&next), Arc::clone(&acknowledged), Arc::clone(&stop));
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let first = next.fetch_add(RECORDS_PER_REQUEST, Ordering::Relaxed);
                        let answer =
                            request(address, "POST", "/api/v1/otlp/v1/logs", &export(first), "application/x-protobuf");
                        match answer {
                            Some((200, _)) => {
                                let mut acknowledged = acknowledged.lock().expect("no sender panics");
                                acknowledged.extend(first..first + RECORDS_PER_REQUEST);
                            }
                            Some((status, body)) => {
                                panic!("status {status}: {}", String::from_utf8_lossy(&body))
                            }
                            None => return,
                        }
                    }
                })
            })
            .collect();
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
            // What can be paged through is limited: begin anew.
            std::fs::remove_dir_all(dir.path()).expect("the directory can be removed");
            acknowledged.lock().expect("no sender panics").clear();
            next.store(0, Ordering::Relaxed);
        }
    }
    assert!(sent_per_round.iter().any(|sent| *sent > 0), "no request was acknowledged: {sent_per_round:?}");
    check(dir.path(), &acknowledged.lock().expect("no sender panics"));
}

fn check(dir: &Path, acknowledged: &BTreeSet<u64>) {
    let store = Store::start(dir);
    // Replayed records are committed soon after the start.
    let deadline = Instant::now() + Duration::from_secs(20);
    let numbers = loop {
        let numbers = store.numbers();
        if acknowledged.is_subset(&numbers.iter().copied().collect()) {
            break numbers;
        }
        let missing = acknowledged.iter().filter(|number| !numbers.contains(number)).count();
        assert!(Instant::now() < deadline, "{missing} of {} acknowledged records are missing", acknowledged.len());
        std::thread::yield_now();
    };
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "records are there twice");
    store.kill();
}
