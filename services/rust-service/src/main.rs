//! The program: command line, runtime, stop signals. Everything else is in the library.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use rust_service::config::{Config, ConfigError, SETTINGS};
use rust_service::{service, telemetry};
use tokio::signal::unix::{SignalKind, signal};

const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(),
        ["--healthcheck"] => healthcheck(),
        ["--version"] => {
            println!("rust-service {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        ["--help"] => {
            help();
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("rust-service: unknown arguments {arguments:?}; try --help");
            ExitCode::from(2)
        }
    }
}

fn help() {
    println!("Knowledge search over HTTP.\n");
    println!("usage: rust-service [--healthcheck | --version | --help]\n");
    println!("  --healthcheck   ask the running service whether it is ready; exit code 0 when it is\n");
    println!("Settings are environment variables:\n");
    for (name, default, meaning) in SETTINGS {
        println!("  {name:<28} {meaning} [{default}]");
    }
}

fn run() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("rust-service: start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        let stop = stop_signal();
        service::run(config, stop).await
    });
    // Not waiting for tasks that hang, such as a connection to a PostgreSQL that does not answer.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rust-service: {}", telemetry::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    eprintln!("rust-service: {error}");
    ExitCode::from(2)
}

/// Completes at SIGTERM or SIGINT. The signals are taken over when it is called, not when it is awaited.
fn stop_signal() -> impl Future<Output = ()> + Send + 'static {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let [Ok(mut terminate), Ok(mut interrupt)] = signals else {
            // Without handlers the signals end the process, only less politely.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// For containers without curl: `GET /` on the configured port.
fn healthcheck() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    let host = match config.host {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    match ask(SocketAddr::new(host, config.port)) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => ExitCode::SUCCESS,
        Ok(answer) => {
            eprintln!("rust-service: not ready: {}", answer.lines().next().unwrap_or_default());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("rust-service: not ready: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, HEALTHCHECK_TIMEOUT)?;
    stream.set_read_timeout(Some(HEALTHCHECK_TIMEOUT))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
