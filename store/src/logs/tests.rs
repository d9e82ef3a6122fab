use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Map, Value, json};

use super::record::Payload;
use super::search::{SearchRequest, search};
use super::*;
use crate::query::QueryAst;
use crate::wal::SyncPolicy;

fn open(dir: &std::path::Path) -> std::sync::Arc<LogStore> {
    let options = LogOptions {
        dir: dir.to_owned(),
        sync: SyncPolicy::Always,
        retention: None,
        max_disk_bytes: None,
        max_waiting_bytes: 8 << 20,
    };
    LogStore::open(options).expect("the store opens")
}

fn index_file(id: &str) -> IndexConfig {
    let text = format!(
        "{{version: 0.9, index_id: {id}, doc_mapping: {{timestamp_field: ts, field_mappings: [\
         {{name: ts, type: datetime, fast: true}}, {{name: msg, type: text, record: position}}]}}, \
         search_settings: {{default_search_fields: [msg]}}}}"
    );
    IndexConfig::from_yaml(&text).expect("a valid index file")
}

fn all() -> SearchRequest {
    SearchRequest {
        query: QueryAst::All,
        start_timestamp: None,
        end_timestamp: None,
        sort: Vec::new(),
        search_after: None,
        offset: 0,
        max_hits: 100,
        aggregations: None,
        snippet_fields: Vec::new(),
    }
}

fn sources(store: &LogStore, id: &str) -> Vec<Value> {
    let index = store.index(id).expect("the index exists");
    let answer = search(&[index], &all()).expect("it can be searched");
    answer.hits.iter().map(|hit| serde_json::from_slice(&hit.source).expect("JSON")).collect()
}

#[test]
fn what_was_not_yet_committed_is_there_once_after_a_restart() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    store.create_index(index_file("mine")).expect("is made");
    let line = br#"{"ts": "2026-01-15T10:00:00Z", "msg": "one"}"#;
    store.ingest_ndjson("mine", line, |_| ()).expect("is taken");
    store.flush();
    store.ingest_ndjson("mine", line, |_| ()).expect("is taken");
    // What a crash leaves: the files as they are now.
    let left = tempfile::tempdir().expect("a temporary directory");
    copy(dir.path(), left.path());
    let store = open(left.path());
    store.flush();
    assert_eq!(sources(&store, "mine").len(), 2);
}

/// Copies a folder in the state of one moment: once more where something was written or removed meanwhile.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    in_time("the folder is never still for as long as a copy takes", || {
        let before = files(from);
        std::fs::remove_dir_all(to).expect("is emptied");
        let is_whole = before.iter().all(|(path, _)| {
            let target = to.join(path.strip_prefix(from).expect("lies below"));
            std::fs::create_dir_all(target.parent().expect("lies in a folder")).expect("is made");
            std::fs::copy(path, target).is_ok()
        });
        (is_whole && files(from) == before).then_some(())
    });
}

/// The files below a folder and when they were last written, in order; without locks.
fn files(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Option<std::time::SystemTime>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_none_or(|extension| extension != "lock") {
            let written = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            found.push((path, written));
        }
    }
    found.sort();
    found
}

/// Tries `attempt` until it is `Some`.
fn in_time<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(std::time::Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_index_whose_commit_failed_refuses_and_then_goes_on_by_itself() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    let index = store.create_index(index_file("mine")).expect("is made");
    store.create_index(index_file("other")).expect("is made");
    let mut taken = Vec::new();
    let mut send = |to: &str| {
        let line = json!({"ts": 1_768_471_200, "msg": format!("number {}", taken.len())});
        let outcome = store.ingest_ndjson(to, line.to_string().as_bytes(), |_| ());
        if to == "mine" && outcome.is_ok() {
            taken.push(line);
        }
        outcome
    };
    send("mine").expect("is taken");
    store.flush();

    // No commit can be made without the directory.
    let directory = index.dir().join("tantivy");
    let elsewhere = index.dir().join("elsewhere");
    std::fs::rename(&directory, &elsewhere).expect("is renamed");
    send("mine").expect("the write-ahead log has it");
    let error = in_time("nothing is refused", || send("mine").err());
    assert!(matches!(&error, LogError::Unwritable { index_id } if index_id == "mine"), "{error}");
    send("other").expect("the other index can be written");
    index.clear().expect_err("nothing can be deleted now");
    store.maintain();
    std::fs::rename(&elsewhere, &directory).expect("is renamed back");

    in_time("it does not go on", || send("mine").ok());
    store.flush();
    let messages = |of: &[Value]| of.iter().map(|doc| doc["msg"].clone()).collect::<Vec<_>>();
    let mut found = sources(&store, "mine");
    found.reverse();
    assert_eq!(messages(&found), messages(&taken));
    // The log is needed no more, and a restart finds the same.
    store.stop();
    drop(store);
    assert_eq!(sources(&open(dir.path()), "mine").len(), taken.len());
}

