//! The order of things: ingest runs on fresh stores, the last of each kind on one store that then is searched.
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Options;
use crate::body::Body;
use crate::grpc::Failure;
use crate::http::Connection;
use crate::program::{Program, cpu_s};
use crate::queries::Query;
use crate::report::{Goal, Report, Times, grouped};
use crate::senders::{Target, send};
use crate::{logs, spans};

/// Times that a single record is looked for.
const PROBES: u64 = 20;
/// Times that the store is started again.
const STARTS: usize = 5;
/// Until what was sent can be found; longer is a failure.
const SEARCHABLE_TIMEOUT: Duration = Duration::from_secs(120);
/// What was sent last is written, merged and given back by then.
const SETTLE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Logs,
    Traces,
}

#[derive(Debug, Clone, Copy)]
struct Ingest {
    signal: Signal,
    grpc: bool,
    batch: usize,
}

/// Of each signal, the last is the one whose store is searched.
const BATCHES: [(bool, usize); 4] = [(true, 1_000), (true, 500), (false, 1_000), (false, 500)];

pub fn run(options: &Options) -> Result<Report, Failure> {
    let bench = Bench::new(options)?;
    let mut report = Report::default();
    let shared_dir = bench.dir()?;
    let shared = bench.start(shared_dir.path())?;
    let empty_mib = shared.resident_mib();
    for signal in [Signal::Logs, Signal::Traces] {
        let (name, unit) = match signal {
            Signal::Logs => ("Logs", "records/s"),
            Signal::Traces => ("Traces", "spans/s"),
        };
        report.section(&format!("{name} in, {} senders ({unit}; answers p50 / p95 ms)", options.senders));
        for (at, (grpc, batch)) in BATCHES.into_iter().enumerate() {
            let ingest = Ingest { signal, grpc, batch };
            if at + 1 == BATCHES.len() {
                bench.ingest(&shared, ingest, &mut report)?;
            } else if !options.quick {
                let dir = bench.dir()?;
                let store = bench.start(dir.path())?;
                bench.ingest(&store, ingest, &mut report)?;
                store.stop()?;
            }
        }
    }
    // Whoever looks at a dashboard does so after the last record came, not in the same instant.
    std::thread::sleep(SETTLE);
    let loaded_mib = shared.resident_mib();
    bench.queries(&shared, &mut report)?;
    report.section("The program, with all of that in one store");
    let mib = shared.resident_mib();
    let (mapped, peak) = (shared.mapped_mib(), shared.peak_mib());
    let shown =
        format!("{mib:.0} MiB ({mapped:.0} of files; empty {empty_mib:.0}, loaded {loaded_mib:.0}, peak {peak:.0})");
    report.add("  resident after the searches", &shown, mib, Goal::AtMost(150.0), "150-210 + 380-415 MiB");
    shared.stop()?;
    bench.restarts(shared_dir.path(), &mut report)?;
    Ok(report)
}

struct Bench<'a> {
    options: &'a Options,
    program: PathBuf,
    now_ns: u64,
}

impl<'a> Bench<'a> {
    fn new(options: &'a Options) -> Result<Self, Failure> {
        let beside = || -> Result<PathBuf, Failure> {
            // target/release/examples/bench_store, target/release/tracewright-store
            let own = std::env::current_exe()?;
            let dir = own.parent().and_then(Path::parent).ok_or("this program has no place")?;
            Ok(dir.join("tracewright-store"))
        };
        let program = options.program.clone().map_or_else(beside, Ok)?;
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        Ok(Self { options, program, now_ns })
    }

    fn dir(&self) -> std::io::Result<tempfile::TempDir> {
        match &self.options.dir {
            Some(dir) => tempfile::tempdir_in(dir),
            None => tempfile::tempdir(),
        }
    }

    fn start(&self, dir: &Path) -> std::io::Result<Program> {
        Program::start(&self.program, dir, &self.options.sync)
    }

