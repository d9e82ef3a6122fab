//! Measures the store from outside, as a program: ingest over OTLP, time to searchable, searches, memory, start-up.
//!
//! `make bench-store`, or `cargo run --release -p tracewright-store --example bench_store -- --help`.
//!
//! The senders run on the machine that is measured, so they are made to cost little: every request is encoded before
//! the clock starts, HTTP and gRPC are the least that the protocols ask for. What they cost all the same is printed.
//!
//! "Real program" is Quickwit 0.9.0 (at 100,000 records) and Tempo 3.0.3 (at 200,000 spans), recorded elsewhere on two
//! shared cores with builds that were not optimised: orders of magnitude, not a race.
mod body;
mod grpc;
mod http;
mod logs;
mod program;
mod queries;
mod report;
mod run;
mod senders;
mod spans;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Measures the store as a program: ingest over OTLP, time to searchable, searches, memory, start-up
#[derive(Debug, Clone, Parser)]
#[command(name = "bench-store", after_help = EXAMPLES)]
pub struct Options {
    /// Log records, and spans, of each run
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    pub records: u64,

    /// Senders, each with a connection of its own
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub senders: u8,

    /// How often each query is asked
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,

    /// The store's `--sync`
    #[arg(long, default_value = "always")]
    pub sync: String,

    /// Only the last ingest run of each kind, and what follows from it
    #[arg(long)]
    pub quick: bool,

    /// The store [default: tracewright-store of the same build]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,

    /// Where the stores' directories are made, and removed again [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  Everything at 1,000,000 records, a few minutes on two cores that do nothing else:
    make bench-store

  A first look:
    make bench-store RECORDS=100000

  One run of each kind, with more senders:
    cargo run --release -p tracewright-store --example bench_store -- --quick --senders 8";

fn main() -> ExitCode {
    match run::run(&Options::parse()) {
        Ok(report) => {
            println!("{}", report.text());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-store: {error}");
            ExitCode::FAILURE
        }
    }
}
