//! The program: reads the command line, starts the log, hands over to the library, and says in one line what went wrong.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tracewright_store::config::Config;
use tracewright_store::server::{Listeners, run};
use tracing_subscriber::EnvFilter;

/// Gives memory back after a burst of requests, where the system's allocator keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the allocator keeps memory that was freed, in milliseconds; it reads that when a program begins, and from the
/// environment alone. Its own 10 look short, but are counted when memory is asked for again, which idle threads do not.
const ALLOCATOR_DELAY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "0");

/// Becomes this program again with [`ALLOCATOR_DELAY`] in the environment: the same process, a millisecond later.
fn begin_again_for_the_allocator() {
    let (name, value) = ALLOCATOR_DELAY;
    if std::env::var_os(name).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // Comes back only when it failed. Then the program takes more memory, and that is all.
        let _ = Command::new(program).args(std::env::args_os().skip(1)).env(name, value).exec();
    }
}

fn main() -> ExitCode {
    begin_again_for_the_allocator();
    let config = Config::parse();
    let filter = match EnvFilter::try_new(&config.log_level) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("tracewright-store: --log-level {}: {error}", config.log_level);
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_env_filter(filter).init();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // A thread that waits for work keeps the memory of its last request.
    runtime.enable_all().thread_keep_alive(Duration::from_secs(2));
    let runtime = match runtime.build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tracewright-store: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let listeners = Listeners::bind(&config).await.map_err(|error| error.to_string())?;
        run(config, listeners, shutdown).await.map_err(|error| error.to_string())
    });
    // What still runs is a search that nobody waits for.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tracewright-store: {error}");
            ExitCode::FAILURE
        }
    }
}