    fn total(&self) -> usize {
        self.options.records as usize
    }

    fn ingest(&self, store: &Program, ingest: Ingest, report: &mut Report) -> Result<(), Failure> {
        let Ingest { signal, grpc, batch } = ingest;
        let name = format!("  {}, batches of {}", if grpc { "gRPC" } else { "HTTP" }, grouped(batch as f64));
        let requests = match signal {
            Signal::Logs => logs::requests(self.total(), batch),
            Signal::Traces => spans::requests(self.total(), batch, self.now_ns),
        };
        let cpu_before = (store.cpu_s(), cpu_s("self"));
        let sent = send(target(store, signal, grpc), &requests, self.options.senders.into())?;
        let senders_cpu = cpu_s("self") - cpu_before.1;
        let answered = Instant::now();
        wait_until_searchable(store, signal, &requests)?;
        let searchable = answered.elapsed();
        let store_cpu = store.cpu_s() - cpu_before.0;
        let rate = self.total() as f64 / sent.took.as_secs_f64();
        let per_item = |cpu: f64| cpu / self.total() as f64 * 1e6;
        progress(&format!(
            "{signal:?}{name}: {}/s; processor time for one: {:.1} us in the store, {:.1} us in the senders; {} told to \
             wait; all found {:.2} s after the last answer; {:.0} MiB resident",
            grouped(rate),
            per_item(store_cpu),
            per_item(senders_cpu),
            sent.told_to_wait,
            searchable.as_secs_f64(),
            store.resident_mib(),
        ));
        let goal = if signal == Signal::Logs { 100_000.0 } else { 150_000.0 };
        let recorded = match (signal, grpc, batch) {
            (Signal::Logs, false, 1_000) => "36,000-107,000 (9-20 / -), one sender",
            (Signal::Traces, false, 500) => "148,000-176,000 (4.4 / 12.6), two senders, not on disk yet",
            _ => "",
        };
        let shown = format!("{} ({:.1} / {:.1})", grouped(rate), sent.answers.at(0.5), sent.answers.at(0.95));
        report.add(&name, &shown, rate, Goal::AtLeast(goal), recorded);
        Ok(())
    }

    fn queries(&self, store: &Program, report: &mut Report) -> Result<(), Failure> {
        report.section(&format!("Logs, search among {} (first; p50 / p95 ms)", grouped(self.total() as f64)));
        for query in logs::queries(self.total()) {
            self.query(&query, (store, store.quickwit), report)?;
        }
        progress("logs: time to searchable");
        searchable_row(report, time_to_searchable(store, Signal::Logs)?, "5,100-6,000");
        report.section(&format!("Traces, search among {} spans (first; p50 / p95 ms)", grouped(self.total() as f64)));
        for query in spans::queries(self.total(), self.now_ns) {
            self.query(&query, (store, store.tempo), report)?;
        }
        progress("traces: time to searchable");
        searchable_row(report, time_to_searchable(store, Signal::Traces)?, "9,800 (30,000 with defaults)");
        Ok(())
    }

    fn query(&self, query: &Query, of: (&Program, SocketAddr), report: &mut Report) -> Result<(), Failure> {
        let (store, address) = of;
        let cpu_before = store.cpu_s();
        let times = query.run(address, self.options.rounds.into())?;
        let cpu_ms = (store.cpu_s() - cpu_before) * 1e3 / f64::from(self.options.rounds);
        let (p50, p95) = (times.at(0.5), times.at(0.95));
        let shown = format!("{:.1}; {p50:.1} / {p95:.1}", times.first());
        progress(&format!("{}: {shown} ms; processor time {cpu_ms:.1} ms", query.name));
        let recorded = format!("{} / {}", query.recorded.p50, query.recorded.p95);
        report.add(&format!("  {}", query.name), &shown, p95, Goal::AtMost(10.0), &recorded);
        Ok(())
    }

