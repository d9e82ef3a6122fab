//! A file of the store that cannot be read ends the start with one line that names the file: data is never left out in silence.
#[path = "program/mod.rs"]
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use program::{Program, request};
use prost::Message as _;

/// A data directory with a committed log record and a span in a segment.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracewright-store"));
    command.arg("--data-dir").arg(dir.path());
    let mut program = Program::start(command);
    let line = br#"{"timestamp_nanos": 1768471200, "body": {"message": "kept"}}"#;
    let path = "/api/v1/otel-logs-v0_9/ingest?commit=force";
    let answer = request(program.quickwit, "POST", path, "application/json", line).expect("an answer");
    assert!(String::from_utf8_lossy(&answer.body).contains("\"num_ingested_docs\":1"));
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        start_time_unix_nano: 1_768_471_200_000_000_000,
        end_time_unix_nano: 1_768_471_200_000_000_001,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let export =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let body = export.encode_to_vec();
    let answer = request(program.tempo_otlp_http, "POST", "/v1/traces", "application/x-protobuf", &body);
    assert_eq!(answer.expect("an answer").status, 200);
    // Writes the segment.
    let terminated = Command::new("kill").arg(program.child.id().to_string()).status();
    assert!(terminated.expect("kill is everywhere").success());
    assert!(program.child.wait().expect("ends").success());
    dir
}

/// What the program says when it ends by itself, which it must.
fn refusal(data_dir: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracewright-store"));
    command.arg("--data-dir").arg(data_dir);
    for port in ["quickwit", "quickwit-grpc", "tempo", "tempo-otlp-grpc", "tempo-otlp-http"] {
        command.args([&format!("--{port}-listen"), "127.0.0.1:0"]);
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let deadline = Instant::now() + Duration::from_secs(120);
    while child.try_wait().expect("can be asked").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it runs");
            panic!("the store starts in spite of the damage");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("has ended");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).expect("text")
}

/// The only file below `dir` whose path ends like this.
fn find(dir: &Path, end: &str) -> PathBuf {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.to_string_lossy().ends_with(end) && !path.to_string_lossy().contains("otel-traces") {
                found.push(path);
            }
        }
    }
    assert_eq!(found.len(), 1, "{end}: {found:?}");
    found.remove(0)
}

#[test]
fn a_damaged_file_ends_the_start_with_its_name() {
    let filled = filled();
    for end in ["index.json", "meta.json", ".store", ".fast", ".idx", ".term", "manifest.json", ".traces"] {
        let path = find(filled.path(), end);
        let whole = fs::read(&path).expect("can be read");
        // Cut off.
        fs::write(&path, &whole[..whole.len() / 2]).expect("can be written");
        let said = refusal(filled.path());
        let name = path.file_name().expect("a file").to_string_lossy();
        assert!(said.contains(&*name) && said.lines().count() == 1, "{end}, cut off: {said}");
        // There is something, but not a file.
        fs::remove_file(&path).expect("can be removed");
        fs::create_dir(&path).expect("can be made");
        let said = refusal(filled.path());
        assert!(said.contains(&*name) && said.lines().count() == 1, "{end}, not a file: {said}");
        fs::remove_dir(&path).expect("can be removed");
        fs::write(&path, &whole).expect("can be written");
    }
}
