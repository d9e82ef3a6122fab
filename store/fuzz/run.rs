//! The loop: take an input, change it, send it, keep what got a new kind of answer, note what must not happen.
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::mutate::{Rng, mutate};
use crate::targets::{Answer, Target, World};

/// An answer that takes longer is a finding. Far above what a busy machine needs for one request.
const TOO_SLOW: Duration = Duration::from_secs(20);
/// After this the process gives up with the input on stderr: the request will never be answered.
const HANGS: Duration = Duration::from_secs(120);
/// A world that took this many inputs is thrown away, so that what was ingested does not pile up.
const INPUTS_PER_WORLD: u64 = 4_000;
/// Inputs kept because their answer was of a new kind.
const MAX_POOL: usize = 2_000;

/// What all threads panicked with since the last look.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// When the request that runs was sent, in milliseconds since 1970; 0 when none runs.
static SENT_MS: AtomicU64 = AtomicU64::new(0);
static RUNNING: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[derive(Debug, Default)]
pub struct Outcome {
    pub executions: u64,
    /// The first input for each thing that must not happen.
    pub findings: BTreeMap<String, Vec<u8>>,
}

/// Records panics of every thread instead of printing them. Call once.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        let text = info.payload_as_str().unwrap_or("no text");
        PANICS.lock().expect("pushing does not panic").push(format!("panic at {place}: {text}"));
    }));
}

/// Ends the process when a request is never answered. Call once.
pub fn watch_for_hangs() {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let sent = SENT_MS.load(Ordering::Relaxed);
            if sent != 0 && now_ms().saturating_sub(sent) > HANGS.as_millis() as u64 {
                let input = RUNNING.lock().expect("copying does not panic").clone();
                eprintln!("no answer to: {}", String::from_utf8_lossy(&input));
                std::process::exit(3);
            }
        }
    });
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// When to stop: whichever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub executions: u64,
    pub time: Duration,
}

/// Fuzzes one target; the same seed, corpus and number of executions give the same inputs.
pub fn fuzz(target: Target, corpus: &Path, seed: u64, limits: Limits) -> Outcome {
    let seeds = target.seeds(corpus);
    let mut pool = seeds.clone();
    let mut kinds = HashSet::new();
    let mut rng = Rng::new(seed);
    let mut outcome = Outcome::default();
    let started = Instant::now();
    let mut world = World::new(target, corpus);
    loop {
        if outcome.executions >= limits.executions || started.elapsed() >= limits.time {
            return outcome;
        }
        let at = outcome.executions;
        if at > 0 && at.is_multiple_of(INPUTS_PER_WORLD) {
            world = World::new(target, corpus);
        }
        // Every seed goes in unchanged first.
        let input = match seeds.get(at as usize) {
            Some(seed) => seed.clone(),
            None => {
                let base: &Vec<u8> = rng.pick(&pool);
                mutate(base, target.is_text(), &seeds, target.words(), &mut rng)
            }
        };
        outcome.executions += 1;
        let (answer, took) = send(&mut world, &input);
        for what in faults(&answer, took) {
            outcome.findings.entry(what).or_insert_with(|| input.clone());
        }
        if kinds.insert(kind(&answer)) && pool.len() < MAX_POOL {
            pool.push(input);
        }
    }
}

fn send(world: &mut World, input: &[u8]) -> (Answer, Duration) {
    *RUNNING.lock().expect("copying does not panic") = input.to_vec();
    SENT_MS.store(now_ms(), Ordering::Relaxed);
    let sent = Instant::now();
    let answer = world.send(input);
    SENT_MS.store(0, Ordering::Relaxed);
    (answer, sent.elapsed())
}

/// What must not happen, whatever is sent.
fn faults(answer: &Answer, took: Duration) -> Vec<String> {
    let mut faults = std::mem::take(&mut *PANICS.lock().expect("pushing does not panic"));
    if answer.is_internal_error() {
        faults.push(format!("status {}: {}", answer.status, without_digits(&answer.text)));
    }
    if took > TOO_SLOW {
        faults.push(format!("an answer took {} s", took.as_secs()));
    }
    faults
}

/// Answers of one kind differ in numbers only.
fn kind(answer: &Answer) -> u64 {
    let mut hasher = DefaultHasher::new();
    (answer.status, without_digits(&answer.text)).hash(&mut hasher);
    hasher.finish()
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).take(120).collect()
}
