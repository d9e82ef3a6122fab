//! The store as a program of its own: started, watched from outside, stopped.
use std::io::{Error, Result};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::http::Connection;

/// A start that takes longer is a failure.
const START_TIMEOUT: Duration = Duration::from_secs(60);

pub struct Program {
    child: Child,
    pub tempo: SocketAddr,
    pub tempo_otlp_grpc: SocketAddr,
    pub tempo_otlp_http: SocketAddr,
    pub quickwit: SocketAddr,
    pub quickwit_grpc: SocketAddr,
    /// From the start of the process until both sides said that they are ready.
    pub started_in: Duration,
}

impl Program {
    /// Starts the program on free ports; waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started, or is not ready in time.
    pub fn start(program: &Path, data_dir: &Path, sync: &str) -> Result<Self> {
        let listeners: Vec<_> = (0..5).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_>>()?;
        let addresses: Vec<_> = listeners.iter().map(TcpListener::local_addr).collect::<Result<_>>()?;
        drop(listeners);
        let [tempo, tempo_otlp_grpc, tempo_otlp_http, quickwit, quickwit_grpc] = addresses[..] else {
            unreachable!("five listeners have five addresses");
        };
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(data_dir).args(["--sync", sync, "--log-level", "warn"]);
        for (flag, address) in [
            ("--tempo-listen", tempo),
            ("--tempo-otlp-grpc-listen", tempo_otlp_grpc),
            ("--tempo-otlp-http-listen", tempo_otlp_http),
            ("--quickwit-listen", quickwit),
            ("--quickwit-grpc-listen", quickwit_grpc),
        ] {
            command.arg(flag).arg(address.to_string());
        }
        let started = Instant::now();
        let child = command.stdout(Stdio::null()).spawn().map_err(|error| {
            Error::new(error.kind(), format!("{}: {error} (build it with --release, or name it)", program.display()))
        })?;
        let mut program = Self {
            child,
            tempo,
            tempo_otlp_grpc,
            tempo_otlp_http,
            quickwit,
            quickwit_grpc,
            started_in: Duration::ZERO,
        };
        for (address, path) in [(quickwit, "/health/readyz"), (tempo, "/ready")] {
            while !is_ready(address, path) {
                if let Some(status) = program.child.try_wait()? {
                    return Err(Error::other(format!("the store ended while it started: {status}")));
                }
                if started.elapsed() > START_TIMEOUT {
                    return Err(Error::other("the store does not get ready"));
                }
                // The program needs the core more than we do.
                std::thread::sleep(Duration::from_micros(500));
            }
        }
        program.started_in = started.elapsed();
        Ok(program)
    }

    pub fn resident_mib(&self) -> f64 {
        self.status_mib("VmRSS:")
    }

    /// Of what is resident, what files are mapped for: the system takes it back when it needs it.
    pub fn mapped_mib(&self) -> f64 {
        self.status_mib("RssFile:")
    }

    pub fn peak_mib(&self) -> f64 {
        self.status_mib("VmHWM:")
    }

    fn status_mib(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
    }

    /// Seconds of processor time that the program has used.
    pub fn cpu_s(&self) -> f64 {
        cpu_s(&self.child.id().to_string())
    }

    /// Asks it to stop, as SIGTERM does, and waits.
    ///
    /// # Errors
    /// It did not end well.
    pub fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status()?;
        let status = self.child.wait()?;
        if asked.success() && status.success() {
            Ok(())
        } else {
            Err(Error::other(format!("the store ended: {status}")))
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Ended already, unless something failed on the way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(address: SocketAddr, path: &str) -> bool {
    Connection::open(address)
        .and_then(|mut connection| connection.get(path, "*/*"))
        .is_ok_and(|answer| answer.status == 200)
}

/// Seconds of processor time that a process has used; `self` for this one.
pub fn cpu_s(process: &str) -> f64 {
    /// The unit of the kernel's count, on every Linux of today.
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_S
}