#[test]
fn an_index_that_cannot_be_written_can_be_deleted_and_frees_the_log() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    let index = store.create_index(index_file("mine")).expect("is made");
    let directory = index.dir().join("tantivy");
    std::fs::remove_dir_all(&directory).expect("is removed");
    let line = br#"{"ts": "2026-01-15T10:00:00Z"}"#;
    store.ingest_ndjson("mine", line, |_| ()).expect("the write-ahead log has it");
    in_time("nothing is refused", || store.ingest_ndjson("mine", line, |_| ()).err());
    store.delete_index("mine").expect("is deleted");
    assert_eq!(store.oldest_needed(), None);
}

#[test]
fn an_index_that_is_deleted_while_it_is_written_to_frees_the_log() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    let index = store.create_index(index_file("mine")).expect("is made");
    let line = br#"{"ts": "2026-01-15T10:00:00Z"}"#;
    store.ingest_ndjson("mine", line, |_| ()).expect("is taken");
    // A request that had found the index before it was deleted.
    store.delete_index("mine").expect("is deleted");
    let late = store.ingest(&index, Payload::NdJson, 0, line, |mapper, mapped| {
        intake::map_lines(mapper, line, |outcome| mapped.add(outcome));
    });
    late.expect("the log has it");
    in_time("the log is needed for an index that is gone", || store.oldest_needed().is_none().then_some(()));
}

#[test]
fn an_index_of_another_format_is_a_clear_error() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    open(dir.path()).stop();
    let indexes = std::fs::read_dir(dir.path().join("indexes")).expect("can be listed");
    let index = indexes.map(|entry| entry.expect("an entry").path().join("index.json")).next().expect("a built-in one");
    let mut metadata: Value = serde_json::from_slice(&std::fs::read(&index).expect("is there")).expect("JSON");
    metadata.as_object_mut().expect("an object").remove("format").expect("was written");
    std::fs::write(&index, metadata.to_string()).expect("is written");
    let options = LogOptions {
        dir: dir.path().to_owned(),
        sync: SyncPolicy::Always,
        retention: None,
        max_disk_bytes: None,
        max_waiting_bytes: 8 << 20,
    };
    let error = LogStore::open(options).expect_err("it is not read");
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[test]
fn a_deleted_index_does_not_come_back_and_its_name_is_free() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    store.create_index(index_file("mine")).expect("is made");
    store.ingest_ndjson("mine", br#"{"ts": "2026-01-15T10:00:00Z"}"#, |_| ()).expect("is taken");
    store.delete_index("mine").expect("is deleted");
    assert!(matches!(store.index("mine"), Err(LogError::IndexNotFound(_))));
    store.create_index(index_file("mine")).expect("is made anew");
    store.stop();
    drop(store);
    let store = open(dir.path());
    store.flush();
    assert!(sources(&store, "mine").is_empty());
}

#[test]
fn a_document_that_does_not_fit_is_counted_with_its_reason() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    let lines = b"{\"service_name\": 7}\nnot json\n";
    let outcome = store.ingest_ndjson(DEFAULT_LOGS_INDEX, lines, |_| ()).expect("is answered");
    assert_eq!((outcome.accepted, outcome.rejected), (0, 2));
    assert!(outcome.error.expect("a reason").contains("service_name"));
}

#[test]
fn old_documents_go_by_the_index_files_own_retention() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    let mut config = index_file("mine");
    config.retention = Some(Retention { period: "1 day".to_owned(), schedule: "daily".to_owned() });
    store.create_index(config).expect("is made");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    for age in [Duration::ZERO, Duration::from_secs(2 * 86_400)] {
        let line = json!({"ts": now - age.as_secs(), "msg": "x"}).to_string();
        store.ingest_ndjson("mine", line.as_bytes(), |_| ()).expect("is taken");
    }
    store.flush();
    store.maintain();
    assert_eq!(sources(&store, "mine").len(), 1);
}

