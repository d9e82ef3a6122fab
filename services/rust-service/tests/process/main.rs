//! The program itself, as a process: a real PostgreSQL (behind a switch that can break it), a collector that keeps what
//! it gets, and signals. Skipped without `DATABASE_URL`; the schema is applied to that database.

mod collector;
mod program;
mod switch;

use std::process::Command;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use collector::{Collector, attribute};
use program::{Program, get};
use switch::{Mode, Switch};

const SCHEMA: &str = include_str!("../../../../postgres/schema.sql");

/// Longer than any test: what arrives must have been flushed.
const NEVER_MS: &str = "3600000";

/// For answers of a service that is well, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Enough for a busy machine to connect and ask when PostgreSQL is back.
const OUTAGE_TIMEOUT_MS: &str = "3000";

/// PostgreSQL with the schema, or the reason to skip on standard error.
async fn database() -> Option<tokio_postgres::Config> {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        use std::io::Write;
        // Past the test runner's capture, so that a skipped test does not look like one that ran.
        writeln!(std::io::stderr(), "skipped: DATABASE_URL is not set, and this test needs a PostgreSQL").ok();
        return None;
    };
    let config: tokio_postgres::Config = url.parse().expect("DATABASE_URL");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("PostgreSQL at DATABASE_URL");
    tokio::spawn(connection);
    client.batch_execute(SCHEMA).await.expect("the schema");
    Some(config)
}

