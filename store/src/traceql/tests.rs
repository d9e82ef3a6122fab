//! The language: what parses, where errors point, and that nothing makes it panic.
use std::sync::Arc;

use proptest::prelude::*;

use super::eval::Patterns;
use super::model::{Instrumentation, Resource, Span, Trace};
use super::value::{Kind, Status};
use super::*;

fn error(text: &str) -> String {
    compile(text).expect_err("is refused").to_string()
}

#[test]
fn errors_name_their_place() {
    for (query, message) in [
        ("{ span.foo == 1 }", "parse error at line 1, col 13: syntax error: unexpected ="),
        ("{ name = \"x }", "parse error at line 1, col 10: literal not terminated"),
        ("{ name = 'abc' }", "parse error at line 1, col 10: invalid char literal"),
        ("{ name = 'x' }", "parse error at line 1, col 10: unknown identifier: 'x'"),
        ("{} /* half", "parse error at line 1, col 4: comment not terminated"),
        ("{ foo = 1 }", "parse error at line 1, col 3: unknown identifier: foo"),
        ("{\n  span:nope = 1 }", "parse error at line 2, col 8: syntax error: unexpected IDENTIFIER"),
        ("{} | rate(", "parse error at line 1, col 11: syntax error: unexpected $end, expecting )"),
        ("", "parse error : syntax error: unexpected $end"),
        ("{ duration = \"abc\" }", "binary operations must operate on the same type: duration = `abc`"),
        ("{ parent.x = 1 }", "parent not yet supported"),
        ("{} | avg(name) > 1", "aggregate field expressions must resolve to a number type: avg(name)"),
    ] {
        assert_eq!(error(query), message);
    }
}

