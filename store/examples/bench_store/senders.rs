//! Senders: each has a connection and one request on it at a time, as OTLP exporters do.
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::body::Body;
use crate::grpc::{Client, Failure};
use crate::http::Connection;
use crate::report::Times;

/// How long a sender waits that was told to come back.
const RETRY_AFTER: Duration = Duration::from_millis(100);
const RESOURCE_EXHAUSTED: u32 = 8;

/// Where the requests go.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    Http { address: SocketAddr, path: &'static str },
    Grpc { address: SocketAddr, path: &'static str },
}

/// What became of a run.
pub struct Sent {
    pub took: Duration,
    /// Of each request, until its answer.
    pub answers: Times,
    /// Answers that said "later".
    pub told_to_wait: usize,
}

/// Sends all requests, each once; returns when the last one is acknowledged.
///
/// # Errors
/// A connection broke, or the store refused a request for good.
pub fn send(target: Target, requests: &[Body], senders: usize) -> Result<Sent, Failure> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let outcomes: Vec<Result<Lane, Failure>> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..senders).map(|_| scope.spawn(|| lane(target, requests, &next))).collect();
        lanes.into_iter().map(|lane| lane.join().expect("a sender does not panic")).collect()
    });
    let took = started.elapsed();
    let mut all = Lane::default();
    for outcome in outcomes {
        let lane = outcome?;
        all.times.extend(lane.times);
        all.told_to_wait += lane.told_to_wait;
    }
    Ok(Sent { took, answers: Times::of(all.times), told_to_wait: all.told_to_wait })
}

#[derive(Default)]
struct Lane {
    times: Vec<Duration>,
    told_to_wait: usize,
}

fn lane(target: Target, requests: &[Body], next: &AtomicUsize) -> Result<Lane, Failure> {
    match target {
        Target::Http { address, path } => {
            let mut connection = Connection::open(address)?;
            run(requests, next, |body| {
                let answer = connection.post(path, "application/x-protobuf", body.plain())?;
                match answer.status {
                    200 => Ok(true),
                    429 => Ok(false),
                    status => Err(format!("{status}: {}", String::from_utf8_lossy(&answer.body)).into()),
                }
            })
        }
        Target::Grpc { address, path } => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
            let mut client = runtime.block_on(Client::open(address, path))?;
            run(requests, next, |body| match runtime.block_on(client.call(body.framed()))? {
                0 => Ok(true),
                RESOURCE_EXHAUSTED => Ok(false),
                code => Err(format!("gRPC status {code}").into()),
            })
        }
    }
}

/// `export` gives false when the request is to be sent again later.
fn run(
    requests: &[Body],
    next: &AtomicUsize,
    mut export: impl FnMut(&Body) -> Result<bool, Failure>,
) -> Result<Lane, Failure> {
    let mut lane = Lane::default();
    while let Some(body) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let started = Instant::now();
        while !export(body)? {
            lane.told_to_wait += 1;
            std::thread::sleep(RETRY_AFTER);
        }
        lane.times.push(started.elapsed());
    }
    Ok(lane)
}
