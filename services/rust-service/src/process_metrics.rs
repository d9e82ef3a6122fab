//! `GET /metrics`: what the operating system and Tokio say about this process, in Prometheus' text format.
//!
//! Metrics of requests and of the business go out by OTLP and are not here, or they would be counted twice.
//! The process series are read from `/proc`; on a system without it only Tokio's are shown.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Clock ticks a second in `/proc` (`USER_HZ`); part of Linux' interface, the same on all we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// One series without labels.
struct Series {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: Option<f64>,
}

/// The whole page. Must be called on the Tokio runtime.
pub fn render() -> String {
    let process = Process::read(Path::new("/proc"));
    let runtime = tokio::runtime::Handle::current().metrics();
    let gauge = |name, help, value| Series { name, kind: "gauge", help, value };
    let series = [
        Series {
            name: "process_cpu_seconds_total",
            kind: "counter",
            help: "User and system CPU time, seconds.",
            value: process.cpu_seconds,
        },
        gauge("process_resident_memory_bytes", "Resident memory, bytes.", process.resident_bytes),
        gauge("process_virtual_memory_bytes", "Virtual memory, bytes.", process.virtual_bytes),
        gauge("process_open_fds", "Open file descriptors.", process.open_fds),
        gauge("process_max_fds", "Limit of open file descriptors.", process.max_fds),
        gauge("process_threads", "Threads.", process.threads),
        gauge("process_start_time_seconds", "Start of the process, seconds since 1970.", process.start_seconds),
        gauge("tokio_workers", "Worker threads of the Tokio runtime.", Some(runtime.num_workers() as f64)),
        gauge("tokio_alive_tasks", "Tasks that have not ended.", Some(runtime.num_alive_tasks() as f64)),
        gauge("tokio_global_queue_depth", "Tasks that wait for a worker.", Some(runtime.global_queue_depth() as f64)),
    ];
    let mut page = String::new();
    for Series { name, kind, help, value } in series {
        if let Some(value) = value {
            writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
                .expect("writing to a String cannot fail");
        }
    }
    page
}

/// What `/proc/self` tells; `None` where it does not.
#[derive(Debug, Default, PartialEq)]
struct Process {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    virtual_bytes: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    threads: Option<f64>,
    start_seconds: Option<f64>,
}

impl Process {
    fn read(proc: &Path) -> Self {
        let text = |path: &str| fs::read_to_string(proc.join(path)).unwrap_or_default();
        let stat = text("self/stat");
        // The program's name, in brackets, may hold anything: the numbers begin behind the last one.
        let numbers: Vec<f64> = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.split_whitespace().skip(1).filter_map(|number| number.parse().ok()).collect())
            .unwrap_or_default();
        // proc(5) counts fields from 1, and the first number here is its field 4.
        let field = |number: usize| numbers.get(number - 4).copied();
        let status = text("self/status");
        let kibibytes = |name| Some(word_after(&status, name)? * 1024.0);
        let boot = word_after(&text("stat"), "btime");
        Self {
            cpu_seconds: field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS_PER_SECOND),
            resident_bytes: kibibytes("VmRSS:"),
            virtual_bytes: kibibytes("VmSize:"),
            open_fds: fs::read_dir(proc.join("self/fd")).ok().map(|fds| fds.count() as f64),
            max_fds: word_after(&text("self/limits"), "Max open files"),
            threads: word_after(&status, "Threads:"),
            start_seconds: boot.zip(field(22)).map(|(boot, ticks)| boot + ticks / TICKS_PER_SECOND),
        }
    }
}

/// The number after `name` on the line that starts with it.
fn word_after(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_without_proc_shows_nothing() {
        assert_eq!(Process::read(Path::new("/nowhere")), Process::default());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn proc_is_read_in_base_units() {
        let process = Process::read(Path::new("/proc"));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let age = now.as_secs_f64() - process.start_seconds.expect("start time");
        assert!((-2.0..3600.0).contains(&age), "started {age} s ago");
        let resident = process.resident_bytes.expect("resident memory");
        assert!((100_000.0..10e9).contains(&resident), "{resident} bytes");
        assert!(process.cpu_seconds.is_some_and(|seconds| (0.0..3600.0).contains(&seconds)));
        assert!(process.virtual_bytes > process.resident_bytes);
        assert!(process.open_fds > Some(2.0) && process.open_fds <= process.max_fds);
        assert!(process.threads >= Some(1.0));
    }
}