#[test]
fn without_a_retention_of_its_own_an_index_counts_from_arrival() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    let index = store.create_index(index_file("mine")).expect("is made");
    // Old by its own time, yet it came just now.
    store.ingest_ndjson("mine", br#"{"ts": "2020-01-15T10:00:00Z", "msg": "x"}"#, |_| ()).expect("is taken");
    store.flush();
    assert_eq!(index.arrived_before(1_000, 900, 10).expect("is noted"), None);
    assert_eq!(index.arrived_before(1_100, 1_000, 10).expect("is noted"), Some(1));
    retention::enforce(&[index], Some(Duration::from_secs(60)), None);
    assert!(sources(&store, "mine").is_empty());
}

#[test]
fn beyond_the_size_limit_the_documents_that_came_first_go() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    let index = store.create_index(index_file("mine")).expect("is made");
    for number in 0..100 {
        let line = json!({"ts": 1_768_471_200 + number, "msg": format!("number {number}")}).to_string();
        store.ingest_ndjson("mine", line.as_bytes(), |_| ()).expect("is taken");
    }
    store.flush();
    let used = index.stats().disk_bytes;
    retention::enforce(&[index], None, Some(used / 2));
    let left = sources(&store, "mine");
    assert!((20..60).contains(&left.len()), "{} are left", left.len());
    assert_eq!(left[0]["msg"], "number 99");
}

#[test]
fn documents_stay_in_the_order_of_their_arrival_whichever_thread_wrote_them() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    store.create_index(index_file("mine")).expect("is made");
    // So large that after a commit a second thread helps.
    let text = "x".repeat(1 << 20);
    for number in 0..16 {
        let line = json!({"ts": 1_768_471_200, "msg": format!("{number} {text}")}).to_string();
        store.ingest_ndjson("mine", line.as_bytes(), |_| ()).expect("is taken");
        if number == 7 {
            store.flush();
        }
    }
    store.flush();
    let first_word = |doc: &Value| doc["msg"].as_str().and_then(|text| text.split(' ').next()).map(str::to_owned);
    let found: Vec<_> = sources(&store, "mine").iter().map(first_word).collect();
    // The last one comes first.
    let sent: Vec<_> = (0..16).rev().map(|number| Some(number.to_string())).collect();
    assert_eq!(found, sent);
}

#[test]
fn documents_that_were_kept_as_bytes_are_returned_too() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    let index = store.create_index(index_file("mine")).expect("is made");
    // As in the segments of a store that did not write them as text yet.
    let mut document = tantivy::TantivyDocument::new();
    document.add_bytes(index.mapper.source, br#"{"msg": "old"}"#);
    document.add_u64(index.mapper.seq, 0);
    let mut writer = index.tantivy().writer_with_num_threads(1, 15_000_000).expect("nobody else writes yet");
    writer.add_document(document).expect("is added");
    writer.commit().expect("is committed");
    writer.wait_merging_threads().expect("ends");
    store.stop();
    drop((index, store));
    assert_eq!(sources(&open(dir.path()), "mine"), [json!({"msg": "old"})]);
}

#[test]
fn dynamic_fields_are_kept_and_found() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = open(dir.path());
    store.create_index(index_file("mine")).expect("is made");
    let line = br#"{"ts": "2026-01-15T10:00:00Z", "shelf": {"bin": "B2"}, "n": 5}"#;
    store.ingest_ndjson("mine", line, |_| ()).expect("is taken");
    store.flush();
    let expected = json!({"ts": "2026-01-15T10:00:00Z", "shelf": {"bin": "B2"}, "n": 5});
    assert_eq!(sources(&store, "mine"), [expected]);
    for query in ["shelf.bin:B2", "n:[4 TO 5.5]", "shelf.bin:*"] {
        let defaults =
            crate::query::user::Defaults { fields: &[], operator: crate::query::user::Operator::And, lenient: false };
        let request = SearchRequest { query: crate::query::user::parse(query, defaults).expect("parses"), ..all() };
        let answer = search(&[store.index("mine").expect("exists")], &request).expect("is answered");
        assert_eq!(answer.num_hits, 1, "{query}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_as_an_export(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = ExportLogsServiceRequest::decode(&bytes[..]) {
            let mapper = DocMapper::new(&IndexConfig::from_yaml(include_str!("builtin/otel-logs-v0_9.yaml")).expect("valid"));
            let mapper = mapper.expect("valid");
            if otlp_doc::validate(&request).is_ok() {
                otlp_doc::for_each(request, 1, |doc: Map<String, Value>| drop(mapper.map(doc)));
            }
        }
    }

    #[test]
    fn no_index_file_panics(text in "[a-z_{}\\[\\]:, \n\"0-9.<>-]{0,200}") {
        let _ = IndexConfig::from_yaml(&text);
    }
}
