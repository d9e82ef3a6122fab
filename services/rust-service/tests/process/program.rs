//! The program under test as a child process, and the least HTTP client that can ask it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Killed when the test ends before it does.
pub struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
    reader: JoinHandle<()>,
}

impl Program {
    /// Starts it on a free port, exporting quickly and with patience for a busy machine, unless `adjust` says otherwise.
    pub fn start(database_url: &str, collector: &str, adjust: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rust-service"));
        command
            .env("DATABASE_URL", database_url)
            .env("PORT", "0")
            .env("LATENCY_SCALE", "0")
            .env("DEPENDENCY_TIMEOUT_MS", "60000")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
            .env("OTEL_BSP_SCHEDULE_DELAY", "100")
            .env("OTEL_BLRP_SCHEDULE_DELAY", "100")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "100")
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        adjust(&mut command);
        let mut child = command.spawn().expect("the program");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let reader = tokio::spawn({
            let lines = lines.clone();
            async move {
                while let Some(line) = stdout.next_line().await.expect("text") {
                    let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        Self { child, lines, reader }
    }

    /// What it wrote to standard output so far.
    pub fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a log line with this message.
    pub async fn line(&mut self, message: &str) -> Value {
        self.line_where(|line| line["message"] == message).await
    }

    pub async fn line_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(line) = self.lines().into_iter().find(|line| wanted(line)) {
                    return line;
                }
                tokio::time::sleep(POLL).await;
            }
        })
        .await;
        found.unwrap_or_else(|_| panic!("no such line among {:?}", self.lines()))
    }

    /// Waits until it listens.
    pub async fn address(&mut self) -> SocketAddr {
        let line = self.line("listening").await;
        let port = line["server.port"].as_u64().and_then(|port| u16::try_from(port).ok());
        SocketAddr::from(([127, 0, 0, 1], port.expect("a port")))
    }

    pub fn signal(&self, name: &str) {
        let process = self.child.id().expect("a running process").to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &process]).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for the end; then all lines are there.
    pub async fn exit_code(&mut self) -> Option<i32> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let code = status.expect("an end in time").expect("a status").code();
        (&mut self.reader).await.expect("JSON lines");
        code
    }
}

/// The status and the body, a string where it is no JSON.
pub async fn get(address: SocketAddr, path: &'static str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
}
