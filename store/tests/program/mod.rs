//! The built program as a child process, and plain HTTP requests to it.
#![allow(dead_code, reason = "for more tests than there are yet")]

use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Program {
    pub child: Child,
    pub quickwit: SocketAddr,
    pub quickwit_grpc: SocketAddr,
    pub tempo: SocketAddr,
    pub tempo_otlp_grpc: SocketAddr,
    pub tempo_otlp_http: SocketAddr,
}

pub struct Answer {
    pub status: u16,
    /// Lower case, as it came.
    pub head: String,
    pub body: Vec<u8>,
}

impl Program {
    /// Runs `command`, which becomes the program when it is given flags, and waits until it is ready.
    pub fn start(mut command: Command) -> Self {
        let addresses = free_addresses();
        let flags = [
            "--quickwit-listen",
            "--quickwit-grpc-listen",
            "--tempo-listen",
            "--tempo-otlp-grpc-listen",
            "--tempo-otlp-http-listen",
        ];
        command.args(["--retention", "forever"]).stdout(Stdio::null());
        for (flag, address) in flags.iter().zip(&addresses) {
            command.arg(flag).arg(address.to_string());
        }
        let child = command.spawn().expect("the program starts");
        let [quickwit, quickwit_grpc, tempo, tempo_otlp_grpc, tempo_otlp_http] = addresses[..] else {
            unreachable!("an address for each flag")
        };
        let mut program = Self { child, quickwit, quickwit_grpc, tempo, tempo_otlp_grpc, tempo_otlp_http };
        let deadline = Instant::now() + Duration::from_secs(120);
        while request(quickwit, "GET", "/health/readyz", "", b"").is_none_or(|answer| answer.status != 200) {
            assert!(Instant::now() < deadline, "the store does not get ready");
            let ended = program.child.try_wait().expect("can be asked");
            assert!(ended.is_none(), "the store ended before it was ready: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        program
    }

    pub fn kill(mut self) {
        self.child.kill().expect("the program runs");
        self.child.wait().expect("the program ends");
    }

    /// The values of `attributes.n` of all logs that can be found, in their order, each as often as it is there.
    pub fn log_numbers(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        let mut total_before = None;
        let mut last = serde_json::Value::Null;
        loop {
            // By arrival too, so that a number that is there twice is not passed over between two pages.
            let sort = serde_json::json!([{"attributes.n": {"order": "asc"}}, {"_doc": {"order": "asc"}}]);
            let mut body = serde_json::json!({"query": {"match_all": {}}, "size": 10_000, "sort": sort});
            if !last.is_null() {
                body["search_after"] = last;
            }
            let path = "/api/v1/_elastic/otel-logs-v0_9/_search";
            let body = body.to_string();
            let answer = request(self.quickwit, "POST", path, "application/json", body.as_bytes()).expect("an answer");
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            let answer: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            let hits = answer["hits"]["hits"].as_array().expect("hits");
            let total = answer["hits"]["total"]["value"].as_u64().expect("a count") as usize;
            if total_before.replace(total).is_some_and(|before| before != total) {
                // A commit between two pages: they do not belong together.
                (numbers, total_before, last) = (Vec::new(), None, serde_json::Value::Null);
                continue;
            }
            numbers.extend(hits.iter().map(|hit| hit["_source"]["attributes"]["n"].as_u64().expect("a number")));
            last = hits.last().map_or(serde_json::Value::Null, |hit| hit["sort"].clone());
            if numbers.len() >= total || hits.is_empty() {
                assert_eq!(numbers.len(), total, "the pages do not hold what was counted");
                return numbers;
            }
        }
    }
}

/// Five that the system does not give to another connection before the program listens (which it does from 32768).
fn free_addresses() -> Vec<SocketAddr> {
    let first = 20_000 + (RandomState::new().hash_one(std::process::id()) % 11_000) as u16;
    let listeners: Vec<_> =
        (first..32_000).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).take(5).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("an address")).collect()
}

/// A test that fails must not leave the program behind.
impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` when the connection breaks.
pub fn request(address: SocketAddr, method: &str, path: &str, content_type: &str, body: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: store\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body })
}
