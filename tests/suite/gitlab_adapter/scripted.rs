//! A server that gives the answers it was told, one after the other, over real HTTP.

use std::collections::VecDeque;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// One scripted answer.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    manner: Manner,
}

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Whole,
    /// Says the whole length, sends half and closes.
    HalfAndClose,
    /// Closes without a byte.
    Close,
    /// Closes before the request is read, which makes the system reset the connection.
    Reset,
    /// Never answers.
    Silence,
}

pub(crate) fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: body.into(),
        manner: Manner::Whole,
    }
}

pub(crate) fn ok(body: &str) -> Reply {
    reply(200, body)
}

impl Reply {
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn next_link(self, url: impl std::fmt::Display) -> Self {
        self.with("Link", format!("<{url}>; rel=\"next\""))
    }

    pub(crate) fn cut(mut self) -> Self {
        self.manner = Manner::HalfAndClose;
        self
    }

    pub(crate) fn closed(mut self) -> Self {
        self.manner = Manner::Close;
        self
    }

    pub(crate) fn reset(mut self) -> Self {
        self.manner = Manner::Reset;
        self
    }

    pub(crate) fn silent(mut self) -> Self {
        self.manner = Manner::Silence;
        self
    }

    pub(crate) fn gzipped(mut self) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&self.body).unwrap();
        self.body = encoder.finish().unwrap();
        self.with("Content-Encoding", "gzip")
    }

    /// With a byte that is no UTF-8 in place of `placeholder`.
    pub(crate) fn spoiled(mut self, placeholder: u8) -> Self {
        for byte in self.body.iter_mut().filter(|byte| **byte == placeholder) {
            *byte = 0xff;
        }
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Scripted\r\n", self.status).into_bytes();
        let has_type = |(name, _): &(String, String)| name == "Content-Type";
        if !self.headers.iter().any(has_type) {
            bytes.extend_from_slice(b"Content-Type: application/json\r\n");
        }
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        let length = format!("Content-Length: {}\r\n\r\n", self.body.len());
        bytes.extend_from_slice(length.as_bytes());
        let sent = match self.manner {
            Manner::HalfAndClose => self.body.len() / 2,
            _ => self.body.len(),
        };
        bytes.extend_from_slice(&self.body[..sent]);
        bytes
    }
}

/// The running server; ends with the test.
#[derive(Clone)]
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    replies: VecDeque<Reply>,
    requests: Vec<String>,
    connections: usize,
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let (server, listener) = Self::bind(replies).await;
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        server
    }

    pub(crate) async fn bind(replies: impl IntoIterator<Item = Reply>) -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        server.then(replies);
        (server, listener)
    }

    pub(crate) fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().replies.extend(replies);
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of all requests, in lower case.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Path and query of all requests.
    pub(crate) fn paths(&self) -> Vec<String> {
        let path = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
        self.requests().iter().map(path).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Answers on one connection until it ends or the script says so.
    pub(crate) async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        self.state.lock().unwrap().connections += 1;
        while let Ok(first) = stream.read_u8().await {
            let reply = self.state.lock().unwrap().replies.pop_front();
            let reply = reply.unwrap_or_else(|| self::reply(418, "the script has ended"));
            if reply.manner == Manner::Reset {
                return;
            }
            let Some(head) = read_head(first, &mut stream).await else {
                return;
            };
            self.state
                .lock()
                .unwrap()
                .requests
                .push(head.to_lowercase());
            match reply.manner {
                Manner::Close => return,
                Manner::Silence => std::future::pending().await,
                _ => {}
            }
            if stream.write_all(&reply.bytes()).await.is_err() {
                return;
            }
            if reply.manner == Manner::HalfAndClose {
                let _ = stream.shutdown().await;
                return;
            }
        }
    }
}

async fn read_head(first: u8, stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
