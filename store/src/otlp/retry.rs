//! Telling a gRPC sender to come back: `RESOURCE_EXHAUSTED` with the `RetryInfo` detail that OTLP exporters look for.

use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

const DELAY_SECONDS: i64 = 1;

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

pub(super) fn later(message: String) -> Status {
    let info = RetryInfo { retry_delay: Some(Delay { seconds: DELAY_SECONDS, nanos: 0 }) };
    let detail = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: info.encode_to_vec() };
    let status = RpcStatus { code: Code::ResourceExhausted.into(), message: message.clone(), details: vec![detail] };
    Status::with_details(Code::ResourceExhausted, message, Bytes::from(status.encode_to_vec()))
}
