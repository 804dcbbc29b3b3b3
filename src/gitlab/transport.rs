//! The project's own HTTP transport under the `gitlab` crate's endpoints: limits, retries, secrecy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use gitlab::api::{ApiError, AsyncClient, RestClient};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep};
use url::Url;

use super::answer;
use super::breaker::Breaker;
use super::connect;
use super::error::{Error, Report};
use super::fault::Fault;
use super::gate::Gate;
use super::observer::Observer;
use super::options::{BuildError, Options};
use crate::base::api::{CircuitState, Endpoint};
use crate::base::backoff::Backoff;
use crate::base::error_chain::error_chain;

/// A 429 without any header comes from limits counted by the minute: such a wait starts higher.
const UNTOLD_LIMIT_RETRIES: u32 = 2;

/// One GitLab and the way to it.
pub(super) struct Transport {
    http: reqwest::Client,
    /// Ends with `/api/v4/`; every request and every page stays below it.
    api: Url,
    authorization: Option<HeaderValue>,
    token: Option<SecretString>,
    gate: Gate,
    breaker: Breaker,
    timeout: Duration,
    max_response_bytes: usize,
    max_attempts: u32,
    max_wait: Duration,
    backoff: Backoff,
    observer: Arc<dyn Observer>,
}

/// The transport as used for one call: it knows what is asked and about whom.
pub(super) struct Call<'a> {
    pub(super) transport: &'a Transport,
    pub(super) endpoint: Endpoint,
    /// For messages, for example `project group/app`.
    pub(super) subject: String,
    pub(super) wanted: Wanted,
}

/// What an answer is expected to be, and how much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// JSON, whole.
    Json,
    /// Text: of the first `read` bytes the last `keep`.
    Tail { keep: usize, read: usize },
}

/// The bytes that were left out of a [`Wanted::Tail`]: an extension of its answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LeftOut {
    /// Before what was kept.
    pub(super) before: usize,
    /// Whether there is more after it.
    pub(super) after: bool,
}

impl Transport {
    pub(super) fn new(options: Options, observer: Arc<dyn Observer>) -> Result<Self, BuildError> {
        let api = connect::api_url(&options.url)?;
        connect::check_limits(&options)?;
        let http = connect::http_client(&options, &api)?;
        Ok(Self {
            http,
            api,
            authorization: options.token.as_ref().map(bearer).transpose()?,
            token: options.token,
            gate: Gate::new(options.requests_per_second),
            breaker: Breaker::new(observer.clone()),
            timeout: options.timeout,
            max_response_bytes: options.max_response_bytes,
            max_attempts: options.max_attempts.max(1),
            max_wait: options.max_wait,
            backoff: options.backoff,
            observer,
        })
    }

    /// The root of the REST API.
    pub(super) fn api(&self) -> &Url {
        &self.api
    }

    /// Whether the token may be sent there.
    pub(super) fn is_ours(&self, url: &Url) -> bool {
        connect::is_below(url, &self.api)
    }

    /// The fault without the token, even where GitLab's words repeat it.
    fn redacted(&self, fault: Fault) -> Fault {
        match &self.token {
            Some(token) => fault.map_text(|text| text.replace(token.expose_secret(), "<redacted>")),
            None => fault,
        }
    }

