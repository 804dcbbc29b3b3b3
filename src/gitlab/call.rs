//! One question to GitLab: an endpoint of the `gitlab` crate, asked through our transport with retries.

use async_trait::async_trait;
use bytes::Bytes;
use gitlab::api::{ApiError, AsyncClient, AsyncQuery as _, RestClient};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep};
use url::Url;

use super::answer;
use super::credentials::Token;
use super::error::{Details, Error};
use super::error_kind::{ErrorKind, RateLimit};
use super::rate_headers;
use super::record::{Record, decode_one};
use super::transport::{Expected, LeftOut, Transport};
use crate::base::api::{CircuitState, Endpoint};
use crate::base::error_chain::error_chain;

/// One call: the transport, the endpoint, and whom the call is about.
pub(super) struct Call<'a> {
    pub(super) transport: &'a Transport,
    pub(super) endpoint: Endpoint,
    /// For messages, for example `project group/app`.
    pub(super) subject: String,
    pub(super) expected: Expected,
}

impl RestClient for Call<'_> {
    type Error = Error;

    fn rest_endpoint(&self, endpoint: &str) -> Result<Url, ApiError<Error>> {
        Ok(Url::parse(&format!("{}{endpoint}", self.transport.api()))?)
    }
}

#[async_trait]
impl AsyncClient for Call<'_> {
    /// The answer is a success, and valid JSON where that is expected.
    async fn rest_async(
        &self,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Response<Bytes>, ApiError<Error>> {
        let request = request
            .body(Bytes::from(body))
            .map_err(|error| ApiError::client(self.unsent(&error)))?;
        let is_checked = request.method().is_safe() && self.expected == Expected::Json;
        let read = |answer: Response<Bytes>| {
            if is_checked {
                check_json(answer.body())?;
            }
            Ok(answer)
        };
        self.send(&request, &read).await.map_err(ApiError::client)
    }
}

