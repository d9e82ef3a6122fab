//! Both ways from a request to documents give the same.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as OtlpValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use proptest::prelude::*;

use super::super::doc_mapper::LogDocument;
use super::super::index_config::IndexConfig;
use super::*;

const BUILT_IN: &str = include_str!("builtin/otel-logs-v0_9.yaml");

fn mappers() -> [DocMapper; 2] {
    // As the built-in index, and as one of our own may be: other fast fields, nothing returned of the scope.
    let own = BUILT_IN.replace(
        "{name: body, type: json, tokenizer: default}",
        "{name: body, type: json, tokenizer: default, fast: true}",
    );
    let own = own.replace(
        "{name: scope_name, type: text, indexed: false}",
        "{name: scope_name, type: text, stored: false, fast: true}",
    );
    assert_ne!(own, BUILT_IN);
    [BUILT_IN, &own].map(|text| DocMapper::new(&IndexConfig::from_yaml(text).expect("a valid file")).expect("fits"))
}

type Outcome = Result<(Vec<String>, usize, Option<tantivy::DateTime>), DocError>;

/// What a document is made of, in words.
fn show(outcome: Result<MappedDoc, DocError>) -> Outcome {
    outcome.map(|doc| {
        let LogDocument { own, shared } = &doc.document;
        let fields = own.field_values().chain(shared.iter().flat_map(|shared| shared.field_values()));
        let mut values: Vec<_> = fields.collect();
        // The order of fields means nothing, that of the values of one does.
        values.sort_by_key(|(field, _)| *field);
        let values = values.into_iter().map(|(field, value)| {
            let value = tantivy::schema::OwnedValue::from(value);
            format!("{} {value:?}", field.field_id())
        });
        (values.collect(), doc.source_bytes, doc.timestamp)
    })
}

fn assert_same(request: &ExportLogsServiceRequest) {
    let payload = request.encode_to_vec();
    for mapper in mappers() {
        let mut long = Vec::new();
        otlp_doc::for_each(request.clone(), 1_768_471_200_000_000_123, |doc| long.push(show(mapper.map(doc))));
        let mut direct = Vec::new();
        let plan = mapper.otlp_plan.as_ref().expect("a usual index file");
        let view = Request::read(&payload).expect("our own encoding");
        assert_eq!(view.count(), otlp_doc::count(request));
        assert_eq!(view.validate(), otlp_doc::validate(request));
        view.map(&mapper, plan, 1_768_471_200_000_000_123, |outcome| direct.push(show(outcome)));
        assert_eq!(direct, long);
    }
}

fn request(
    resource: Vec<KeyValue>,
    scope: InstrumentationScope,
    log_records: Vec<LogRecord>,
) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: resource, dropped_attributes_count: 1, ..Resource::default() }),
            scope_logs: vec![ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }],
    }
}

fn value() -> impl Strategy<Value = Option<OtlpValue>> {
    let leaf = prop_oneof![
        "[a-z\"\\\\ äΩ\u{1}]{0,12}".prop_map(OtlpValue::StringValue),
        Just(OtlpValue::StringValue("x".repeat(300))),
        Just(OtlpValue::StringValue("2026-01-15T10:00:00Z".to_owned())),
        any::<bool>().prop_map(OtlpValue::BoolValue),
        any::<i64>().prop_map(OtlpValue::IntValue),
        any::<f64>().prop_map(OtlpValue::DoubleValue),
        Just(OtlpValue::DoubleValue(f64::NAN)),
        Just(OtlpValue::BytesValue(vec![1, 2])),
    ];
    let nested = leaf.clone().prop_map(|inner| {
        let values = vec![AnyValue { value: Some(inner.clone()) }];
        let pair = KeyValue { key: "inner".to_owned(), value: values.first().cloned(), ..KeyValue::default() };
        [OtlpValue::ArrayValue(ArrayValue { values }), OtlpValue::KvlistValue(KeyValueList { values: vec![pair] })]
    });
    prop_oneof![
        6 => leaf.prop_map(Some),
        1 => nested.clone().prop_map(|[array, _]| Some(array)),
        1 => nested.prop_map(|[_, map]| Some(map)),
        1 => Just(None),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof!["[a-c]{0,2}", Just("service.name".to_owned()), Just("a.b".to_owned())];
    let pair = (key, value()).prop_map(|(key, value)| KeyValue {
        key,
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    });
    proptest::collection::vec(pair, 0..5)
}

fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), Just(vec![0; bytes]), Just(vec![0xab; bytes]), Just(vec![1])]
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let time = || prop_oneof![Just(0), Just(1_768_471_200_000_000_000), Just(7), any::<u64>()];
    let severity = (prop_oneof![Just(0), Just(-3), Just(17)], prop_oneof!["", "[A-Z]{1,5}", Just("é".repeat(200))]);
    let rest = (value(), attributes(), any::<u32>(), any::<u32>(), id(16), id(8));
    (time(), time(), severity, rest).prop_map(|(time, observed, severity, rest)| LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: observed,
        severity_number: severity.0,
        severity_text: severity.1,
        body: Some(AnyValue { value: rest.0 }),
        attributes: rest.1,
        dropped_attributes_count: rest.2 % 2,
        flags: rest.3,
        trace_id: rest.4,
        span_id: rest.5,
        event_name: "ignored".to_owned(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_direct_way_gives_what_the_long_way_gives(
        resource in attributes(),
        scope in ("[a-z]{0,3}", attributes()),
        records in proptest::collection::vec(log_record(), 0..4),
    ) {
        let scope = InstrumentationScope { name: scope.0, attributes: scope.1, ..InstrumentationScope::default() };
        assert_same(&request(resource, scope, records));
    }
}

#[test]
fn a_request_in_an_unusual_form_is_left_to_prost() {
    assert!(Request::read(b"\x0a\x02\x12").is_none(), "cut short");
    assert!(Request::read(b"\x10\x01").is_none(), "a field that is not there");
}
