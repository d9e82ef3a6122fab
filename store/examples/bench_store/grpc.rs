//! A gRPC client for messages that are encoded already: HTTP/2 frames and the status in the trailers, no more.
use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;

/// Why a call failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

pub struct Client {
    address: SocketAddr,
    path: &'static str,
    send: SendRequest<Bytes>,
}

impl Client {
    /// Opens a connection; its other half runs as a task of the current runtime.
    ///
    /// # Errors
    /// Nobody listens there, or not with HTTP/2.
    pub async fn open(address: SocketAddr, path: &'static str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (send, connection) = h2::client::handshake(stream).await?;
        tokio::spawn(connection);
        Ok(Self { address, path, send })
    }

    /// Sends one framed message; gives the call's status, 0 for success.
    ///
    /// # Errors
    /// The connection broke, or the answer is not gRPC.
    pub async fn call(&mut self, framed: Bytes) -> Result<u32, Failure> {
        let request = http::Request::post(format!("http://{}{}", self.address, self.path))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        self.send.clone().ready().await?;
        let (answer, mut stream) = self.send.send_request(request, false)?;
        let mut rest = framed;
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
            let room = room.ok_or("the stream was closed")??;
            let piece = rest.split_to(room.min(rest.len()));
            stream.send_data(piece, rest.is_empty())?;
        }
        let (head, mut body) = answer.await?.into_parts();
        let status = |headers: &http::HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
        if let Some(code) = status(&head.headers) {
            return Ok(code);
        }
        while let Some(data) = body.data().await {
            let length = data?.len();
            body.flow_control().release_capacity(length)?;
        }
        let trailers = body.trailers().await?.unwrap_or_default();
        Ok(status(&trailers).ok_or("no grpc-status in the answer")?)
    }
}
