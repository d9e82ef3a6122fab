//! The settings of this service: everything that it reads from the environment, checked once at the start.
//!
//! The OpenTelemetry SDK reads its own `OTEL_*` variables; [`Config::from_lookup`] only refuses values that the SDK
//! would pass over in silence.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Every variable with its default and meaning; `rust-service --help` prints it and a test compares the README.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("HOST", "127.0.0.1", "IP address to listen on"),
    ("PORT", "8003", "TCP port to listen on; 0 takes a free one, which the log then names"),
    ("DATABASE_URL", "(required)", "PostgreSQL URL, postgresql://user:password@host:port/database"),
    ("DEPENDENCY_TIMEOUT_MS", "2000", "longest wait for PostgreSQL, milliseconds"),
    ("LATENCY_SCALE", "1.0", "factor on every simulated latency; 0 means none"),
    ("FLAGS_FILE", "", "flags of deliberate telemetry faults, in flagd's format; without it there are none"),
    ("OTEL_SDK_DISABLED", "false", "true keeps all three signals inside the process"),
    ("OTEL_SERVICE_NAME", "rust-service", "service.name of all three signals"),
    ("OTEL_RESOURCE_ATTRIBUTES", "", "further resource attributes, key=value,key=value"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", "OTLP/HTTP collector; plain http only"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "the only protocol that is built in"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", "longest try of an export, milliseconds"),
    ("OTEL_PROPAGATORS", "tracecontext,baggage", "any of tracecontext, baggage, none"),
    ("OTEL_TRACES_SAMPLER", "parentbased_always_on", "sampler, as the SDK names it"),
    ("OTEL_BSP_SCHEDULE_DELAY", "5000", "milliseconds between two exports of spans"),
    ("OTEL_BLRP_SCHEDULE_DELAY", "1000", "milliseconds between two exports of logs"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "2048", "spans that wait while the collector is away"),
    ("OTEL_BLRP_MAX_QUEUE_SIZE", "2048", "log records that wait while the collector is away"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "60000", "milliseconds between two exports of metrics"),
];

/// The checked settings.
#[derive(Debug, Clone)]
pub struct Config {
    pub host: IpAddr,
    pub port: u16,
    pub database: tokio_postgres::Config,
    pub dependency_timeout: Duration,
    pub latency_scale: f64,
    pub flags_file: Option<PathBuf>,
    pub telemetry: TelemetryConfig,
}

/// What [`crate::telemetry`] needs beyond the variables that the SDK reads by itself.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// False: nothing is exported; logs are still written to standard output.
    pub export: bool,
    pub export_timeout: Duration,
    pub propagators: Vec<Propagator>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagator {
    TraceContext,
    Baggage,
}

/// A setting that is missing or makes no sense. Never holds the value of `DATABASE_URL`, which has a password in it.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub setting: &'static str,
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the process environment.
    ///
    /// # Errors
    /// The first setting that is missing or invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads settings through `lookup`; an empty value counts as unset.
    ///
    /// # Errors
    /// The first setting that is missing or invalid.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let settings = Settings(SETTINGS.iter().filter_map(|&(name, _, _)| Some((name, lookup(name)?))).collect());
        for name in ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL"] {
            settings.millis(name, Duration::ZERO)?;
        }
        let protocol = settings.text("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        if protocol != "http/protobuf" {
            return Err(ConfigError {
                setting: "OTEL_EXPORTER_OTLP_PROTOCOL",
                problem: format!("expected http/protobuf, got {protocol:?}"),
            });
        }
        let endpoint = settings.text("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        if !endpoint.starts_with("http://") {
            return Err(ConfigError {
                setting: "OTEL_EXPORTER_OTLP_ENDPOINT",
                problem: "expected a URL that starts with http:// (TLS is not built in)".into(),
            });
        }
        Ok(Self {
            host: settings.parsed("HOST", IpAddr::from([127, 0, 0, 1]), "an IP address")?,
            port: settings.parsed("PORT", 8003, "a port from 0 to 65535")?,
            database: settings.database()?,
            dependency_timeout: settings.millis("DEPENDENCY_TIMEOUT_MS", Duration::from_millis(2000))?,
            latency_scale: settings.latency_scale()?,
            flags_file: settings.0.get("FLAGS_FILE").map(PathBuf::from),
            telemetry: TelemetryConfig {
                export: !settings.parsed("OTEL_SDK_DISABLED", false, "true or false")?,
                export_timeout: settings.millis("OTEL_EXPORTER_OTLP_TIMEOUT", Duration::from_secs(10))?,
                propagators: settings.propagators()?,
            },
        })
    }
}

