//! Fuzzes the store in one process, on stable Rust.
//!
//! `cargo run --release --example fuzz -- --seconds 60` spends a minute on all targets together,
//! `… -- --seconds 60 traceql` on one. Findings are written below `target/fuzz/` and end the run with status 1.
mod mutate;
mod run;
mod targets;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use run::Limits;
use targets::Target;

#[derive(Debug, Parser)]
#[command(about = "Sends changed inputs to the store; a panic, an internal error or no answer is a finding")]
struct Arguments {
    /// Seconds for all targets together; it stops by itself.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// At most so many inputs to a target at a time; with `--seed` they are always the same.
    #[arg(long, default_value_t = u64::MAX)]
    executions: u64,
    /// Where the random numbers start; the default is the clock.
    #[arg(long)]
    seed: Option<u64>,
    /// Only these targets.
    targets: Vec<Target>,
}

/// The targets take turns, so that a run that is stopped early has seen them all.
const SLICE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz");
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |elapsed| elapsed.as_secs());
    let mut seed = arguments.seed.unwrap_or(clock);
    let targets = if arguments.targets.is_empty() { Target::ALL.to_vec() } else { arguments.targets };
    run::catch_panics();
    run::watch_for_hangs();
    let total = Duration::from_secs(arguments.seconds);
    let slice = SLICE.min(total / targets.len() as u32);
    let (mut spent, mut executions, mut findings) = (Duration::ZERO, 0, 0);
    while spent < total {
        for target in &targets {
            if spent >= total {
                break;
            }
            seed = seed.wrapping_add(1);
            let outcome = run::fuzz(*target, &corpus, seed, Limits { executions: arguments.executions, time: slice });
            spent += slice;
            executions += outcome.executions;
            println!(
                "{:>6} s  {:<16} {:>8} executions, seed {seed}",
                spent.as_secs(),
                target.name(),
                outcome.executions
            );
            for (n, (what, input)) in outcome.findings.iter().enumerate() {
                findings += 1;
                println!("  {what}");
                let file = found.join(format!("{}-{seed}-{n}", target.name()));
                if let Err(error) = std::fs::create_dir_all(&found).and_then(|()| std::fs::write(&file, input)) {
                    println!("  cannot keep its input in {}: {error}", file.display());
                } else {
                    println!("  its input is in {}", file.display());
                }
            }
        }
    }
    println!("{executions} executions in {} s, {findings} findings", spent.as_secs());
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
