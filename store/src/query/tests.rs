use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::ast::{BoolQuery, FullTextMode, QueryAst};
use super::user::{Defaults, Operator, parse};
use super::{QueryError, build, elastic};
use crate::logs::{DocMapper, IndexConfig, tokenizers};

fn defaults(fields: &[String]) -> Defaults<'_> {
    Defaults { fields, operator: Operator::And, lenient: false }
}

fn ast(query: &str) -> Result<QueryAst, QueryError> {
    parse(query, defaults(&["body.message".to_owned()]))
}

fn text(field: &str, text: &str, mode: FullTextMode) -> QueryAst {
    QueryAst::FullText { field: field.to_owned(), text: text.to_owned(), mode, lenient: false }
}

fn mapper() -> &'static DocMapper {
    static MAPPER: LazyLock<DocMapper> = LazyLock::new(|| {
        let config = IndexConfig::from_yaml(include_str!("../logs/builtin/otel-logs-v0_9.yaml")).expect("a valid file");
        DocMapper::new(&config).expect("a valid mapping")
    });
    &MAPPER
}

#[test]
fn blanks_ask_for_everything() {
    assert_eq!(ast("  "), Ok(QueryAst::All));
    assert_eq!(ast("*"), Ok(QueryAst::All));
}

#[test]
fn a_word_goes_to_the_default_field_and_quotes_make_a_phrase() {
    assert_eq!(ast("refused"), Ok(text("body.message", "refused", FullTextMode::PhraseOrAll)));
    assert_eq!(ast("msg:\"a b\"~2"), Ok(text("msg", "a b", FullTextMode::Phrase { slop: 2 })));
}

#[test]
fn bare_words_are_all_wanted_and_make_an_or_beside_them_optional() {
    let word = |word: &str| text("f", word, FullTextMode::PhraseOrAll);
    assert_eq!(ast("f:a f:b"), Ok(BoolQuery { must: vec![word("a"), word("b")], ..BoolQuery::default() }.into()));
    assert_eq!(ast("f:a OR f:b"), Ok(BoolQuery { should: vec![word("a"), word("b")], ..BoolQuery::default() }.into()));
}

#[test]
fn several_default_fields_are_alternatives_and_none_is_an_error() {
    let fields = ["a".to_owned(), "b".to_owned()];
    let Ok(QueryAst::Bool(query)) = parse("x", defaults(&fields)) else { panic!("a choice is expected") };
    assert_eq!(query.should.len(), 2);
    assert_eq!(parse("x", defaults(&[])), Err(QueryError::NoDefaultField));
}

#[test]
fn wildcards_are_told_from_escaped_ones() {
    assert!(matches!(ast("f:py*ice"), Ok(QueryAst::Wildcard { .. })));
    assert!(matches!(ast("f:wh\\?"), Ok(QueryAst::FullText { .. })));
}

#[test]
fn too_deep_a_query_is_refused_not_recursed_into() {
    let query = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(matches!(ast(&query), Err(QueryError::Syntax(_))));
}

#[test]
fn a_range_on_whole_numbers_takes_fractions_and_negatives() {
    let mapper = mapper();
    for query in ["severity_number:>=16.5", "severity_number:>-1", "severity_number:[-5 TO 3.5]"] {
        let ast = ast(query).expect("it parses");
        assert!(build(&ast, mapper, &tokenizers::manager()).is_ok(), "{query}");
    }
}

#[test]
fn the_query_dsl_names_what_it_does_not_know() {
    let error = serde_json::from_value::<elastic::ElasticQuery>(json!({"fuzzy": {"a": "b"}})).expect_err("unknown");
    assert!(error.to_string().contains("unknown variant `fuzzy`"), "{error}");
    let error = serde_json::from_value::<elastic::ElasticQuery>(json!({"bool": {"must": {"nope": {}}}}));
    assert!(error.expect_err("unknown").to_string().contains("nope"));
}

/// Pieces of which queries are made, so that random ones are often nearly right.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "AND",
            "OR",
            "NOT",
            "-",
            "+",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "TO",
            "IN",
            ":",
            "*",
            "?",
            "\"",
            "'",
            "/",
            "~2",
            "^3",
            ">=",
            "<",
            "\\",
            " ",
            "severity_number",
            "timestamp_nanos",
            "attributes.a",
            "trace_id",
            "body",
            "service_name:",
            "scope_attributes.x:1",
            "3.5",
            "-7",
            "2026-01-15T10:00:00Z",
            "deadbeef",
            "é",
            "🚀",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

#[test]
fn options_of_the_dsl_are_heeded_and_unknown_ones_are_named() {
    let read = |query: Value| serde_json::from_value::<elastic::ElasticQuery>(query);
    let convert = |query| elastic::convert(read(query).expect("is read"), &[]).expect("is converted");
    let field = || "f".to_owned();
    let term = convert(json!({"term": {"f": {"value": "a.b", "case_insensitive": true}}}));
    assert_eq!(term, QueryAst::Regex { field: field(), pattern: "(?i)a\\.b".to_owned() });
    for query in [
        json!({"wildcard": {"f": {"value": "a\\?*", "case_insensitive": true}}}),
        json!({"prefix": {"f": {"value": "a?", "case_insensitive": true}}}),
    ] {
        let pattern = "a\\?*".to_owned();
        assert_eq!(convert(query), QueryAst::Wildcard { field: field(), pattern, lenient: true, any_case: true });
    }
    for unknown in [
        json!({"term": {"f": {"value": "x", "nope": 1}}}),
        json!({"match": {"f": {"query": "x", "nope": 2}}}),
        json!({"match_phrase": {"f": {"query": "x", "nope": 2}}}),
        json!({"wildcard": {"f": {"value": "x", "nope": 1}}}),
    ] {
        let error = read(unknown).expect_err("nope").to_string();
        assert!(error.contains("unknown field `nope`"), "{error}");
    }
    let both = json!({"query_string": {"query": "x", "fields": ["f"], "default_field": "g"}});
    let error = elastic::convert(read(both).expect("is read"), &[]).expect_err("one or the other").to_string();
    assert!(error.contains("cannot be both set"), "{error}");
    // In an unknown field nothing begins with anything; asking for an expression in it is a mistake.
    let build = |query| build(&convert(query), mapper(), &tokenizers::manager()).map(drop);
    assert_eq!(build(json!({"prefix": {"nope": "x"}})), Ok(()));
    assert_eq!(build(json!({"regexp": {"nope": "x"}})), Err(QueryError::UnknownField("nope".to_owned())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_query_panics(pieces in prop::collection::vec(piece(), 0..12), spaced in any::<bool>()) {
        let query = pieces.join(if spaced { " " } else { "" });
        if let Ok(ast) = ast(&query) {
            let _ = build(&ast, mapper(), &tokenizers::manager());
        }
    }

    #[test]
    fn no_body_of_the_dsl_panics(text in "[{}\\[\\]\":,a-z0-9._* ]{0,60}", field in "[a-z_.]{1,20}", value in any::<String>()) {
        let _ = serde_json::from_str::<elastic::ElasticQuery>(&text);
        for kind in ["term", "match", "match_phrase", "prefix", "wildcard", "regexp", "match_bool_prefix"] {
            let query = json!({kind: {field.as_str(): value.as_str()}});
            if let Ok(query) = serde_json::from_value::<elastic::ElasticQuery>(query)
                && let Ok(ast) = elastic::convert(query, &[])
            {
                let _ = build(&ast, mapper(), &tokenizers::manager());
            }
        }
    }
}