    fn restarts(&self, dir: &Path, report: &mut Report) -> Result<(), Failure> {
        let mut times = Vec::new();
        let mut mib = 0.0;
        for _ in 0..STARTS {
            let store = self.start(dir)?;
            times.push(store.started_in);
            mib = store.resident_mib();
            store.stop()?;
        }
        let times = Times::of(times);
        let slowest = times.at(1.0);
        let shown = format!("{:.0} / {slowest:.0} ms ({mib:.0} MiB)", times.at(0.5));
        report.add(
            "  start with that data, p50 / slowest",
            &shown,
            slowest,
            Goal::AtMost(100.0),
            "4,000-5,000; 73-190 ms",
        );
        Ok(())
    }
}

fn searchable_row(report: &mut Report, times: Times, recorded: &str) {
    let p95 = times.at(0.95);
    let shown = format!("{:.0} / {p95:.0}", times.at(0.5));
    // "Well under a second."
    report.add("  one more, sent and then found", &shown, p95, Goal::AtMost(700.0), recorded);
}

fn target(store: &Program, signal: Signal, grpc: bool) -> Target {
    match (signal, grpc) {
        (Signal::Logs, false) => Target::Http { address: store.quickwit, path: "/api/v1/otlp/v1/logs" },
        (Signal::Logs, true) => Target::Grpc {
            address: store.quickwit_grpc,
            path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        },
        (Signal::Traces, false) => Target::Http { address: store.tempo_otlp_http, path: "/v1/traces" },
        (Signal::Traces, true) => Target::Grpc {
            address: store.tempo_otlp_grpc,
            path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        },
    }
}

/// Logs are found after a commit; spans at once, so there is nothing to wait for.
fn wait_until_searchable(store: &Program, signal: Signal, requests: &[Body]) -> Result<(), Failure> {
    if signal == Signal::Traces {
        return Ok(());
    }
    let all: usize = requests.iter().map(|request| request.items).sum();
    let needle = format!("\"count\":{all}");
    let path = "/api/v1/_elastic/otel-logs-v0_9/_count";
    until(|| get_has(store, Signal::Logs, path, &needle))
}

fn get_has(store: &Program, signal: Signal, path: &str, needle: &str) -> Result<bool, Failure> {
    let address = if signal == Signal::Logs { store.quickwit } else { store.tempo };
    let answer = Connection::open(address)?.get(path, "application/json")?;
    Ok(String::from_utf8_lossy(&answer.body).contains(needle))
}

fn until(mut is_so: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let started = Instant::now();
    while !is_so()? {
        if started.elapsed() > SEARCHABLE_TIMEOUT {
            return Err("what was sent is not found".into());
        }
        // Short against what is measured, long against what asking costs.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Sends single records; each is looked for from the moment of its answer.
fn time_to_searchable(store: &Program, signal: Signal) -> Result<Times, Failure> {
    let mut times = Vec::new();
    for probe in 0..PROBES {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        // Beyond the traces of every run.
        let number = now.as_secs() * PROBES + probe;
        let (body, trace, path);
        match signal {
            Signal::Logs => {
                (body, trace) = logs::probe(number);
                path = format!("/api/v1/otel-logs-v0_9/search?query=trace_id:{trace}");
            }
            Signal::Traces => {
                (body, trace) = spans::probe(number, now.as_nanos() as u64);
                let query = format!("%7B%20trace:id%20%3D%20%22{trace}%22%20%7D");
                path = format!("/api/search?q={query}&start={}&end={}", now.as_secs() - 60, now.as_secs() + 60);
            }
        }
        send(target(store, signal, false), &[body], 1)?;
        let answered = Instant::now();
        let needle = trace.trim_start_matches('0').to_owned();
        until(|| get_has(store, signal, &path, &needle))?;
        times.push(answered.elapsed());
    }
    Ok(Times::of(times))
}

/// On stderr, so that the table stands alone on stdout.
fn progress(text: &str) {
    eprintln!("{text}");
}
