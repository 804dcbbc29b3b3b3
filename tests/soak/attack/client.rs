//! Clients of various manners, over plain sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longest time that a request may take. One that takes longer counts as this long.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Status and time of one request on a connection of its own, whose answer is read to its end. No status: no answer
/// in time, or none at all.
pub(super) async fn ask(address: SocketAddr, path: &str, gzip: bool) -> (Option<u16>, Duration) {
    let begun = Instant::now();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(&request(path, gzip, "close")).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        status(&answer)
    };
    let status = timeout(PATIENCE, exchange).await.ok().flatten();
    (status, begun.elapsed())
}

/// A connection that is idle after one request.
pub(super) async fn idle(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = request("/-/healthy", false, "keep-alive");
    stream.write_all(&request).await.ok()?;
    let mut answer = [0; 1024];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await;
    read.ok()?.ok().map(|_| stream)
}

/// A connection with a request whose answer it hardly has room for.
pub(super) async fn narrow(address: SocketAddr, path: &str) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.ok()?;
    stream
        .write_all(&request(path, false, "keep-alive"))
        .await
        .ok()?;
    Some(stream)
}

fn request(path: &str, gzip: bool, connection: &str) -> Vec<u8> {
    let coding = if gzip { "gzip" } else { "identity" };
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\nConnection: {connection}\r\n\r\n"
    )
    .into_bytes()
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.get(..12)?;
    std::str::from_utf8(&line[9..]).ok()?.parse().ok()
}
