use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::*;

const FOR_ACME: &str = r#"{"if": [{"in": [{"var": "tenant"}, ["acme"]]}, "on", "off"]}"#;
const FOR_ACME_OR_A_TEST: &str = r#"{"if": [{"or": [{"in": [{"var": "tenant"}, ["acme"]]}, {"in": [{"var": "test"}, ["t1", "t2"]]}]}, "on", "off"]}"#;

fn flag(default: &str, targeting: &str) -> String {
    format!(
        r#"{{"flags": {{"broken": {{"state": "ENABLED", "variants": {{"on": true, "off": false}},
            "defaultVariant": "{default}", "targeting": {targeting}}}}}}}"#
    )
}

/// Puts a file in the place of another, as who switches flags does.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside).expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    fs::rename(beside, path).expect("renamed");
}

/// A path of its own in the system's temporary folder.
fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("rust-service-flags-{}-{name}.json", std::process::id()))
}

fn is_on(flags: &FlagFile, tenant: &str) -> bool {
    let context = EvaluationContext::default().with_custom_field("tenant", tenant);
    flags.resolve("broken", &context).expect("resolved").value
}

#[test]
fn a_flag_is_for_those_it_targets() {
    let path = place("targets");
    replace(&path, &flag("off", FOR_ACME));
    let flags = FlagFile::open(&path).expect("a good file");
    assert!(is_on(&flags, "acme"));
    assert!(!is_on(&flags, "globex"));
    replace(&path, &flag("off", FOR_ACME_OR_A_TEST));
    let flags = FlagFile::open(&path).expect("a good file");
    assert!(is_on(&flags, "acme"));
    assert!(!is_on(&flags, "globex"));
    let tested = EvaluationContext::default().with_custom_field("test", "t2");
    assert!(flags.resolve("broken", &tested).expect("resolved").value);
    replace(&path, &flag("on", "{}"));
    assert!(is_on(&FlagFile::open(&path).expect("a good file"), "globex"));
    fs::remove_file(path).expect("removed");
}

#[test]
fn an_unusable_file_is_named() {
    let path = place("unusable");
    let misspelt = FOR_ACME.replace("off", "of");
    for text in ["{", "{}", &flag("maybe", "{}"), &flag("off", r#"{"perhaps": [1]}"#), &flag("off", &misspelt)] {
        replace(&path, text);
        let error = FlagFile::open(&path).map(drop).expect_err(text).to_string();
        assert!(error.contains("unusable"), "{error}");
    }
    fs::remove_file(&path).expect("removed");
    let error = FlagFile::open(&path).map(drop).expect_err("missing").to_string();
    assert!(error.contains("unusable"), "{error}");
}

#[tokio::test]
async fn a_change_is_seen_and_a_broken_file_changes_nothing() {
    let path = place("watched");
    replace(&path, &flag("off", "{}"));
    let flags = FlagFile::open(&path).expect("a good file");
    let watched = flags.clone();
    let watching = tokio::spawn(async move { watched.watch().await });
    replace(&path, &flag("on", "{}"));
    eventually(&flags, true).await;
    replace(&path, "{");
    // Longer than two looks: the broken file has been seen.
    tokio::time::sleep(LOOK_EVERY * 3).await;
    assert!(is_on(&flags, "acme"));
    fs::remove_file(&path).expect("removed");
    tokio::time::sleep(LOOK_EVERY * 3).await;
    assert!(is_on(&flags, "acme"));
    replace(&path, &flag("off", "{}"));
    eventually(&flags, false).await;
    watching.abort();
    fs::remove_file(path).expect("removed");
}

#[tokio::test]
async fn a_change_of_the_same_length_within_a_tick_of_the_clock_is_seen() {
    let path = place("tick");
    let for_tenant = |name: &str| flag("off", &FOR_ACME.replace("acme", name));
    replace(&path, &for_tenant("none"));
    let flags = FlagFile::open(&path).expect("a good file");
    let before = fs::metadata(&path).expect("is there");
    let watched = flags.clone();
    let watching = tokio::spawn(async move { watched.watch().await });
    // The first look is over when the task has run up to its first sleep: this runtime has one thread.
    tokio::task::yield_now().await;
    let beside = path.with_extension("new");
    fs::write(&beside, for_tenant("acme")).expect("written");
    let file = fs::File::options().write(true).open(&beside).expect("is there");
    file.set_modified(before.modified().expect("a time")).expect("the same time");
    assert_eq!(file.metadata().expect("is there").len(), before.len());
    fs::rename(beside, &path).expect("renamed");
    eventually(&flags, true).await;
    watching.abort();
    fs::remove_file(path).expect("removed");
}

/// Returns when the flag is as wanted for acme.
async fn eventually(flags: &FlagFile, wanted: bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while is_on(flags, "acme") != wanted {
        assert!(Instant::now() < deadline, "not within 60 s: {wanted}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_flag_is_boolean_only() {
    let path = place("boolean");
    replace(&path, &flag("on", "{}"));
    let flags = FlagFile::open(&path).expect("a good file");
    let error = flags.resolve_int_value("broken", &EvaluationContext::default()).await.expect_err("refused");
    assert_eq!(error.code, EvaluationErrorCode::TypeMismatch);
    fs::remove_file(path).expect("removed");
}
