//! A proxy that injects faults into the answers of a server, and can go away.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::client;

/// A fault of one answer.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The proxy answers with this status and S3 error code. The server gets no request.
    Refuse(u16, &'static str),
    /// The proxy never answers.
    Silence,
    /// The proxy announces the whole body and sends half of it.
    CutBody,
    /// The proxy passes the request on after a while.
    Late(Duration),
}

#[derive(Default)]
struct Plan {
    /// Faults of the next requests.
    next: VecDeque<Trouble>,
    /// Fault of all requests after them.
    always: Option<Trouble>,
    /// Restricts the faults to this method.
    only: Option<Method>,
    /// Restricts the faults to paths with this end.
    only_at: Option<String>,
    requests: Vec<Method>,
}

pub struct Proxy {
    address: SocketAddr,
    target: String,
    plan: Arc<Mutex<Plan>>,
    serving: Option<JoinHandle<()>>,
}

impl Proxy {
    pub async fn before(target: &str) -> Self {
        let mut proxy = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            target: target.to_owned(),
            plan: Arc::default(),
            serving: None,
        };
        proxy.come_back().await;
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Injects faults into the next requests of a method.
    pub fn next(&self, method: Method, troubles: &[Trouble]) {
        let mut plan = self.plan.lock().unwrap();
        plan.only = Some(method);
        plan.next = troubles.to_vec().into();
    }

    /// Injects a fault into all requests of a method; `None` ends that.
    pub fn always(&self, method: Method, trouble: Option<Trouble>) {
        let mut plan = self.plan.lock().unwrap();
        plan.only = Some(method);
        plan.always = trouble;
    }

    /// Injects a fault into all writes of one document.
    pub fn always_at(&self, path: &str, trouble: Trouble) {
        self.always(Method::PUT, Some(trouble));
        self.plan.lock().unwrap().only_at = Some(path.to_owned());
    }

    /// Number of requests of a method so far.
    pub fn count(&self, method: &Method) -> usize {
        let plan = self.plan.lock().unwrap();
        plan.requests.iter().filter(|seen| *seen == method).count()
    }

    /// Stops listening and closes all connections.
    pub async fn go(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Listens again at the same address.
    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (plan, target) = (self.plan.clone(), self.target.clone());
        self.serving = Some(tokio::spawn(async move {
            // Aborting this task drops the set and closes all connections.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (plan, target) = (plan.clone(), target.clone());
                let service = service_fn(move |request| {
                    let (plan, target) = (plan.clone(), target.clone());
                    async move { Ok::<_, Infallible>(answer(&plan, &target, request).await) }
                });
                connections.spawn(async move {
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        }));
    }
}

type Body = BoxBody<Bytes, io::Error>;

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

async fn answer(plan: &Mutex<Plan>, target: &str, request: Request<Incoming>) -> Response<Body> {
    let is_document = request.uri().path().contains(".json");
    let trouble = {
        let mut plan = plan.lock().unwrap();
        plan.requests.push(request.method().clone());
        let ends_so = |end: &String| request.uri().path().ends_with(end);
        let concerned = plan
            .only
            .as_ref()
            .is_none_or(|only| only == request.method())
            && plan.only_at.as_ref().is_none_or(ends_so);
        // Listings never get a fault.
        if concerned && (is_document || *request.method() != Method::GET) {
            plan.next.pop_front().or(plan.always)
        } else {
            None
        }
    };
    if let Some(Trouble::Refuse(status, code)) = trouble {
        let text = format!("<Error><Code>{code}</Code><Message>as planned</Message></Error>");
        return Response::builder()
            .status(status)
            .header("content-type", "application/xml")
            .header("x-amz-bucket-region", "eu-north-1")
            .body(full(text))
            .unwrap();
    }
    if matches!(trouble, Some(Trouble::Silence)) {
        return std::future::pending().await;
    }
    if let Some(Trouble::Late(by)) = trouble {
        tokio::time::sleep(by).await;
    }
    let (status, headers, body) = pass_on(target, request).await;
    let mut response = Response::builder().status(status);
    for (name, value) in &headers {
        let own = [
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
        ];
        if !own.contains(name) {
            response = response.header(name, value);
        }
    }
    if matches!(trouble, Some(Trouble::CutBody)) && !body.is_empty() {
        let half = body.slice(..body.len() / 2);
        // Yields, so that hyper sends the half before the connection ends.
        let end = stream::once(async {
            tokio::task::yield_now().await;
            Err(io::Error::other("cut"))
        });
        let frames = stream::iter([Ok(Frame::data(half))]).chain(end);
        return response
            .header(header::CONTENT_LENGTH, body.len())
            .body(BodyExt::boxed(StreamBody::new(frames)))
            .unwrap();
    }
    response.body(full(body)).unwrap()
}

async fn pass_on(target: &str, request: Request<Incoming>) -> (u16, HeaderMap, Bytes) {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path_and_query().unwrap();
    let answer = client()
        .request(parts.method, format!("{target}{path}"))
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap())
}