/// The variables that are set, by name.
struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.0.get(name).map_or(default, |value| value.trim())
    }

    fn parsed<T: std::str::FromStr>(
        &self,
        setting: &'static str,
        default: T,
        expected: &str,
    ) -> Result<T, ConfigError> {
        match self.0.get(setting) {
            None => Ok(default),
            Some(value) => value
                .trim()
                .parse()
                .map_err(|_| ConfigError { setting, problem: format!("expected {expected}, got {value:?}") }),
        }
    }

    fn millis(&self, setting: &'static str, default: Duration) -> Result<Duration, ConfigError> {
        let default_ms = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        let millis = self.parsed(setting, default_ms, "whole milliseconds")?;
        if millis == 0 && self.0.contains_key(setting) {
            return Err(ConfigError { setting, problem: "expected more than 0 milliseconds".into() });
        }
        Ok(Duration::from_millis(millis))
    }

    fn latency_scale(&self) -> Result<f64, ConfigError> {
        let scale: f64 = self.parsed("LATENCY_SCALE", 1.0, "a number")?;
        if (0.0..=100.0).contains(&scale) {
            return Ok(scale);
        }
        Err(ConfigError { setting: "LATENCY_SCALE", problem: format!("expected a number from 0 to 100, got {scale}") })
    }

    fn database(&self) -> Result<tokio_postgres::Config, ConfigError> {
        let setting = "DATABASE_URL";
        let url = self.0.get(setting).ok_or_else(|| ConfigError {
            setting,
            problem: "is required, as postgresql://user:password@host:port/database".into(),
        })?;
        let mut database: tokio_postgres::Config = url.trim().parse().map_err(|_| ConfigError {
            setting,
            problem: "is no PostgreSQL URL (the value is not shown: it may hold a password)".into(),
        })?;
        if database.get_hosts().is_empty() {
            return Err(ConfigError { setting, problem: "names no host".into() });
        }
        database.application_name("rust-service");
        Ok(database)
    }

    fn propagators(&self) -> Result<Vec<Propagator>, ConfigError> {
        let mut chosen = Vec::new();
        for name in self.text("OTEL_PROPAGATORS", "tracecontext,baggage").split(',') {
            match name.trim() {
                "tracecontext" => chosen.push(Propagator::TraceContext),
                "baggage" => chosen.push(Propagator::Baggage),
                "none" => {}
                other => {
                    return Err(ConfigError {
                        setting: "OTEL_PROPAGATORS",
                        problem: format!("expected tracecontext, baggage or none, got {other:?}"),
                    });
                }
            }
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "postgresql://tracewright:hunter2@127.0.0.1:15432/tracewright";

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_need_nothing_but_the_database() {
        let config = read(&[("DATABASE_URL", URL), ("HOST", " ")]).expect("valid");
        assert_eq!(config.host.to_string(), "127.0.0.1");
        assert_eq!(config.port, 8003);
        assert_eq!(config.dependency_timeout, Duration::from_secs(2));
        assert!(config.telemetry.export);
        assert_eq!(config.telemetry.propagators, [Propagator::TraceContext, Propagator::Baggage]);
    }

    #[test]
    fn a_missing_database_is_named() {
        let error = read(&[]).expect_err("DATABASE_URL is missing");
        assert_eq!(error.setting, "DATABASE_URL");
    }

    #[test]
    fn a_bad_database_url_never_shows_the_password() {
        for url in ["postgresql://u:hunter2@h:port/db", "mysql://u:hunter2@h/db"] {
            let error = read(&[("DATABASE_URL", url)]).expect_err("invalid");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn each_invalid_setting_is_named() {
        for (setting, value) in [
            ("HOST", "localhost"),
            ("PORT", "70000"),
            ("DEPENDENCY_TIMEOUT_MS", "0"),
            ("DEPENDENCY_TIMEOUT_MS", "2s"),
            ("LATENCY_SCALE", "-1"),
            ("LATENCY_SCALE", "NaN"),
            ("OTEL_SDK_DISABLED", "yes"),
            ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "-1"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1s"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318"),
            ("OTEL_PROPAGATORS", "tracecontext,b3"),
        ] {
            let error = read(&[("DATABASE_URL", URL), (setting, value)]).expect_err(setting);
            assert_eq!(error.setting, setting, "{error}");
        }
    }

    #[test]
    fn the_readme_lists_every_setting() {
        let readme = include_str!("../README.md");
        for (name, default, _) in SETTINGS {
            let row = format!("| `{name}` | {default} |").replace("|  |", "| |");
            assert!(readme.contains(&row), "README.md has no row {row:?}");
        }
    }
}
