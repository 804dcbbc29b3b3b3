//! What is answered to which request.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use super::accept::prefers_gzip;
use super::address::Address;
use super::api::{self, Question};
use super::hooks::{self, Webhooks};
use super::job_page;
use super::page;
use super::query::Query;
use super::status::{Readiness, Status};
use crate::metrics::Exposition;
use crate::model::Timestamp;

/// Answers requests from what was rendered and from what the daemon says.
pub struct Service {
    exposition: Exposition,
    status: Arc<dyn Status>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    webhooks: Option<Arc<dyn Webhooks>>,
}

/// An answer on its way.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// Longer addresses than any page here has.
pub(super) const LONGEST_URI: usize = 4 * 1024;
/// No other route takes a body; what a client sends needlessly is not read beyond this.
const LARGEST_BODY: u64 = 64 * 1024;

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";
/// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Service {
    /// `now` is only used to say how long ago something was.
    pub fn new(
        exposition: Exposition,
        status: Arc<dyn Status>,
        now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self {
            exposition,
            status,
            now,
            webhooks: None,
        }
    }

    /// Takes webhooks, too.
    #[must_use]
    pub fn with_webhooks(self, webhooks: Arc<dyn Webhooks>) -> Self {
        Self {
            webhooks: Some(webhooks),
            ..self
        }
    }

    /// Answers; reads the body of a webhook and of nothing else.
    pub(super) async fn respond<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if request.uri().path() != hooks::GITLAB {
            return self.answer(&request);
        }
        secured(hooks::answer(self.webhooks.as_deref(), request).await)
    }

    /// Answers; never reads the request's body.
    fn answer<B>(&self, request: &Request<B>) -> Answer {
        let answer = match refused(request) {
            Some(status) => {
                let mut answer = text(status, PLAIN, format!("{status}\n"));
                insert(&mut answer, header::CONNECTION, "close");
                answer
            }
            None => self.route(request),
        };
        secured(answer)
    }

    fn route<B>(&self, request: &Request<B>) -> Answer {
        let path = request.uri().path();
        let Some(route) = route_of(path) else {
            return text(StatusCode::NOT_FOUND, HTML, page::not_found());
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let message = format!("{path} wants GET or HEAD\n");
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, message);
            insert(&mut answer, header::ALLOW, "GET, HEAD");
            return answer;
        }
        let head = Head {
            path,
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
        };
        route(self, head)
    }

    fn page(&self, head: Head<'_>) -> Answer {
        let query = Query::parse(head.query);
        let now = (self.now)();
        let mut answer = text(StatusCode::OK, HTML, page::page(&*self.status, &query, now));
        insert(&mut answer, header::CACHE_CONTROL, "no-store");
        answer
    }

    fn job(&self, head: Head<'_>) -> Answer {
        let readiness = self.status.readiness();
        let entry = Address::parse(head.path);
        let entry = entry.and_then(|at| self.status.job(&at.project, &at.ref_name, &at.job));
        let mut answer = match entry {
            Some(job) => {
                let old = self.status.staleness();
                let page = job_page::page(&job, &readiness, old, (self.now)());
                text(StatusCode::OK, HTML, page)
            }
            None => text(StatusCode::NOT_FOUND, HTML, job_page::unknown(&readiness)),
        };
        insert(&mut answer, header::CACHE_CONTROL, "no-store");
        answer
    }

    fn jobs(&self, head: Head<'_>) -> Answer {
        let mut answer = match Question::parse(head.query) {
            Ok(Question { filter, paging }) => {
                let page = self.status.jobs(&filter, paging);
                text(StatusCode::OK, JSON, api::jobs(&page, paging))
            }
            Err(message) => text(StatusCode::BAD_REQUEST, JSON, api::error(&message)),
        };
        insert(&mut answer, header::CACHE_CONTROL, "no-store");
        answer
    }

    fn metrics(&self, head: Head<'_>) -> Answer {
        let snapshot = self.exposition.snapshot();
        let gzip = prefers_gzip(head.headers);
        let page = if gzip {
            snapshot.gzip()
        } else {
            snapshot.identity()
        };
        let mut answer = Response::new(page.boxed_unsync());
        insert(&mut answer, header::CONTENT_TYPE, EXPOSITION);
        insert(&mut answer, header::VARY, "Accept-Encoding");
        if gzip {
            insert(&mut answer, header::CONTENT_ENCODING, "gzip");
        }
        answer
    }

    fn ready(&self, _: Head<'_>) -> Answer {
        match self.status.readiness() {
            Readiness::Ready => {
                // Still ready: without the endpoint there would be no alert at all.
                let old = self.status.staleness();
                let message = old.map_or("ready\n".to_owned(), |why| format!("ready, but {why}\n"));
                text(StatusCode::OK, PLAIN, message)
            }
            Readiness::NotReady(reason) => {
                let message = format!("not ready: {reason}\n");
                text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, message)
            }
        }
    }
}

/// What the routes look at.
#[derive(Clone, Copy)]
struct Head<'a> {
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
}

type Route = fn(&Service, Head<'_>) -> Answer;

fn route_of(path: &str) -> Option<Route> {
    match path {
        "/" => Some(Service::page),
        "/metrics" => Some(Service::metrics),
        // That it answers at all is what is asked.
        "/-/healthy" => Some(|_, _| text(StatusCode::OK, PLAIN, "healthy\n")),
        "/-/ready" => Some(Service::ready),
        "/api/v1/jobs" => Some(Service::jobs),
        page::STYLE_PATH => Some(|_, _| style()),
        _ => Address::parse(path).map(|_| Service::job as Route),
    }
}

fn style() -> Answer {
    let mut answer = text(StatusCode::OK, "text/css; charset=utf-8", page::STYLE);
    insert(&mut answer, header::CACHE_CONTROL, "max-age=86400");
    answer
}

/// Why a request is not even looked at.
fn refused<B>(request: &Request<B>) -> Option<StatusCode> {
    let uri = request.uri();
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let path_and_query = uri.path().len() + uri.query().map_or(0, str::len);
    if path_and_query > LONGEST_URI {
        Some(StatusCode::URI_TOO_LONG)
    } else if length.is_some_and(|length| length > LARGEST_BODY) {
        Some(StatusCode::PAYLOAD_TOO_LARGE)
    } else {
        None
    }
}

/// Nothing is loaded but the own style sheet, nothing runs, nobody frames the page.
const SECURITY: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

fn secured(mut answer: Answer) -> Answer {
    for (name, value) in SECURITY {
        insert(&mut answer, name, value);
    }
    answer
}

/// An answer of plain text.
pub(super) fn plain(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    text(status, PLAIN, body)
}

fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into()).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    insert(&mut answer, header::CONTENT_TYPE, kind);
    answer
}

pub(super) fn insert(answer: &mut Answer, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    answer.headers_mut().insert(name, value);
}
