//! Serves the same bytes from memory, as fast as hyper can.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(super) struct StaticPage {
    pub(super) address: SocketAddr,
    _serving: JoinSet<()>,
}

impl StaticPage {
    pub(super) async fn serve(page: Bytes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let page = page.clone();
                let answer = service_fn(move |_| {
                    let page = page.clone();
                    async { Ok::<_, Infallible>(Response::new(Full::new(page))) }
                });
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(async { serving.await.ok() });
            }
        });
        Self {
            address,
            _serving: serving,
        }
    }
}
