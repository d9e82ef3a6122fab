//! A store with the recorded logs in it, asked without a socket.
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use serde_json::Value;
use tower::ServiceExt as _;
use tracewright_store::logs::{IndexConfig, LogOptions, LogStore};
use tracewright_store::logs_api::{ApiOptions, NodeNames, router};
use tracewright_store::wal::SyncPolicy;

use crate::cases::{Case, Group, read};

pub struct Answer {
    pub status: u16,
    pub body: Value,
}

pub struct World {
    store: Arc<LogStore>,
    router: Router,
    _dir: tempfile::TempDir,
}

impl World {
    pub fn new(folder: &Path, group: Group) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options = LogOptions {
            dir: dir.path().to_owned(),
            sync: SyncPolicy::Always,
            retention: None,
            max_disk_bytes: None,
            max_waiting_bytes: 64 << 20,
        };
        let store = LogStore::open(options).expect("the store opens");
        let mut index = "otel-logs-v0_9".to_owned();
        if group == Group::OwnIndex {
            let text = std::fs::read_to_string(folder.join("own-index.yaml")).expect("the index file can be read");
            let config = IndexConfig::from_yaml(&text).expect("the index file is valid");
            index.clone_from(&config.index_id);
            store.create_index(config).expect("the index is made");
        }
        let logs = read(&folder.join("logs.json"));
        for request in logs["requests"].as_array().expect("requests") {
            let request: ExportLogsServiceRequest =
                serde_json::from_value(request.clone()).expect("an export request in OTLP/JSON");
            store.ingest_otlp(&index, &request.encode_to_vec()).expect("the logs are taken");
        }
        store.flush();
        let names = NodeNames {
            cluster_id: "golden".to_owned(),
            node_id: "golden-node".to_owned(),
            rest_address: "127.0.0.1:7280".to_owned(),
        };
        let options = ApiOptions {
            names,
            max_otlp_body_bytes: 64 << 20,
            search_timeout: Duration::from_secs(30),
            max_concurrent_searches: 4,
        };
        Self { router: router(Arc::clone(&store), options), store, _dir: dir }
    }

    /// The answers to all cases, asked one after the other.
    pub fn ask(&self, cases: &[Case]) -> Vec<Answer> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let mut scroll_ids = HashMap::new();
        cases
            .iter()
            .map(|case| {
                // Recorded after the logs that earlier cases sent could be found.
                self.store.flush();
                let answer = runtime.block_on(self.ask_one(case, &scroll_ids));
                for (ending, name) in [("es-scroll-start", "{scroll_id}"), ("es-scroll-start-multi", "{scroll_id2}")] {
                    if case.name.ends_with(ending) {
                        scroll_ids.insert(name, answer.body["_scroll_id"].as_str().unwrap_or_default().to_owned());
                    }
                }
                answer
            })
            .collect()
    }

    async fn ask_one(&self, case: &Case, scroll_ids: &HashMap<&str, String>) -> Answer {
        let request = case.request();
        let text = |key: &str| request[key].as_str().expect("text").to_owned();
        let query = match &request["query"] {
            Value::String(query) => query.clone(),
            Value::Object(query) => {
                let pairs = query.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()));
                form_encode(pairs)
            }
            _ => String::new(),
        };
        let path: String = text("path").split('/').map(percent_encode).collect::<Vec<_>>().join("/");
        let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
        let mut builder = Request::builder().method(&*text("method")).uri(uri);
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            builder = builder.header(name, value.as_str().expect("text"));
        }
        let body = match (&request["body"], request["body_base64"].as_str()) {
            (_, Some(base64)) => base64::engine::general_purpose::STANDARD.decode(base64).expect("base64"),
            (Value::Null, None) => Vec::new(),
            (Value::String(text), None) => text.clone().into_bytes(),
            (value, None) => {
                let mut text = value.to_string();
                for (name, id) in scroll_ids {
                    text = text.replace(name, id);
                }
                text.into_bytes()
            }
        };
        let request = builder.body(Body::from(body)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("a router always answers");
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status, body }
    }
}

fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~*,$".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn form_encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    pairs.map(|(key, value)| format!("{}={}", percent_encode(key), percent_encode(value))).collect::<Vec<_>>().join("&")
}
