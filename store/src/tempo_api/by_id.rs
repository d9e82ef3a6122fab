//! One trace by its id.
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;
use serde_json::json;

use super::error::ApiError;
use super::params::{Encoding, Params, check_order};
use super::{ApiState, llm, otlp_json, proto, shared_ids};
use crate::traces::Reader;

pub async fn v1(
    State(state): State<ApiState>,
    reader: Reader,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    check_window(&params)?;
    let encoding = Encoding::of(&headers);
    state
        .run(reader, move |store| {
            let wire = load(store, &id)?;
            if wire.is_empty() {
                return Ok(empty_not_found());
            }
            let body = match encoding {
                Encoding::Protobuf => proto::Trace { resource_spans: wire }.encode_to_vec(),
                Encoding::Llm => json!({"trace": llm::trace(&id, &wire)}).to_string().into_bytes(),
                Encoding::Json => {
                    let batches: Vec<_> = wire.iter().map(otlp_json::resource_spans).collect();
                    json!({ "batches": batches }).to_string().into_bytes()
                }
            };
            Ok(answer(encoding, body))
        })
        .await
}

pub async fn v2(
    State(state): State<ApiState>,
    reader: Reader,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    check_window(&params)?;
    let encoding = Encoding::of(&headers);
    state.run(reader, move |store| Ok(answer(encoding, body_v2(store, &id, encoding)?))).await
}

fn body_v2(store: &Reader, id: &[u8; 16], encoding: Encoding) -> Result<Vec<u8>, ApiError> {
    let wire = load(store, id)?;
    Ok(match encoding {
        Encoding::Protobuf => {
            let trace = Some(proto::Trace { resource_spans: wire });
            proto::TraceByIdResponse { trace, metrics: Some(proto::TraceByIdMetrics::default()) }.encode_to_vec()
        }
        Encoding::Llm => json!({"trace": llm::trace(id, &wire), "metrics": {}}).to_string().into_bytes(),
        Encoding::Json if wire.is_empty() => json!({"trace": {}, "metrics": {}}).to_string().into_bytes(),
        Encoding::Json => {
            let spans: Vec<_> = wire.iter().map(otlp_json::resource_spans).collect();
            json!({"trace": {"resourceSpans": spans}, "metrics": {}}).to_string().into_bytes()
        }
    })
}

fn load(store: &Reader, id: &[u8; 16]) -> Result<Vec<ResourceSpans>, ApiError> {
    let mut wire = store.trace(id)?;
    shared_ids::separate(&mut wire);
    Ok(wire)
}

/// Tempo sends neither text nor type here.
fn empty_not_found() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn answer(encoding: Encoding, body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
}

/// The window is a hint for far away blocks, so it is checked and then not needed. Either end may be missing.
fn check_window(params: &Params) -> Result<(), ApiError> {
    let start = params.seconds_i64("start")?;
    let end = params.seconds_i64("end")?;
    match (start, end) {
        (Some(start), Some(end)) => check_order(start, end),
        _ => Ok(()),
    }
}

/// Hex of any length up to 32 digits; leading zeros may be missing.
fn parse_id(text: &str) -> Result<[u8; 16], ApiError> {
    if let Some((at, wrong)) = text.chars().enumerate().find(|(_, digit)| !digit.is_ascii_hexdigit()) {
        let position = at + 1;
        let message =
            format!("trace IDs can only contain hex characters: invalid character '{wrong}' at position {position}");
        return Err(ApiError::bad_request(message));
    }
    let mut id = [0; 16];
    hex::decode_to_slice(format!("{text:0>32}"), &mut id)
        .map_err(|_| ApiError::bad_request("trace IDs can't be larger than 128 bits"))?;
    Ok(id)
}
