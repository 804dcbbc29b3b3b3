//! One connection from its first byte to its last: TLS if the server speaks it, then HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, Watcher};
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::answer::answer;
use super::connections::Connection;
use super::content::Content;
use super::current::Current;
use super::deadline::Timed;
use super::route_prefix::OverTls;
use super::web_config::{Handshaken, WebConfig};

/// Bytes of a response that are kept for a slow client, beside one frame.
const WRITE_BUFFER: usize = 64 * 1024;

/// Bytes of a response that the system keeps for a slow client. Linux doubles it.
const SEND_BUFFER: usize = 128 * 1024;

/// Requests of one connection that are answered at a time, with HTTP/2 as with HTTP/1.1: the deadlines and the order of
/// closing connections hold for both.
const STREAMS: u32 = 1;

/// A client that sends HTTP to a server that speaks TLS, as Go's server answers it.
const NO_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nThe client sent an HTTP request to an HTTPS server. Use https://\n";

/// A client and what answers it.
pub(super) struct Client {
    connection: Connection,
    service: Current,
    web: Option<WebConfig>,
}

type Answer = http::Response<Timed<Content>>;

impl Client {
    pub(super) fn new(connection: Connection, service: Current, web: Option<WebConfig>) -> Self {
        Self {
            connection,
            service,
            web,
        }
    }

    /// Serves until the client goes, its deadline passes or, between requests, `stopping` ends the server.
    pub(super) async fn serve(
        self,
        stream: TcpStream,
        watcher: Watcher,
        stopping: CancellationToken,
    ) {
        // Frames are large already: coalescing only delays the last one.
        let _ = stream.set_nodelay(true);
        // The system would keep megabytes for each client that does not read.
        let _ = set_socket_send_buffer_size(&stream, SEND_BUFFER);
        let client = Arc::new(self);
        tokio::select! {
            () = client.clone().speak(stream, watcher, stopping) => {}
            () = client.connection.deadline.passed() => tracing::debug!("a client took too long"),
        }
    }

    async fn speak(
        self: Arc<Self>,
        stream: TcpStream,
        watcher: Watcher,
        stopping: CancellationToken,
    ) {
        let handshaken = tokio::select! {
            handshaken = self.handshake(stream) => handshaken,
            () = stopping.cancelled() => return,
        };
        match handshaken {
            None => {}
            Some(Handshaken::Plain(stream)) => self.http1(stream, watcher, false).await,
            Some(Handshaken::Tls(stream)) => {
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    self.http2(*stream, watcher).await;
                } else {
                    self.http1(*stream, watcher, true).await;
                }
            }
        }
    }

    /// `None` where the client does not speak what the server does. The client's deadline holds for this, too.
    async fn handshake(&self, mut stream: TcpStream) -> Option<Handshaken> {
        let Some(web) = &self.web else {
            return Some(Handshaken::Plain(stream));
        };
        let active = web.current().await;
        if active.speaks_tls() && sends_http(&stream).await {
            let _ = stream.write_all(NO_TLS).await;
            close(stream, self.connection.limits().head_bytes).await;
            return None;
        }
        match active.handshake(stream).await {
            Ok(handshaken) => Some(handshaken),
            Err((error, stream)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                close(stream, self.connection.limits().head_bytes).await;
                None
            }
        }
    }

    async fn http1(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        watcher: Watcher,
        is_tls: bool,
    ) {
        let limits = self.connection.limits();
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_header_size(limits.head_bytes)
            .max_buf_size(limits.head_bytes.max(WRITE_BUFFER))
            .serve_connection(
                TokioIo::new(stream),
                service_fn(|mut request| {
                    if is_tls {
                        request.extensions_mut().insert(OverTls);
                    }
                    Arc::clone(&self).respond(request)
                }),
            );
        watch(served, watcher).await;
    }

    async fn http2(self: Arc<Self>, stream: TlsStream<TcpStream>, watcher: Watcher) {
        let limits = self.connection.limits();
        let head_bytes = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
        let client = Arc::clone(&self);
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(head_bytes)
            .max_send_buf_size(WRITE_BUFFER)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| Arc::clone(&client).respond(with_host(request))),
            );
        watch(served, watcher).await;
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let service = self.service.get();
        Ok(answer(&self.connection, &service, self.web.as_ref(), request).await)
    }
}

async fn watch<C: GracefulConnection<Error = hyper::Error>>(served: C, watcher: Watcher) {
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends a connection so that the client reads what was sent last: bytes of its own that nobody reads would reset it.
async fn close(mut stream: TcpStream, most_bytes: usize) {
    let _ = stream.shutdown().await;
    let mut unread = stream.take(most_bytes as u64);
    let _ = tokio::io::copy(&mut unread, &mut tokio::io::sink()).await;
}

/// Whether the first byte is one of a method. A TLS handshake begins with 22.
async fn sends_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first[0].is_ascii_uppercase()
}

/// A request of HTTP/2 as one of HTTP/1.1 over TLS: with the host in a header.
fn with_host(mut request: Request<Incoming>) -> Request<Incoming> {
    let host = request.uri().authority().map(|it| it.as_str().to_owned());
    if let Some(host) = host.and_then(|host| HeaderValue::try_from(host).ok()) {
        let headers = request.headers_mut();
        headers.entry(header::HOST).or_insert(host);
    }
    // Without TLS there is no HTTP/2 here.
    request.extensions_mut().insert(OverTls);
    request
}
