//! Named queries: asked over HTTP, one after another, on one connection.
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::time::Instant;

use crate::http::Connection;
use crate::report::Times;

/// What the real program took, in milliseconds; see `main.rs` for where.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    pub p50: f64,
    pub p95: f64,
}

impl Recorded {
    pub fn ms(p50: f64, p95: f64) -> Self {
        Self { p50, p95 }
    }
}

type Ask = Box<dyn Fn(usize) -> (String, Vec<u8>)>;
type Check = Box<dyn Fn(&str) -> bool>;

pub struct Query {
    pub name: &'static str,
    pub recorded: Recorded,
    is_post: bool,
    accept: &'static str,
    /// Path and body of a round.
    ask: Ask,
    check: Check,
}

impl Query {
    pub fn get(
        name: &'static str,
        recorded: Recorded,
        check: impl Fn(&str) -> bool + 'static,
        path: impl Fn(usize) -> String + 'static,
    ) -> Self {
        let ask = Box::new(move |round| (path(round), Vec::new()));
        Self { name, recorded, is_post: false, accept: "application/json", ask, check: Box::new(check) }
    }

    pub fn post(
        name: &'static str,
        recorded: Recorded,
        check: impl Fn(&str) -> bool + 'static,
        ask: impl Fn(usize) -> (String, Vec<u8>) + 'static,
    ) -> Self {
        Self { name, recorded, is_post: true, accept: "application/json", ask: Box::new(ask), check: Box::new(check) }
    }

    pub fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// Asks `rounds` times; each answer must hold what the query is about.
    ///
    /// # Errors
    /// The connection broke, or an answer is wrong.
    pub fn run(&self, address: SocketAddr, rounds: usize) -> Result<Times> {
        let mut connection = Connection::open(address)?;
        let mut times = Vec::with_capacity(rounds);
        for round in 0..rounds {
            let (path, body) = (self.ask)(round);
            let started = Instant::now();
            let answer = if self.is_post {
                connection.post(&path, "application/x-ndjson", &body)?
            } else {
                connection.get(&path, self.accept)?
            };
            times.push(started.elapsed());
            let text = String::from_utf8_lossy(&answer.body);
            if answer.status != 200 || !(self.check)(&text) {
                let text: String = text.chars().take(400).collect();
                return Err(Error::other(format!("{}: {} with {text}", self.name, answer.status)));
            }
        }
        Ok(Times::of(times))
    }
}
