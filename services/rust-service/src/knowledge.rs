//! PostgreSQL: the table `knowledge`, read by this service and owned by another.
//!
//! Every call ends within the configured time, also when the server hangs. What a request asks is a CLIENT span
//! `{operation} {table}`; the load at the start and the health check are not traced.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::config::Host;
use tokio_postgres::{NoTls, Row};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config::Config;
use crate::search::Entry;
use crate::telemetry::{chain, record_exception};

/// The load of this service needs few: searches are answered from memory.
const MAX_CONNECTIONS: usize = 4;

/// How long the start waits for PostgreSQL and its schema.
const START_PATIENCE: Duration = Duration::from_secs(10);
const START_PAUSE: Duration = Duration::from_millis(200);

const LOAD: &str = "SELECT id, title, body, related FROM knowledge ORDER BY id";
const LIST: &str = "SELECT id, title FROM knowledge ORDER BY id LIMIT 20";

/// A knowledge entry as `GET /data` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    pub id: String,
    pub title: String,
}

#[derive(Debug)]
pub enum Error {
    /// No connection, for whatever reason.
    Connect(PoolError),
    Query(tokio_postgres::Error),
    /// Neither connection nor answer within the limit.
    Timeout(Duration),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(_) => f.write_str("connect to PostgreSQL"),
            Self::Query(_) => f.write_str("read the knowledge table"),
            Self::Timeout(limit) => write!(f, "PostgreSQL did not answer within {} ms", limit.as_millis()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Query(error) => Some(error),
            Self::Timeout(_) => None,
        }
    }
}

impl Error {
    /// True when PostgreSQL is down, hangs or went away, false when it answered and refused.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout(_) => true,
            // Class 57 is an operator's intervention: a shutdown or a crash.
            Self::Query(error) => error.code().is_none_or(|code| code.code().starts_with("57")),
        }
    }

    /// Stable name for `error.type` and `exception.type`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "deadpool_postgres::PoolError",
            Self::Query(_) => "tokio_postgres::Error",
            Self::Timeout(_) => "tokio::time::error::Elapsed",
        }
    }

    /// PostgreSQL's own code for the error, where it gave one.
    fn sql_state(&self) -> Option<&str> {
        let error = match self {
            Self::Query(error) | Self::Connect(PoolError::Backend(error)) => error,
            Self::Connect(_) | Self::Timeout(_) => return None,
        };
        Some(error.code()?.code())
    }
}

/// The table, through a small pool.
#[derive(Clone)]
pub struct Knowledge {
    pool: Pool,
    timeout: Duration,
    address: String,
    port: u16,
    database: String,
}

impl Knowledge {
    /// Does not connect yet.
    pub fn new(config: &Config) -> Self {
        let database = &config.database;
        let manager =
            Manager::from_config(database.clone(), NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager).max_size(MAX_CONNECTIONS).build();
        let address = match &database.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        Self {
            pool: pool.expect("a pool without timeouts of its own needs no runtime"),
            timeout: config.dependency_timeout,
            address,
            port: database.get_ports().first().copied().unwrap_or(5432),
            database: database.get_dbname().unwrap_or_default().to_owned(),
        }
    }

    /// Every entry. Retries for [`START_PATIENCE`], since PostgreSQL or its schema may come later than this service.
    ///
    /// # Errors
    /// The last failure.
    pub async fn load(&self) -> Result<Vec<Entry>, Error> {
        let give_up = Instant::now() + START_PATIENCE;
        loop {
            match self.query(LOAD).await {
                Ok(rows) => return rows.iter().map(entry).collect::<Result<_, _>>().map_err(Error::Query),
                Err(error) if Instant::now() + START_PAUSE >= give_up => return Err(error),
                Err(error) => {
                    tracing::warn!(reason = chain(&error), "waiting for the knowledge table");
                    sleep(START_PAUSE).await;
                }
            }
        }
    }

    /// The first 20 entries by id. `kind` is what the span says it is; it should be `client`.
    ///
    /// # Errors
    /// Recorded on the CLIENT span already.
    pub async fn list(&self, kind: &'static str) -> Result<Vec<Item>, Error> {
        let span = tracing::info_span!(
            "SELECT knowledge",
            otel.kind = kind,
            db.system.name = "postgresql",
            db.namespace = self.database,
            db.collection.name = "knowledge",
            db.operation.name = "SELECT",
            db.query.summary = "SELECT knowledge",
            db.query.text = LIST,
            server.address = self.address,
            server.port = i64::from(self.port),
        );
        let result = async {
            let rows = self.query(LIST).await?;
            rows.iter().map(item).collect::<Result<Vec<_>, _>>().map_err(Error::Query)
        }
        .instrument(span.clone())
        .await;
        if let Err(error) = &result {
            if let Some(code) = error.sql_state() {
                span.set_attribute("db.response.status_code", code.to_owned());
            }
            record_exception(&span, error.type_name(), &chain(error));
        }
        result
    }

    /// Whether PostgreSQL answers at all.
    ///
    /// # Errors
    /// It does not, within the limit.
    pub async fn ping(&self) -> Result<(), Error> {
        self.query("SELECT 1").await.map(drop)
    }

    async fn query(&self, sql: &str) -> Result<Vec<Row>, Error> {
        let deadline = Instant::now() + self.timeout;
        let connection = timeout_at(deadline, self.pool.get()).await;
        let client = connection.map_err(|_| Error::Timeout(self.timeout))?.map_err(Error::Connect)?;
        match timeout_at(deadline, client.query(sql, &[])).await {
            Ok(result) => result.map_err(Error::Query),
            Err(_) => {
                // The answer may still come: the next query must not wait behind it on this connection.
                drop(Object::take(client));
                Err(Error::Timeout(self.timeout))
            }
        }
    }
}

fn entry(row: &Row) -> Result<Entry, tokio_postgres::Error> {
    Ok(Entry {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        body: row.try_get("body")?,
        related: row.try_get("related")?,
    })
}

fn item(row: &Row) -> Result<Item, tokio_postgres::Error> {
    Ok(Item { id: row.try_get("id")?, title: row.try_get("title")? })
}
