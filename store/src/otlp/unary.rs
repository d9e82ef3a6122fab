//! A gRPC service of one method, `Export`, whose request comes as the bytes that were sent.
//!
//! The generated servers decode a request before anyone can see its bytes; what stores these would have to encode it
//! again.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::http;
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, StdError};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

/// What `Export` does.
#[tonic::async_trait]
pub trait Export: Send + Sync + 'static {
    /// The service's full name.
    const SERVICE: &'static str;
    type Answer: Message + Default + 'static;

    /// # Errors
    /// The status that the sender gets.
    async fn export(&self, request: Request<Bytes>) -> Result<Response<Self::Answer>, Status>;
}

/// Serves an [`Export`]; takes gzip.
#[derive(Debug)]
pub struct ExportServer<E> {
    export: Arc<E>,
    max_message_bytes: usize,
}

impl<E> ExportServer<E> {
    pub fn new(export: E, max_message_bytes: usize) -> Self {
        Self { export: Arc::new(export), max_message_bytes }
    }
}

impl<E> Clone for ExportServer<E> {
    fn clone(&self) -> Self {
        Self { export: Arc::clone(&self.export), max_message_bytes: self.max_message_bytes }
    }
}

impl<E: Export> NamedService for ExportServer<E> {
    const NAME: &'static str = E::SERVICE;
}

impl<E, B> Service<http::Request<B>> for ExportServer<E>
where
    E: Export,
    B: tonic::codegen::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next();
        if method != Some("Export") {
            return Box::pin(async { Ok(Status::unimplemented("").into_http()) });
        }
        let method = Method(Arc::clone(&self.export));
        let mut gzip = EnabledCompressionEncodings::default();
        gzip.enable(CompressionEncoding::Gzip);
        let mut grpc = Grpc::new(BytesIn::<E::Answer>::default())
            .apply_compression_config(gzip, EnabledCompressionEncodings::default())
            .apply_max_message_size_config(Some(self.max_message_bytes), None);
        Box::pin(async move { Ok(grpc.unary(method, request).await) })
    }
}

struct Method<E>(Arc<E>);

impl<E: Export> UnaryService<Bytes> for Method<E> {
    type Response = E::Answer;
    type Future = BoxFuture<Response<E::Answer>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let export = Arc::clone(&self.0);
        Box::pin(async move { export.export(request).await })
    }
}

/// Requests stay bytes, answers are encoded.
struct BytesIn<A>(std::marker::PhantomData<A>);

impl<A> Default for BytesIn<A> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<A: Message + 'static> Codec for BytesIn<A> {
    type Encode = A;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self::default()
    }

    fn decoder(&mut self) -> Self {
        Self::default()
    }
}

impl<A: Message + 'static> Encoder for BytesIn<A> {
    type Item = A;
    type Error = Status;

    fn encode(&mut self, answer: A, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        answer.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<A: Message + 'static> Decoder for BytesIn<A> {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = bytes::Buf::remaining(buffer);
        Ok(Some(bytes::Buf::copy_to_bytes(buffer, length)))
    }
}