#[test]
fn every_form_of_the_language_parses() {
    for query in [
        "{}",
        "{ .a.b-c/d = `raw` || span.\"my key\".x != nil }",
        "{ !(duration > 1h30m) && -span.x ^ 2 % 3 + 1.5e3 >= .5 }",
        "({ a } >> { b }) && ({ c } !~ { d } &<< { e })".replace("{ ", "{ span.").leak(),
        "({ span.a = 1 } | count() > 1) || { status = error }",
        "{ kind = server } | by(resource.service.name) | avg(duration) >= 5ms | coalesce() | select(name, .x)",
        "{ event:timeSinceStart > 1s && link:traceID = \"a\" && instrumentation:version =~ \"1.*\" }",
        "{} | quantile_over_time(duration, .5, 0.99) by(name, span.x) | topk(3)",
        "{} | rate() by(name) > 0.5 with(exemplars=false, sample=0.1)",
        "{ trace:duration > 1s } // a comment\n | count() != 0",
        "{ /* with = signs */ name = \"a\" }",
    ] {
        compile(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    }
}

#[test]
fn and_binds_like_or_from_the_left_as_in_tempo() {
    let query = compile("{ span.a || span.b && span.c }").expect("parses");
    let [ast::Stage::Spansets(ast::SpansetExpr::Filter(ast::FieldExpr::Binary { op, .. }))] =
        &query.pipeline.stages[..]
    else {
        panic!("one filter")
    };
    assert_eq!(*op, ast::Op::And);
}

#[test]
fn endless_queries_are_refused_before_they_exhaust_the_stack() {
    for query in [
        format!("{{ {}", "(".repeat(100_000)),
        format!("{{ {}true }}", "!".repeat(100_000)),
        format!("{{ true{} }}", " && true".repeat(100_000)),
        format!("{{}}{}", " > {}".repeat(100_000)),
        format!("{}{{}}", "(".repeat(100_000)),
        format!("{{}} | count(){} > 1", " + 1".repeat(100_000)),
    ] {
        assert!(compile(&query).is_err());
    }
}

/// root ─┬─ a ── b
///       └─ c
fn tree() -> Trace {
    let span = |id: u8, parent: u8, name: &str| Span {
        id: [id; 8],
        parent_id: [parent; 8],
        name: name.to_owned(),
        kind: Kind::Server,
        status: Status::Unset,
        status_message: String::new(),
        start_ns: u64::from(id),
        duration_ns: 10,
        attributes: vec![
            ("x".to_owned(), Value::Int(i64::from(id))),
            ("list".to_owned(), Value::Array(vec![Value::Int(1), Value::Int(2)])),
        ],
        events: Vec::new(),
        links: Vec::new(),
        resource: Arc::new(Resource::default()),
        instrumentation: Arc::new(Instrumentation::default()),
    };
    Trace::new([1; 16], vec![span(1, 0, "root"), span(2, 1, "a"), span(3, 2, "b"), span(4, 1, "c")])
}

fn names(query: &str) -> Vec<String> {
    let trace = tree();
    let query = compile(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let sets = pipeline::run(&query.pipeline, &trace, &Patterns::of_query(&query));
    sets.iter().flat_map(|set| &set.spans).map(|span| trace.spans[*span].name.clone()).collect()
}

#[test]
fn structural_operators_follow_the_tree() {
    for (query, expected) in [
        (r#"{ name = "root" } > {}"#, vec!["a", "c"]),
        (r#"{ name = "root" } >> {}"#, vec!["a", "b", "c"]),
        (r#"{ name = "b" } << {}"#, vec!["root", "a"]),
        (r#"{ name = "b" } < {}"#, vec!["a"]),
        (r#"{ name = "a" } ~ {}"#, vec!["c"]),
        (r#"{ name = "root" } !> {}"#, vec!["root", "b"]),
        (r#"{ name = "nobody" } !>> {}"#, vec!["root", "a", "b", "c"]),
        (r#"{ name = "root" } &> { name = "c" }"#, vec!["c", "root"]),
        (r#"{ name = "a" } && { name = "nobody" }"#, vec![]),
    ] {
        assert_eq!(names(query), expected, "{query}");
    }
}

#[test]
fn values_compare_by_type() {
    for (query, matches) in [
        ("{ span.x = 2 }", 1),
        ("{ span.x = 2.0 }", 0),
        ("{ span.x > 1.5 }", 0),
        ("{ span.x * 1.0 > 1.5 }", 3),
        ("{ span.x * 1.0 = 2 }", 1),
        ("{ span.x % 3.0 = 1 }", 2),
        ("{ span.x != span.y }", 0),
        ("{ span.x ^ 3 = 9 }", 1),
        ("{ 2 = span.x }", 1),
        ("{ 3 < span.x }", 0),
        ("{ 2 <= span.x }", 1),
        ("{ 5ns < duration }", 0),
        ("{ !span.x }", 0),
        ("{ !span.missing }", 0),
        ("{ !(span.x > 3) }", 3),
        ("{ kind != nil }", 4),
        ("{ event:name != nil }", 0),
        ("{ span:childCount > 0 }", 0),
        ("{ span.list = 2 }", 4),
        ("{ span.missing = nil }", 4),
        ("{ span.missing != 1 }", 0),
        ("{ span.x / 0 = 1 }", 0),
        ("{ name =~ \"ro\" }", 0),
        ("{ name =~ \"ro.*\" }", 1),
    ] {
        assert_eq!(names(query).len(), matches, "{query}");
    }
}

#[test]
fn what_tempo_refuses_is_refused() {
    for (query, message) in [
        ("{} | quantile_over_time(duration)", "parse error at line 1, col 33: syntax error: unexpected ), expecting ,"),
        ("{} | rate() | topk(0)", "limit must be greater than 0"),
        ("{} | rate() by (.a, .b, .c, .d, .e, .f)", "metrics group by 6 values not yet supported"),
        (
            "{} | quantile_over_time(duration, .5) by (.a, .b, .c, .d, .e)",
            "metrics group by 5 values not yet supported",
        ),
        ("{} | quantile_over_time(duration, .5, 1.5)", "quantile must be between 0 and 1: 1.5"),
        ("{} | quantile_over_time(duration, -1)", "quantile must be between 0 and 1: -1"),
        ("{ name =~ `a)|(b` }", "invalid regex: `a)|(b`"),
        ("{} | count() > \"x\"", "parse error at line 1, col 16: syntax error: unexpected STRING"),
        ("{ nil = status }", "status=nil is not valid because intrinsics cannot be nil"),
        (
            "{ resource.service.name = nil }",
            "resource.service.name=nil is not valid because resource.service.name cannot be nil",
        ),
    ] {
        assert_eq!(compile(query).expect_err(query).to_string(), message, "{query}");
    }
}

#[test]
fn a_half_typed_query_narrows_by_what_is_complete_and_never_by_an_or() {
    for (query, conditions) in [
        (r#"{ name = "a" && kind = server }"#, 2),
        (r#"{ name = "a" && span.x = }"#, 1),
        (r#"{ name = "a" && (kind = server || kind = client) }"#, 0),
        (r#"{ name = "a" || span.x = }"#, 0),
        (r#"{ name = "a" } >> { kind = server }"#, 0),
    ] {
        assert_eq!(lenient::conditions(query).len(), conditions, "{query}");
    }
}

/// Words and signs of the language in any order: deeper into the parser than arbitrary text comes.
fn soup() -> impl Strategy<Value = String> {
    let words = prop::sample::select(
        "{ } ( ) | && || = != =~ !~ > >> < << ~ !> &> + - * / % ^ ! , . span.x resource.y .z name status error kind \
         server duration 5s 1.5 42 \"text\" `raw` nil true count() avg( sum( by( coalesce() select( rate() \
         quantile_over_time( topk(2) with( event:name trace:id parent. childCount"
            .split_whitespace()
            .collect::<Vec<_>>(),
    );
    prop::collection::vec(words, 0..30).prop_map(|words| words.join(" "))
}

fn survive(text: &str) {
    let _ = parser::parse_attribute(text);
    let conditions = lenient::conditions(text);
    let trace = tree();
    for condition in &conditions {
        eval::matches(condition, &trace, 0, &Patterns::default());
    }
    if let Ok(query) = compile(text) {
        pipeline::run(&query.pipeline, &trace, &Patterns::of_query(&query));
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,80}") {
        survive(&text);
    }

    #[test]
    fn no_words_make_it_panic(text in soup()) {
        survive(&text);
    }

    #[test]
    fn what_is_printed_parses_to_the_same(text in soup()) {
        if let Ok(query) = compile(&text)
            && let [ast::Stage::Spansets(ast::SpansetExpr::Filter(filter))] = &query.pipeline.stages[..]
        {
            let again = compile(&format!("{{ {filter} }}"));
            prop_assert_eq!(again.map(|query| query.pipeline), Ok(query.pipeline.clone()), "{}", filter);
        }
    }
}
