//! The HTTP server: connections, authentication, answers and injected faults.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api;
use super::control;
use super::faults::{Fault, Faults, Verdict};
use super::moment::Moment;
use super::query::Query;
use super::reply::{Content, Reply};
use super::state::{Recorded, Shared, lock_present};

/// Accepts connections until `stop`, then drops the open ones.
pub(super) async fn serve(listener: TcpListener, shared: Shared, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            connections.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = connection(stream, shared) => {}
                }
            });
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, shared: Shared) {
    let service = service_fn(move |request| respond(request, Arc::clone(&shared)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the simulated GitLab ended");
    }
}

async fn respond<B>(
    request: Request<B>,
    shared: Shared,
) -> Result<Response<CuttableBody>, ConnectionReset> {
    let gzip = request
        .headers()
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.contains("gzip")));
    let (reply, verdict, now) = decide(&request, &shared);
    let ahead = lock_present(&shared).faults.date_ahead();
    let date = Moment::from_unix(now.unix() + ahead.as_secs().cast_signed());
    if !verdict.delay.is_zero() {
        tokio::time::sleep(verdict.delay).await;
    }
    if verdict.fault == Some(Fault::Reset) {
        return Err(ConnectionReset);
    }
    Ok(response(reply, verdict.fault, gzip, date))
}

/// Decides on the answer under the lock. Delays come later, without the lock.
fn decide<B>(request: &Request<B>, shared: &Shared) -> (Reply, Verdict, Moment) {
    let mut state = lock_present(shared);
    let now = state.world.now();
    let (method, path) = (request.method(), request.uri().path());
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let Some(below) = path.strip_prefix(&state.prefix) else {
        return (Reply::no_route(), Verdict::default(), now);
    };
    let Some(route) = below.strip_prefix("/api/v4") else {
        let reply = control::answer(&mut state, method, below, &query);
        return (reply, Verdict::default(), now);
    };
    let verdict = state.faults.judge(path, now);
    let (endpoint, mut reply) = if let Some(refused) = &verdict.refused {
        (api::endpoint(method, route), refused.clone())
    } else if let Some(failure) = verdict
        .fault
        .and_then(|fault| failure(fault, &state.faults))
    {
        (api::endpoint(method, route), failure)
    } else if authorized(request.headers(), &state.token) {
        let answer = api::answer(
            state.answering(api::endpoint(method, route)),
            method,
            route,
            &query,
        );
        (answer.endpoint, answer.reply)
    } else {
        (api::endpoint(method, route), Reply::unauthorized())
    };
    reply.headers.extend(verdict.headers.iter().cloned());
    if verdict.fault == Some(Fault::RecordWithoutId) {
        add_record_without_id(&mut reply);
    }
    if verdict.fault == Some(Fault::StrippedPaging) {
        let headers = &mut reply.headers;
        headers.retain(|(name, _)| *name != "link" && !name.starts_with("x-"));
    }
    let status = match verdict.fault {
        Some(Fault::Reset) => 0,
        _ => reply.status.as_u16(),
    };
    state.requests.push(Recorded {
        endpoint,
        target: request.uri().to_string(),
        status,
        fault: verdict.fault,
        at: now,
    });
    (reply, verdict, now)
}

fn authorized(headers: &HeaderMap, token: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("private-token") == Some(token)
        || text("authorization").and_then(|value| value.strip_prefix("Bearer ")) == Some(token)
}

/// The answer that replaces the true one; `None` for faults that only damage the true answer.
fn failure(fault: Fault, faults: &Faults) -> Option<Reply> {
    let page = |status: StatusCode| {
        let text = format!("<html><body><h1>{status}</h1></body></html>\n");
        Reply::html(status, &text)
    };
    match fault {
        Fault::InternalError => Some(Reply::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "message": "500 Internal Server Error" }),
        )),
        Fault::Forbidden => Some(Reply::json(
            StatusCode::FORBIDDEN,
            json!({ "message": "403 Forbidden" }),
        )),
        Fault::OriginError => StatusCode::from_u16(520).ok().map(page),
        Fault::ProxyNotFound => Some(page(StatusCode::NOT_FOUND)),
        Fault::BadGateway => Some(page(StatusCode::BAD_GATEWAY)),
        Fault::Unavailable => Some(page(StatusCode::SERVICE_UNAVAILABLE)),
        Fault::TooManyRequests => Some(
            Reply::text(StatusCode::TOO_MANY_REQUESTS, "Retry later\n")
                .with_headers(vec![("retry-after", faults.retry_after.to_string())]),
        ),
        Fault::TooManyRequestsBare => Some(Reply::json(
            StatusCode::TOO_MANY_REQUESTS,
            json!({ "message": {
                "error": "This endpoint has been requested too many times. Try again later."
            }}),
        )),
        Fault::NotYetThere => Some(Reply::json(
            StatusCode::NOT_FOUND,
            json!({ "message": "404 Not found" }),
        )),
        Fault::EmptyList => Some(Reply::json(StatusCode::OK, json!([]))),
        _ => None,
    }
}

/// Inserts a copy of the first record without `id`. The true records stay, so that no data is lost.
fn add_record_without_id(reply: &mut Reply) {
    if let Content::Json(Value::Array(rows)) = &mut reply.content
        && let Some(Value::Object(first)) = rows.first()
    {
        let mut broken = first.clone();
        broken.remove("id");
        rows.insert(rows.len() / 2, Value::Object(broken));
    }
}

fn response(reply: Reply, fault: Option<Fault>, gzip: bool, now: Moment) -> Response<CuttableBody> {
    let (kind, mut body) = match reply.content {
        Content::Json(value) => ("application/json", value.to_string().into_bytes()),
        Content::Text(text) => ("text/plain; charset=utf-8", text.into_bytes()),
        Content::Html(text) => ("text/html", text.into_bytes()),
    };
    if fault == Some(Fault::InvalidJson) {
        body.truncate(body.len() / 2);
    }
    let compressed = if gzip { compress(&body) } else { None };
    let mut builder = Response::builder()
        .status(reply.status)
        .header(header::CONTENT_TYPE, kind)
        .header(header::VARY, "Accept-Encoding, Origin")
        .header(header::DATE, now.http_date());
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    if let Some(smaller) = compressed {
        body = smaller;
        builder = builder.header(header::CONTENT_ENCODING, "gzip");
    }
    let cut = fault == Some(Fault::TruncatedBody);
    let response = builder
        .header(header::CONTENT_LENGTH, body.len())
        .body(CuttableBody::new(body, cut));
    response.unwrap_or_else(|_| Response::new(CuttableBody::new(Vec::new(), true)))
}

fn compress(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct ConnectionReset;

/// A body that can end with a connection error after its first half.
struct CuttableBody {
    part: Option<Bytes>,
    cut: bool,
    flushed: bool,
}

impl CuttableBody {
    fn new(mut body: Vec<u8>, cut: bool) -> Self {
        if cut {
            body.truncate(body.len() / 2);
        }
        Self {
            part: Some(Bytes::from(body)),
            cut,
            flushed: false,
        }
    }
}

impl Body for CuttableBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(part) = self.part.take().filter(|part| !part.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        if !self.cut {
            return Poll::Ready(None);
        }
        // Yields once, so that hyper sends the first half before the connection is closed.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
    }
}
