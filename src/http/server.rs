//! The HTTP server: binds, bounds the resources of a client, and ends in an orderly way.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::connections::Connections;
use super::current::Current;
use super::limits::Limits;
use super::web_config::WebConfig;
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
    web: Option<WebConfig>,
}

impl Server {
    /// Binds the address. Without a host: all interfaces, IPv6 and IPv4.
    pub async fn bind(address: &ListenAddress) -> Result<Bound, BindError> {
        let listener = match &address.host {
            None => bind_everywhere(address.port).await,
            Some(host) => listen((host.as_str(), address.port)).await,
        };
        let unavailable = |source| BindError::Unavailable {
            address: address.clone(),
            source,
        };
        Ok(Bound {
            listener: listener.map_err(unavailable)?,
            limits: Limits::default(),
            web: None,
        })
    }
}

/// On Linux a listener on the unspecified IPv6 address takes IPv4 connections as well.
async fn bind_everywhere(port: u16) -> io::Result<TcpListener> {
    match listen((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            // No IPv6 on this machine, or an error that IPv4 gives as well.
            listen((Ipv4Addr::UNSPECIFIED, port)).await
        }
        listener => listener,
    }
}

/// Connections that may wait to be accepted. Of a burst of webhooks beyond that, the system drops the rest, and each client
/// tries again after a second; tokio's own 128 are few.
const BACKLOG: u32 = 1024;

/// Listens on the first address of a host that is to be had.
async fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut error = None;
    for address in lookup_host(address).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(refused) => error = Some(refused),
        }
    }
    Err(error.unwrap_or_else(|| io::Error::other("the host has no address")))
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Bound {
    /// Replaces the default limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Serves with TLS, users and headers.
    #[must_use]
    pub fn with_web_config(self, web: WebConfig) -> Self {
        Self {
            web: Some(web),
            ..self
        }
    }

    /// The bound address; with the system's choice for port 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` completes, then waits for running requests, up to [`Limits::drain`].
    ///
    /// Dropping the future cuts all connections at once.
    pub async fn serve(self, service: impl Into<Current>, shutdown: impl Future<Output = ()>) {
        let Self {
            listener,
            limits,
            web,
        } = self;
        let stopping = CancellationToken::new();
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
                    let client = Client::new(connections.accepted(), service.clone(), web.clone());
                    tasks.spawn(client.serve(stream, graceful.watcher(), stopping.clone()));
                }
                // All are busy. Some client may have stopped reading since.
                () = sleep(ROOM_CHECKS), if !connections.may_accept() => { connections.make_room(); }
            }
        }
        // From here on a new connection is refused.
        drop(listener);
        stopping.cancel();
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
