//! The HTTP server: binds, bounds the resources of a client, and ends in an orderly way.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connections::{Connection, Connections};
use super::current::Current;
use super::limits::Limits;
use super::routes::SCRAPED_PATH;
use crate::base::listen_address::ListenAddress;

/// The server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refuses the address.
    #[error(
        "cannot listen on `{address}`: {source}; choose another address with --web.listen-address"
    )]
    Unavailable {
        /// The address.
        address: ListenAddress,
        /// The system's reason.
        source: io::Error,
    },
}

/// The server before it is bound.
#[derive(Debug)]
pub struct Server;

/// The server, bound to its address, before it answers.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    limits: Limits,
}

impl Server {
    /// Binds the address. Without a host: all interfaces, IPv6 and IPv4.
    pub async fn bind(address: &ListenAddress) -> Result<Bound, BindError> {
        let listener = match &address.host {
            None => bind_everywhere(address.port).await,
            Some(host) => TcpListener::bind((host.as_str(), address.port)).await,
        };
        let unavailable = |source| BindError::Unavailable {
            address: address.clone(),
            source,
        };
        Ok(Bound {
            listener: listener.map_err(unavailable)?,
            limits: Limits::default(),
        })
    }
}

/// On Linux a listener on the unspecified IPv6 address takes IPv4 connections as well.
async fn bind_everywhere(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            // No IPv6 on this machine, or an error that IPv4 gives as well.
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        listener => listener,
    }
}

impl Bound {
    /// Replaces the default limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The bound address; with the system's choice for port 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` completes, then waits for running requests, up to [`Limits::drain`].
    ///
    /// Dropping the future cuts all connections at once.
    pub async fn serve(self, service: impl Into<Current>, shutdown: impl Future<Output = ()>) {
        let Self { listener, limits } = self;
        let service = service.into();
        let graceful = GracefulShutdown::new();
        let mut tasks = JoinSet::new();
        let connections = Connections::new(limits, service.get().telemetry().clone());
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = tasks.join_next() => {}
                stream = accept(&listener), if connections.may_accept() => {
                    let service = service.clone();
                    let watcher = graceful.watcher();
                    tasks.spawn(serve(stream, service, connections.accepted(), watcher));
                }
                // None could be closed for the last one. Some client may have stopped reading since.
                () = sleep(ROOM_CHECKS), if !connections.may_accept() => connections.make_room(),
            }
        }
        // From here on a new connection is refused.
        drop(listener);
        if tokio::time::timeout(limits.drain, graceful.shutdown())
            .await
            .is_err()
        {
            let count = tasks.len();
            tracing::warn!(
                connections = count,
                "cut connections that did not end in time"
            );
        }
        tasks.shutdown().await;
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Probably out of file descriptors: an immediate retry would spin.
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Time between two looks for a connection to close while there are too many.
const ROOM_CHECKS: Duration = Duration::from_millis(200);

async fn serve(stream: TcpStream, service: Current, connection: Connection, watcher: Watcher) {
    // Frames are large already: coalescing only delays the last one.
    let _ = stream.set_nodelay(true);
    let (limits, deadline) = (connection.limits(), &connection.deadline);
    let respond = service_fn(|request: Request<hyper::body::Incoming>| {
        let is_scrape = request.uri().path() == SCRAPED_PATH;
        let turn = deadline.begin(is_scrape);
        if is_scrape {
            connection.limit_pages();
        }
        let service = service.get();
        async move {
            let response = service.respond(request).await;
            Ok::<_, Infallible>(response.map(|body| turn.over(body)))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes.max(WRITE_BUFFER))
        .serve_connection(TokioIo::new(stream), respond);
    tokio::select! {
        result = watcher.watch(served) => if let Err(error) = result {
            tracing::debug!(%error, "a connection ended early");
        },
        () = deadline.passed() => tracing::debug!("a client took too long"),
    }
}

/// Bytes of a response that are kept for a slow client, beside one frame.
const WRITE_BUFFER: usize = 64 * 1024;