    /// The pause before the next attempt.
    fn pause_after(&self, fault: &Fault, retry: u32) -> Duration {
        match fault {
            Fault::RateLimited {
                retry_after: Some(wait),
            } => *wait,
            Fault::RateLimited { retry_after: None } => self
                .backoff
                .delay(retry.saturating_add(UNTOLD_LIMIT_RETRIES)),
            _ => self.backoff.delay(retry),
        }
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, BuildError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
    let mut value = value.map_err(|_| BuildError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

impl RestClient for Call<'_> {
    type Error = Error;

    fn rest_endpoint(&self, endpoint: &str) -> Result<Url, ApiError<Error>> {
        Ok(Url::parse(&format!("{}{endpoint}", self.transport.api))?)
    }
}

#[async_trait]
impl AsyncClient for Call<'_> {
    async fn rest_async(
        &self,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Response<Bytes>, ApiError<Error>> {
        let request = request.body(Bytes::from(body)).map_err(|error| {
            ApiError::client(self.error(
                &self.transport.api,
                0,
                Fault::Unexpected(error_chain(&error)),
            ))
        })?;
        self.send(&request).await.map_err(ApiError::client)
    }
}

impl Call<'_> {
    /// Asks for one page or object; what comes back is a success and valid JSON.
    pub(super) async fn get(&self, url: &Url) -> Result<Response<Bytes>, Error> {
        let request = Request::get(url.as_str()).header(ACCEPT, "application/json");
        self.ask(url, request).await
    }

    /// Asks for what the call wants.
    pub(super) async fn ask(
        &self,
        url: &Url,
        request: http::request::Builder,
    ) -> Result<Response<Bytes>, Error> {
        self.rest_async(request, Vec::new())
            .await
            .map_err(|error| self.own(url, error))
    }

    /// This call's error for the address asked.
    pub(super) fn error(&self, url: &Url, attempts: u32, fault: Fault) -> Error {
        Error::new(Report {
            asked: format!("GET {}", url.path()),
            subject: self.subject.clone(),
            with_token: self.transport.authorization.is_some(),
            attempts,
            fault: self.transport.redacted(fault),
        })
    }

    /// Takes our own error out of the crate's.
    pub(super) fn own(&self, url: &Url, error: ApiError<Error>) -> Error {
        match error {
            ApiError::Client { source } => source,
            other => self.error(url, 0, Fault::Unexpected(error_chain(&other))),
        }
    }

    async fn send(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let transport = self.transport;
        let mut waited = Duration::ZERO;
        let mut attempts: u32 = 0;
        loop {
            let fault = match self.admitted(request, &mut attempts).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let pause = transport.pause_after(&fault, attempts.saturating_sub(1));
            if matches!(fault, Fault::RateLimited { .. }) {
                transport.gate.pause(pause);
            }
            waited = waited.saturating_add(pause);
            // What changes something in GitLab is not sent twice: the first may have arrived.
            let again = fault.is_retryable()
                && request.method().is_safe()
                && transport.breaker.state() == CircuitState::Closed;
            if !again || attempts >= transport.max_attempts || waited > transport.max_wait {
                let url = Url::parse(&request.uri().to_string());
                return Err(self.error(url.as_ref().unwrap_or(&transport.api), attempts, fault));
            }
            transport.observer.retried(self.endpoint, fault.reason());
            sleep(pause).await;
        }
    }

    /// Sends the request when its turn has come, and counts that.
    async fn admitted(
        &self,
        request: &Request<Bytes>,
        attempts: &mut u32,
    ) -> Result<Response<Bytes>, Fault> {
        let transport = self.transport;
        let left_alone = |retry_in| Fault::CircuitOpen { retry_in };
        if let Some(retry_in) = transport.breaker.closed_for() {
            return Err(left_alone(retry_in));
        }
        let share = share_of(request.uri().path());
        let held = transport.gate.admit(share, transport.max_wait).await;
        if let Err(left) = held {
            return Err(Fault::RateLimited {
                retry_after: Some(left),
            });
        }
        let pass = transport.breaker.admit().map_err(left_alone)?;
        *attempts += 1;
        let answer = self.attempt(request).await;
        match &answer {
            Err(fault) if !fault.is_an_answer() => pass.failed(),
            _ => pass.answered(),
        }
        answer
    }

    async fn attempt(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let observer = &*self.transport.observer;
        let start = Instant::now();
        let result = self.exchange(request).await;
        let class = match &result {
            Ok(answer) => status_class(answer.status()),
            Err(_) => "error",
        };
        observer.answered(self.endpoint, class, start.elapsed());
        let answer = result?;
        answer::report_headers(answer.headers(), observer);
        if let Some((requests, time)) = answer::budget(answer.headers()) {
            self.transport.gate.spread(requests, time);
        }
        let said = if answer.status().is_success() {
            String::new()
        } else {
            answer::said(answer.body())
        };
        if let Some(fault) = answer::fault_of(answer.status(), answer.headers(), said) {
            return Err(fault);
        }
        if request.method().is_safe() && self.wanted == Wanted::Json {
            check_json(answer.body())?;
        }
        Ok(answer)
    }

    async fn exchange(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let transport = self.transport;
        let fault = |error| connect::fault_of(error, transport.timeout);
        let mut outgoing = transport
            .http
            .request(request.method().clone(), request.uri().to_string())
            .headers(request.headers().clone())
            .body(request.body().clone());
        if let Some(authorization) = &transport.authorization {
            outgoing = outgoing.header(AUTHORIZATION, authorization.clone());
        }
        let mut incoming = outgoing.send().await.map_err(fault)?;
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = incoming.status();
        *answer.headers_mut() = std::mem::take(incoming.headers_mut());
        let mut body = BytesMut::new();
        let mut left_out = LeftOut::default();
        while let Some(chunk) = incoming.chunk().await.map_err(fault)? {
            match self.wanted {
                Wanted::Tail { keep, read } => {
                    left_out.after = left_out.before + body.len() + chunk.len() > read;
                    if left_out.after {
                        break;
                    }
                    body.extend_from_slice(&chunk);
                    // Not with each chunk: what stays is moved.
                    if body.len() > 2 * keep {
                        left_out.before += drop_all_but(keep, &mut body);
                    }
                }
                Wanted::Json if body.len() + chunk.len() > transport.max_response_bytes => {
                    return Err(Fault::TooLarge {
                        limit: transport.max_response_bytes,
                    });
                }
                Wanted::Json => body.extend_from_slice(&chunk),
            }
        }
        if let Wanted::Tail { keep, .. } = self.wanted {
            left_out.before += drop_all_but(keep, &mut body);
            answer.extensions_mut().insert(left_out);
        }
        *answer.body_mut() = body.freeze();
        Ok(answer)
    }
}

/// Whose share of the rate a request takes: that of the project or group in its path.
fn share_of(path: &str) -> &str {
    let place = ["/projects/", "/groups/"]
        .iter()
        .find_map(|part| path.split_once(part));
    place.map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default())
}

/// Keeps the last bytes; returns how many went.
fn drop_all_but(keep: usize, body: &mut BytesMut) -> usize {
    let surplus = body.len().saturating_sub(keep);
    body.advance(surplus);
    surplus
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

/// A cut answer can come with a length that agrees: only its text shows it.
fn check_json(body: &[u8]) -> Result<(), Fault> {
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => Ok(()),
        Err(error) if error.is_eof() => Err(Fault::Truncated(format!(
            "the JSON ends after {} bytes, in the middle",
            body.len()
        ))),
        Err(error) => Err(Fault::InvalidJson(error.to_string())),
    }
}