impl Call<'_> {
    /// The one record that an endpoint answers with.
    pub(super) async fn one<R: Record>(
        &self,
        endpoint: &(impl gitlab::api::Endpoint + Sync),
    ) -> Result<R, Error> {
        let body = gitlab::api::raw(endpoint).query_async(self).await;
        let body = body.map_err(|error| self.own(error))?;
        match decode_one(&String::from_utf8_lossy(&body)) {
            Ok((_, record)) => Ok(record),
            Err(rejected) => {
                let kind = ErrorKind::Unexpected(rejected.to_string());
                Err(self.error(&self.url_of(endpoint)?, 1, kind))
            }
        }
    }

    /// The bytes of an endpoint that answers with text; `None` where there is no such thing.
    pub(super) async fn text(
        &self,
        endpoint: &impl gitlab::api::Endpoint,
    ) -> Result<Option<(Bytes, LeftOut)>, Error> {
        let read = |answer: Response<Bytes>| {
            let left_out = answer.extensions().get().copied().unwrap_or_default();
            Ok((answer.into_body(), left_out))
        };
        match self.get(&self.url_of(endpoint)?, &read).await {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The endpoint, or the error of a builder that misses a parameter.
    pub(super) fn built<E>(&self, endpoint: Result<E, impl std::error::Error>) -> Result<E, Error> {
        endpoint.map_err(|error| self.unsent(&error))
    }

    /// The address of an endpoint with its parameters.
    pub(super) fn url_of(&self, endpoint: &impl gitlab::api::Endpoint) -> Result<Url, Error> {
        let mut url = endpoint
            .url_base()
            .endpoint_for(self, &endpoint.endpoint())
            .map_err(|error| self.own(error))?;
        endpoint.parameters().add_to_url(&mut url);
        Ok(url)
    }

    /// Asks for an address. `read` decodes a successful answer; its error counts as an error of the
    /// attempt, so that the request for a cut answer is repeated.
    pub(super) async fn get<T>(
        &self,
        url: &Url,
        read: &(impl Fn(Response<Bytes>) -> Result<T, ErrorKind> + Sync),
    ) -> Result<T, Error> {
        let request = Request::get(url.as_str()).body(Bytes::new());
        let request = request.map_err(|error| self.unsent(&error))?;
        self.send(&request, read).await
    }

    /// Sends JSON once. `read` decodes a successful answer.
    pub(super) async fn post<T>(
        &self,
        url: &Url,
        json: Bytes,
        read: &(impl Fn(Response<Bytes>) -> Result<T, ErrorKind> + Sync),
    ) -> Result<T, Error> {
        let request = Request::post(url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .body(json)
            .map_err(|error| self.unsent(&error))?;
        self.send(&request, read).await
    }

    /// This call's error for the address asked.
    pub(super) fn error(&self, url: &Url, attempts: u32, kind: ErrorKind) -> Error {
        self.error_of(&Method::GET, url, attempts, kind)
    }

    fn error_of(&self, method: &Method, url: &Url, attempts: u32, kind: ErrorKind) -> Error {
        Error::new(Details {
            asked: format!("{method} {}", url.path()),
            subject: self.subject.clone(),
            with_token: self.transport.has_token(),
            attempts,
            kind: self.transport.redacted(kind),
        })
    }

    /// The error of a request that could not even be put together.
    fn unsent(&self, error: &dyn std::error::Error) -> Error {
        let kind = ErrorKind::Unexpected(error_chain(error));
        self.error(self.transport.api(), 0, kind)
    }

    /// Takes our own error out of the crate's.
    fn own(&self, error: ApiError<Error>) -> Error {
        match error {
            ApiError::Client { source } => source,
            other => self.unsent(&other),
        }
    }

    async fn send<T>(
        &self,
        request: &Request<Bytes>,
        read: &(impl Fn(Response<Bytes>) -> Result<T, ErrorKind> + Sync),
    ) -> Result<T, Error> {
        let transport = self.transport;
        let mut waited = std::time::Duration::ZERO;
        let mut attempts: u32 = 0;
        loop {
            let error = match self.admitted(request, read, &mut attempts).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = transport.pause_after(&error, attempts.saturating_sub(1));
            if matches!(
                error,
                ErrorKind::RateLimited {
                    told: RateLimit::Answer,
                    ..
                }
            ) {
                transport.limiter.pause(pause);
            }
            waited = waited.saturating_add(pause);
            // What changes something in GitLab is not sent twice: the first may have arrived.
            let again = error.is_retryable()
                && request.method().is_safe()
                && transport.breaker.state() == CircuitState::Closed;
            if !again || attempts >= transport.max_attempts || waited > transport.max_wait {
                let url = Url::parse(&request.uri().to_string());
                let url = url.as_ref().unwrap_or(transport.api());
                return Err(self.error_of(request.method(), url, attempts, error));
            }
            transport.metrics.retried(self.endpoint, (&error).into());
            sleep(pause).await;
        }
    }

    /// Sends the request when its turn has come, and counts that.
    async fn admitted<T>(
        &self,
        request: &Request<Bytes>,
        read: &(impl Fn(Response<Bytes>) -> Result<T, ErrorKind> + Sync),
        attempts: &mut u32,
    ) -> Result<T, ErrorKind> {
        let transport = self.transport;
        let refused = |retry_in| ErrorKind::CircuitOpen { retry_in };
        if let Some(retry_in) = transport.breaker.closed_for() {
            return Err(refused(retry_in));
        }
        let lane = lane_of(request.uri().path());
        let admitted = transport.limiter.admit(lane, transport.max_wait).await;
        admitted.map_err(|(left, told)| ErrorKind::RateLimited {
            retry_after: Some(left),
            told,
        })?;
        let pass = transport.breaker.admit().map_err(refused)?;
        *attempts += 1;
        let answer = self.attempt(request).await.and_then(read);
        match &answer {
            // A question about many projects may fail where every other one is answered.
            Err(_) if self.endpoint == Endpoint::Graphql => drop(pass),
            Err(error) if !error.is_an_answer() => pass.failed(),
            _ => pass.answered(),
        }
        answer
    }

    /// Sends the request, and once more if its token is refused and another one has come into force.
    async fn attempt(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, ErrorKind> {
        let credentials = &self.transport.credentials;
        let token = credentials.token();
        let answer = self.attempt_with(request, token.as_ref()).await;
        match (&answer, &token) {
            (Err(ErrorKind::Unauthorized(_)), Some(token)) if credentials.refused(token) => {
                self.attempt_with(request, credentials.token().as_ref())
                    .await
            }
            _ => answer,
        }
    }

    async fn attempt_with(
        &self,
        request: &Request<Bytes>,
        token: Option<&Token>,
    ) -> Result<Response<Bytes>, ErrorKind> {
        let metrics = &*self.transport.metrics;
        let start = Instant::now();
        let exchange = self.transport.exchange(request, token, self.expected);
        let result = exchange.await;
        let class = match &result {
            Ok(answer) => status_class(answer.status()),
            Err(_) => "error",
        };
        metrics.answered(self.endpoint, class, start.elapsed());
        let answer = result?;
        answer::report_headers(answer.headers(), metrics);
        self.note_budget(&answer);
        if let Some(error) = answer::error_of(&answer) {
            return Err(error);
        }
        match self.expected {
            Expected::Tail { .. } => answer::page_instead_of_text(&answer).map_or(Ok(answer), Err),
            Expected::Json => Ok(answer),
        }
    }

    /// Goes by what the headers of an answer say of the requests that are left.
    fn note_budget(&self, answer: &Response<Bytes>) {
        let limiter = &self.transport.limiter;
        match rate_headers::budget(answer.headers()) {
            Some((requests, time)) => limiter.spread(requests, time),
            None if answer.status().is_success() => limiter.stop_spreading(),
            // A proxy may have answered.
            None => {}
        }
    }
}

/// The project or group in the path of a request.
pub(super) fn lane_of(path: &str) -> &str {
    let place = ["/projects/", "/groups/"]
        .iter()
        .find_map(|part| path.split_once(part));
    place.map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default())
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

pub(super) fn check_json(body: &[u8]) -> Result<(), ErrorKind> {
    serde_json::from_slice::<IgnoredAny>(body)
        .map(drop)
        .map_err(|error| answer::invalid_json(&error, body))
}
