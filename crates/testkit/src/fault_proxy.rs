//! A proxy before a server that lets answers go wrong, and can be gone.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

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

/// What is done to an answer.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The request is not passed on; the answer has this status and this code of S3's.
    Refuse(u16, &'static str),
    /// There is no answer, and no end.
    Silence,
    /// Half of a document is sent, of which the whole length was told.
    CutBody,
}

#[derive(Default)]
struct Plan {
    /// What happens to the next requests, then no more.
    next: VecDeque<Trouble>,
    /// What happens to all others.
    always: Option<Trouble>,
    /// Only requests of this method are concerned.
    only: Option<Method>,
    /// Only requests whose path ends like this are concerned.
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

    /// The next requests of a method go wrong like this.
    pub fn next(&self, method: Method, troubles: &[Trouble]) {
        let mut plan = self.plan.lock().unwrap();
        plan.only = Some(method);
        plan.next = troubles.to_vec().into();
    }

    /// All requests of a method go wrong like this, or none.
    pub fn always(&self, method: Method, trouble: Option<Trouble>) {
        let mut plan = self.plan.lock().unwrap();
        plan.only = Some(method);
        plan.always = trouble;
    }

    /// All writes of one document go wrong like this.
    pub fn always_at(&self, path: &str, trouble: Trouble) {
        self.always(Method::PUT, Some(trouble));
        self.plan.lock().unwrap().only_at = Some(path.to_owned());
    }

    /// How many requests of a method there were.
    pub fn count(&self, method: &Method) -> usize {
        let plan = self.plan.lock().unwrap();
        plan.requests.iter().filter(|seen| *seen == method).count()
    }

    /// Nobody listens any more, and connections that stood are ended.
    pub async fn go(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Listens again, where it did before.
    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (plan, target) = (self.plan.clone(), self.target.clone());
        self.serving = Some(tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
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
        // Lists are left alone.
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
        // A pause lets the half go out before the connection ends.
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