/// A schema of that name, whose table can be locked or taken away: a connection for that, and what leads there at the end
/// of the database's address.
async fn schema_of_its_own(database: &tokio_postgres::Config, name: &str) -> (tokio_postgres::Client, String) {
    let (client, connection) = database.connect(tokio_postgres::NoTls).await.expect("PostgreSQL");
    tokio::spawn(connection);
    let made = format!(
        "DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name};
         CREATE TABLE {name}.knowledge AS SELECT * FROM public.knowledge"
    );
    client.batch_execute(&made).await.expect("a schema");
    (client, format!("?options=-c%20search_path%3D{name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_flushes_all_three_signals_and_ends_with_0() {
    let Some(database) = database().await else { return };
    let (switch, collector) = (Switch::before(&database).await, Collector::start().await);
    let mut program = Program::start(&switch.url(&database), &collector.endpoint, |command| {
        command
            .env("OTEL_BSP_SCHEDULE_DELAY", NEVER_MS)
            .env("OTEL_BLRP_SCHEDULE_DELAY", NEVER_MS)
            .env("OTEL_METRIC_EXPORT_INTERVAL", NEVER_MS);
    });
    let address = program.address().await;
    for path in ["/search?q=trace", "/data", "/error", "/", "/metrics"] {
        get(address, path).await;
    }
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0));

    let mut names = collector.span_names();
    names.sort();
    assert_eq!(names, ["GET /data", "GET /error", "GET /search", "SELECT knowledge", "search index"]);
    assert_eq!(collector.metric_names(), ["http.server.request.duration"]);
    let messages = collector.messages();
    assert_eq!(messages.first().map(String::as_str), Some("knowledge loaded"));
    assert_eq!(messages.last().map(String::as_str), Some("stopped"), "{messages:?}");
    let lines: Vec<String> =
        program.lines().iter().map(|line| line["message"].as_str().unwrap_or_default().into()).collect();
    assert_eq!(messages, lines, "what is exported is what is printed, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_resource_stands_on_all_three_signals() {
    let Some(database) = database().await else { return };
    let (switch, collector) = (Switch::before(&database).await, Collector::start().await);
    let mut program = Program::start(&switch.url(&database), &collector.endpoint, |command| {
        command.env("OTEL_SERVICE_NAME", "rust-service").env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.namespace=tracewright,service.version=9.9.9,service.instance.id=i-1,deployment.environment.name=test",
        );
    });
    get(program.address().await, "/search?q=trace").await;
    program.signal("TERM");
    program.exit_code().await;
    let resources = collector.resources();
    assert!(resources.len() >= 3, "{resources:?}");
    for resource in &resources {
        assert_eq!(resource, &resources[0]);
        for (key, value) in [
            ("service.name", "rust-service"),
            ("service.namespace", "tracewright"),
            ("service.version", "9.9.9"),
            ("service.instance.id", "i-1"),
            ("deployment.environment.name", "test"),
            ("telemetry.sdk.language", "rust"),
        ] {
            assert!(resource.contains(&(key.to_owned(), value.to_owned())), "{key}: {resource:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_exports_at_the_configured_delays() {
    let Some(database) = database().await else { return };
    let (switch, collector) = (Switch::before(&database).await, Collector::start().await);
    let mut program = Program::start(&switch.url(&database), &collector.endpoint, |_| {});
    get(program.address().await, "/data").await;
    let arrived = collector
        .until(|collector| {
            collector.span_names().contains(&"GET /data".to_owned())
                && collector.messages().contains(&"data read".to_owned())
                && !collector.metric_names().is_empty()
        })
        .await;
    assert!(arrived, "{:?} {:?} {:?}", collector.span_names(), collector.messages(), collector.metric_names());
    let query = collector.span("SELECT knowledge");
    assert_eq!(
        attribute(&query.attributes, "db.query.text").as_deref(),
        Some("SELECT id, title FROM knowledge ORDER BY id LIMIT 20")
    );
    assert_eq!(query.status.unwrap_or_default().code, 0);
    program.signal("INT");
    assert_eq!(program.exit_code().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_postgresql_is_told_and_survived() {
    let Some(database) = database().await else { return };
    let (switch, collector) = (Switch::before(&database).await, Collector::start().await);
    let mut program = Program::start(&switch.url(&database), &collector.endpoint, |command| {
        command.env("DEPENDENCY_TIMEOUT_MS", OUTAGE_TIMEOUT_MS);
    });
    let address = program.address().await;
    let ready = get(address, "/").await;
    assert_eq!((ready.0, ready.1["checks"]["postgres"].as_str()), (200, Some("ok")));
    let data = get(address, "/data").await;
    assert_eq!((data.0, data.1["count"].as_u64()), (200, Some(20)));
    assert_eq!(data.1["items"].as_array().map(Vec::len), Some(20));

    for broken in [Mode::Hang, Mode::Refuse] {
        switch.set(broken);
        for path in ["/data", "/"] {
            // It hangs until the test mends it: without the limit there would be no answer.
            let answer = tokio::time::timeout(PATIENCE, get(address, path)).await;
            let (status, body) = answer.unwrap_or_else(|_| panic!("no answer of {path} while {broken:?}"));
            assert_eq!(status, 503, "{path} while {broken:?}: {body}");
        }
        let (status, body) = get(address, "/search?q=trace").await;
        assert_eq!(
            (status, body["results"].as_array().map(Vec::len)),
            (200, Some(3)),
            "memory answers while {broken:?}"
        );
        switch.set(Mode::Forward);
        assert_eq!(get(address, "/data").await.0, 200, "after {broken:?}");
        assert_eq!(get(address, "/").await.0, 200, "after {broken:?}");
    }
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_postgresql_refuses_is_a_500_with_its_code() {
    let Some(database) = database().await else { return };
    let (switch, collector) = (Switch::before(&database).await, Collector::start().await);
    let (client, search_path) = schema_of_its_own(&database, "without_knowledge").await;
    let url = switch.url(&database) + &search_path;
    let mut program = Program::start(&url, &collector.endpoint, |_| {});
    let address = program.address().await;
    client.batch_execute("DROP SCHEMA without_knowledge CASCADE").await.expect("no schema");
    let (status, body) = get(address, "/data").await;
    assert_eq!(status, 500, "{body}");
    assert!(!body.to_string().contains("relation"), "causes are never sent: {body}");
    program.signal("TERM");
    program.exit_code().await;
    let query = collector.span("SELECT knowledge");
    assert_eq!(attribute(&query.attributes, "db.response.status_code").as_deref(), Some("42P01"));
    assert_eq!(query.events.len(), 1);
    let message = attribute(&query.events[0].attributes, "exception.message").unwrap_or_default();
    assert!(message.contains("does not exist"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_are_finished_before_the_end() {
    let Some(database) = database().await else { return };
    let (switch, collector) = (Switch::before(&database).await, Collector::start().await);
    let (client, search_path) = schema_of_its_own(&database, "locked_knowledge").await;
    let url = switch.url(&database) + &search_path;
    let mut program = Program::start(&url, &collector.endpoint, |_| {});
    let address = program.address().await;
    client.batch_execute("BEGIN; LOCK TABLE locked_knowledge.knowledge").await.expect("a lock");
    let slow = tokio::spawn(get(address, "/data"));
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'locked_knowledge.knowledge'::regclass";
    let deadline = Instant::now() + PATIENCE;
    while client.query_one(waiting, &[]).await.expect("a count").get::<_, i64>(0) == 0 {
        assert!(Instant::now() < deadline, "GET /data does not ask PostgreSQL");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    program.signal("TERM");
    program.line("stopping").await;
    client.batch_execute("COMMIT").await.expect("no lock");
    assert_eq!(slow.await.expect("an answer").0, 200);
    assert_eq!(program.exit_code().await, Some(0));
    assert!(collector.span_names().contains(&"GET /data".to_owned()));
    client.batch_execute("DROP SCHEMA locked_knowledge CASCADE").await.expect("no schema");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_postgresql_is_waited_for() {
    let Some(database) = database().await else { return };
    let (switch, collector) = (Switch::before(&database).await, Collector::start().await);
    switch.set(Mode::Refuse);
    let mut program = Program::start(&switch.url(&database), &collector.endpoint, |_| {});
    program.line("waiting for the knowledge table").await;
    switch.set(Mode::Forward);
    let address = program.address().await;
    assert_eq!(get(address, "/").await.0, 200);
    let healthy = Command::new(env!("CARGO_BIN_EXE_rust-service"))
        .arg("--healthcheck")
        .env("DATABASE_URL", "postgresql://u@h/d")
        .env("PORT", address.port().to_string())
        .status();
    assert!(healthy.expect("the program").success());
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_and_logs_wait_for_a_collector_that_comes_late_and_arrive_once() {
    let Some(database) = database().await else { return };
    let switch = Switch::before(&database).await;
    // Bound, so that nobody else gets the port, but it refuses connections until it listens.
    let port = tokio::net::TcpSocket::new_v4().expect("a socket");
    port.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let endpoint = format!("http://{}", port.local_addr().expect("an address"));
    let mut program = Program::start(&switch.url(&database), &endpoint, |_| {});
    assert_eq!(get(program.address().await, "/search?q=trace").await.0, 200);
    // Metrics are not held: their error says that by now the first batches were refused, too.
    program.line("PeriodicReader.ExportError").await;
    let collector = Collector::on(port.listen(16).expect("a listener"), StatusCode::OK);
    let arrived = collector
        .until(|collector| {
            collector.span_names().contains(&"GET /search".to_owned()) && !collector.messages().is_empty()
        })
        .await;
    assert!(arrived, "{:?} {:?}", collector.span_names(), collector.messages());
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0));
    assert_eq!(collector.span_names().iter().filter(|name| *name == "GET /search").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_refuses_for_good_is_given_up_at_once() {
    let Some(database) = database().await else { return };
    let switch = Switch::before(&database).await;
    let refusing = Collector::refusing().await;
    let mut program = Program::start(&switch.url(&database), &refusing.endpoint, |_| {});
    assert_eq!(get(program.address().await, "/search?q=trace").await.0, 200);
    for signal in ["BatchSpanProcessor", "BatchLogProcessor"] {
        program.line(&format!("{signal}.ExportError")).await;
    }
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0));
    assert_eq!(refusing.span_names().iter().filter(|name| *name == "GET /search").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_collector_delays_nothing_and_feeds_nothing_back() {
    let Some(database) = database().await else { return };
    let switch = Switch::before(&database).await;
    let mut program = Program::start(&switch.url(&database), "http://127.0.0.1:1", |_| {});
    let address = program.address().await;
    assert_eq!(get(address, "/search?q=trace").await.0, 200);
    program
        .line_where(|line| {
            line["level"] == "ERROR"
                && line["target"].as_str().is_some_and(|target| target.starts_with("opentelemetry"))
        })
        .await;
    let stopping = Instant::now();
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0));
    assert!(stopping.elapsed() < Duration::from_secs(14), "took {:?}", stopping.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_delays_the_end_by_one_wait_and_not_three() {
    let Some(database) = database().await else { return };
    let switch = Switch::before(&database).await;
    // Connections are taken by the system, and nobody answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let mut program = Program::start(&switch.url(&database), &endpoint, |_| {});
    assert_eq!(get(program.address().await, "/search?q=trace").await.0, 200);
    let stopping = Instant::now();
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0));
    // One wait is 5 s.
    assert!(stopping.elapsed() < Duration::from_secs(14), "took {:?}", stopping.elapsed());
}

#[test]
fn a_start_that_cannot_work_names_the_setting() {
    for (name, value) in [("DATABASE_URL", ""), ("PORT", "http"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")] {
        let output = Command::new(env!("CARGO_BIN_EXE_rust-service"))
            .env("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d")
            .env(name, value)
            .output()
            .expect("the program");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.starts_with(&format!("rust-service: {name}: ")) && error.lines().count() == 1, "{error}");
        assert!(!error.contains("hunter2"));
    }
}

#[test]
fn a_taken_port_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let output = Command::new(env!("CARGO_BIN_EXE_rust-service"))
        .env("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d")
        .env("PORT", port.to_string())
        .env("OTEL_SDK_DISABLED", "true")
        .output()
        .expect("the program");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(&format!("HOST, PORT: listen on 127.0.0.1:{port}")), "{error}");
}
