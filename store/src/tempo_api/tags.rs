//! Tag names and tag values, in the form that older and newer clients ask for.
use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value as JsonValue, json};

use super::ApiState;
use super::error::ApiError;
use super::params::Params;
use super::search::window;
use crate::traceql::ast::{Attribute, FieldExpr, Intrinsic, Scope};
use crate::traceql::value::{Kind, Status};
use crate::traceql::{lenient, parser};
use crate::traces::Reader;
use crate::traces::column::Space;
use crate::traces::tags::{ValueKind, Values, Window};

/// What a client may ask for in `scope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TagScope {
    All,
    Intrinsic,
    Of(Space),
}

const SCOPES: [(&str, Space); 5] = [
    ("resource", Space::Resource),
    ("span", Space::Span),
    ("event", Space::Event),
    ("link", Space::Link),
    ("instrumentation", Space::Instrumentation),
];

/// Listed whatever is stored.
const INTRINSICS: [&str; 25] = [
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
];

fn scope(params: &Params) -> Result<TagScope, ApiError> {
    match params.get("scope") {
        None | Some("none") => Ok(TagScope::All),
        Some("intrinsic") => Ok(TagScope::Intrinsic),
        Some(name) => match SCOPES.iter().find(|(known, _)| *known == name) {
            Some((_, space)) => Ok(TagScope::Of(*space)),
            None => Err(ApiError::bad_request(format!("invalid scope: {name}"))),
        },
    }
}

/// The window and the limit that all of these endpoints take.
fn common(params: &Params) -> Result<(Window, usize), ApiError> {
    let (start_ns, end_ns) = window(params, params.seconds_u32("start")?, params.seconds_u32("end")?)?;
    let limit = params.number("limit")?.filter(|limit| *limit > 0).unwrap_or(u64::MAX);
    Ok((Window { start_ns, end_ns }, usize::try_from(limit).unwrap_or(usize::MAX)))
}

type Answer = Result<Json<JsonValue>, ApiError>;

pub async fn names_v1(State(state): State<ApiState>, reader: Reader, params: Params) -> Answer {
    let scope = scope(&params)?;
    let (window, limit) = common(&params)?;
    state
        .run(reader, move |store| {
            let mut names = BTreeSet::new();
            if scope == TagScope::Intrinsic {
                names.extend(INTRINSICS.iter().map(|name| (*name).to_owned()));
            }
            for (_, space) in SCOPES {
                if scope == TagScope::All || scope == TagScope::Of(space) {
                    names.extend(store.tag_names(space, &[], window)?);
                }
            }
            let names: Vec<String> = names.into_iter().take(limit).collect();
            Ok(Json(json!({"tagNames": names, "metrics": {}})))
        })
        .await
}

pub async fn names_v2(State(state): State<ApiState>, reader: Reader, params: Params) -> Answer {
    let scope = scope(&params)?;
    let (window, limit) = common(&params)?;
    let conditions = params.get("q").map(lenient::conditions).unwrap_or_default();
    state
        .run(reader, move |store| {
            let mut left = limit;
            let mut scopes = Vec::new();
            let mut list = |name: &str, tags: Vec<String>| {
                let tags: Vec<String> = tags.into_iter().take(left).collect();
                left -= tags.len();
                if !tags.is_empty() {
                    scopes.push(json!({"name": name, "tags": tags}));
                }
            };
            for (name, space) in SCOPES {
                if scope == TagScope::All || scope == TagScope::Of(space) {
                    list(name, store.tag_names(space, &conditions, window)?.into_iter().collect());
                }
            }
            if matches!(scope, TagScope::All | TagScope::Intrinsic) {
                list("intrinsic", INTRINSICS.iter().map(|name| (*name).to_owned()).collect());
            }
            Ok(Json(json!({"scopes": scopes, "metrics": {}})))
        })
        .await
}

pub async fn values_v1(
    State(state): State<ApiState>,
    reader: Reader,
    Path(tag): Path<String>,
    params: Params,
) -> Answer {
    let (window, limit) = common(&params)?;
    let tag = decode_twice(&tag);
    // Unscoped names, of which a few mean intrinsics. `status` and `kind` are attributes of that name here.
    let attribute = match &*tag {
        "name" => Attribute::Intrinsic(Intrinsic::Name),
        "root.name" => Attribute::Intrinsic(Intrinsic::RootName),
        "root.service.name" => Attribute::Intrinsic(Intrinsic::RootServiceName),
        _ => Attribute::Named { scope: Scope::Any, name: tag, parent: false },
    };
    state
        .run(reader, move |store| {
            let values = store.tag_values(&attribute, &[], window)?;
            let texts: BTreeSet<String> = values.into_iter().map(|(_, text)| text).collect();
            let texts: Vec<String> = texts.into_iter().take(limit).collect();
            Ok(Json(json!({"tagValues": texts, "metrics": {}})))
        })
        .await
}

pub async fn values_v2(
    State(state): State<ApiState>,
    reader: Reader,
    Path(tag): Path<String>,
    params: Params,
) -> Answer {
    let tag = decode_twice(&tag);
    let attribute = parser::parse_attribute(&tag).map_err(|error| {
        ApiError::bad_request(format!("please provide a valid tagName: failed to parse identifier {tag}: {error}"))
    })?;
    let (window, limit) = common(&params)?;
    if let Some(keywords) = keywords(&attribute) {
        let values: Vec<JsonValue> =
            keywords.into_iter().map(|word| json!({"type": "keyword", "value": word})).collect();
        return Ok(Json(json!({"tagValues": values, "metrics": {}})));
    }
    let conditions: Vec<FieldExpr> = params.get("q").map(lenient::conditions).unwrap_or_default();
    state.run(reader, move |store| Ok(typed(store.tag_values(&attribute, &conditions, window)?, limit))).await
}

fn keywords(attribute: &Attribute) -> Option<Vec<&'static str>> {
    match attribute {
        Attribute::Intrinsic(Intrinsic::Status) => {
            Some([Status::Error, Status::Ok, Status::Unset].map(Status::as_str).to_vec())
        }
        Attribute::Intrinsic(Intrinsic::Kind) => Some(Kind::ALL.map(Kind::as_str).to_vec()),
        _ => None,
    }
}

fn typed(values: Values, limit: usize) -> Json<JsonValue> {
    let value = |(kind, text): (ValueKind, String)| {
        if text.is_empty() { json!({"type": kind.as_str()}) } else { json!({"type": kind.as_str(), "value": text}) }
    };
    let values: Vec<JsonValue> = values.into_iter().take(limit).map(value).collect();
    Json(json!({"tagValues": values, "metrics": {}}))
}

/// Grafana has encoded names twice at times, so `%2E` that is left after the first decoding is decoded too.
fn decode_twice(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
