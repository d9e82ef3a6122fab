//! The command line. The comments on the fields are its help.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::wal::SyncPolicy;

/// Traces and logs on one small machine: takes OTLP, answers as Grafana Tempo and Quickwit do.
#[derive(Debug, Clone, Parser)]
#[command(name = "tracewright-store", version, about, after_help = EXAMPLES)]
pub struct Config {
    /// Directory for everything that is kept; made when missing
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Tempo's HTTP API: search, traces by id, tags, and /metrics with the service graph
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3200")]
    pub tempo_listen: SocketAddr,

    /// Traces in: OTLP over gRPC
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4327")]
    pub tempo_otlp_grpc_listen: SocketAddr,

    /// Traces in: OTLP over HTTP (POST /v1/traces, protobuf or JSON)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4328")]
    pub tempo_otlp_http_listen: SocketAddr,

    /// Quickwit's REST API, with logs in at POST /api/v1/otlp/v1/logs
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7280")]
    pub quickwit_listen: SocketAddr,

    /// Logs in: OTLP over gRPC (index by the metadata qw-otel-logs-index)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7281")]
    pub quickwit_grpc_listen: SocketAddr,

    /// How long traces and logs are kept, e.g. 30m, 24h, 7d, or `forever`; an index file's own retention goes first.
    /// Logs without one count from their arrival, traces from their end
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_retention)]
    pub retention: Retention,

    /// How much disk traces and logs may each take, e.g. 500MB, 20GB; the oldest goes first [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_disk: Option<u64>,

    /// When acknowledged data is on the disk.
    ///
    /// always: before the sender gets its answer, so a power cut loses nothing that was acknowledged.
    /// interval: at most 200 ms after the answer. A crash or kill -9 of the store loses nothing, a power cut up to
    /// 200 ms; faster where the disk is slow.
    #[arg(long, value_enum, default_value_t = Sync::Always)]
    pub sync: Sync,

    /// Largest OTLP request, after decompression
    #[arg(long, value_name = "SIZE", default_value = "64MB", value_parser = parse_size)]
    pub max_request: u64,

    /// Requests that may wait to be indexed; beyond, senders are slowed down and then told to come back
    #[arg(long, value_name = "SIZE", default_value = "4MB", value_parser = parse_size)]
    pub max_waiting: u64,

    /// Seconds after which a search is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub search_timeout: u64,

    /// Tempo's side keeps tenants apart by the header X-Scope-OrgID, and wants it
    #[arg(long)]
    pub multitenancy: bool,

    /// Cluster id in Quickwit's answers
    #[arg(long, env = "QW_CLUSTER_ID", default_value = "tracewright", value_name = "NAME")]
    pub cluster_id: String,

    /// Node id in Quickwit's answers
    #[arg(long, env = "QW_NODE_ID", default_value = "tracewright-store", value_name = "NAME")]
    pub node_id: String,

    /// What is logged, as JSON lines on stdout: error, warn, info, debug, or a filter by module
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,
}

const EXAMPLES: &str = "\
Examples:
  Keep a day of traces and logs under ./data, on the usual ports:
    tracewright-store --data-dir ./data

  Keep a week, at most 10 GB each of traces and logs, reachable from other machines:
    tracewright-store --data-dir /var/lib/tracewright --retention 7d --max-disk 10GB \\
      --tempo-listen 0.0.0.0:3200 --quickwit-listen 0.0.0.0:7280

  Make an index of your own, send a log line to it, find it:
    curl -X POST localhost:7280/api/v1/indexes -H 'content-type: application/yaml' --data-binary @index.yaml
    curl -X POST 'localhost:7280/api/v1/my-index/ingest?commit=force' --data '{\"ts\": \"2026-01-15T10:00:00Z\", \"msg\": \"hello\"}'
    curl 'localhost:7280/api/v1/my-index/search?query=hello'

  Find traces of a service that took longer than a second:
    curl -G localhost:3200/api/search --data-urlencode 'q={ resource.service.name = \"shop\" && duration > 1s }'

Ports and other things that are wrong are named in one line on stderr, with exit code 1 (2 for the command line).
SIGTERM and SIGINT stop the store; everything that was acknowledged is on disk then.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sync {
    Always,
    Interval,
}

/// Between two forced writes of `--sync interval`.
const SYNC_INTERVAL: Duration = Duration::from_millis(200);

impl From<Sync> for SyncPolicy {
    fn from(sync: Sync) -> Self {
        match sync {
            Sync::Always => Self::Always,
            Sync::Interval => Self::Interval(SYNC_INTERVAL),
        }
    }
}

/// `None` inside is for ever. A type of its own, since clap gives `Option` another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(pub Option<Duration>);

fn parse_retention(text: &str) -> Result<Retention, String> {
    if text == "forever" {
        return Ok(Retention(None));
    }
    let (count, unit) = number_and_unit(text).ok_or("expected a number and a unit, such as 24h, or `forever`")?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(format!("unknown unit `{unit}`: s, m, h, d and w are known")),
    };
    let seconds = count.checked_mul(seconds).filter(|seconds| *seconds > 0);
    seconds.map(|seconds| Retention(Some(Duration::from_secs(seconds)))).ok_or("must be positive".to_owned())
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (count, unit) = number_and_unit(text).ok_or("expected a number and a unit, such as 500MB")?;
    let bytes = match unit.to_ascii_uppercase().as_str() {
        "B" => 1,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1_u64 << 40,
        _ => return Err(format!("unknown unit `{unit}`: B, KB, MB, GB and TB are known")),
    };
    count.checked_mul(bytes).filter(|bytes| *bytes > 0).ok_or("must be positive and below 16 EB".to_owned())
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    Some((number.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
    }

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(parse_retention("24h"), Ok(Retention(Some(Duration::from_secs(86_400)))));
        assert_eq!(parse_retention("forever"), Ok(Retention(None)));
        assert_eq!(parse_size("2KB"), Ok(2048));
        for wrong in ["", "24", "h", "0h", "3 fortnights"] {
            assert!(parse_retention(wrong).is_err(), "{wrong}");
        }
        for wrong in ["12", "0MB", "5XB", "99999999999999TB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
