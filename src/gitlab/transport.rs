//! The project's own HTTP transport: connections, limits, the token, and how much of a body is read.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, Response};
use url::Url;

use secrecy::SecretString;

use super::breaker::Breaker;
use super::connect;
use super::credentials::{Credentials, Token};
use super::error_kind::ErrorKind;
use super::options::{BuildError, Options};
use super::page_sizes::PageSizes;
use super::rate_limiter::RateLimiter;
use super::slow_order::SlowOrder;
use super::transport_metrics::TransportMetrics;
use crate::base::backoff::Backoff;

/// A 429 without any header comes from limits counted by the minute: such a wait starts higher.
const UNTOLD_LIMIT_RETRIES: u32 = 2;

/// One GitLab and the way to it.
pub(super) struct Transport {
    http: reqwest::Client,
    /// Ends with `/api/v4/`; every request and every page stays below it.
    api: Url,
    pub(super) credentials: Credentials,
    pub(super) limiter: RateLimiter,
    pub(super) breaker: Breaker,
    pub(super) page_sizes: PageSizes,
    pub(super) slow_order: SlowOrder,
    timeout: Duration,
    max_response_bytes: usize,
    pub(super) max_listing_bytes: usize,
    /// Bytes of the largest list so far.
    pub(super) largest_listing: AtomicUsize,
    pub(super) max_attempts: u32,
    /// For the pauses of one request together.
    pub(super) max_wait: Duration,
    backoff: Backoff,
    pub(super) metrics: Arc<dyn TransportMetrics>,
}

/// The expected type of an answer, and how much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// JSON, whole.
    Json,
    /// Text: of the first `read` bytes the last `keep`.
    Tail { keep: usize, read: usize },
}

/// The bytes that were left out of an [`Expected::Tail`]: an extension of its answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LeftOut {
    /// Before the bytes that were kept.
    pub(super) before: usize,
    /// Whether there are more after them.
    pub(super) after: bool,
}

impl Transport {
    pub(super) fn new(
        options: Options,
        metrics: Arc<dyn TransportMetrics>,
    ) -> Result<Self, BuildError> {
        let api = connect::api_url(&options.url)?;
        connect::check_limits(&options)?;
        let http = connect::http_client(&options, &api)?;
        Ok(Self {
            http,
            api,
            credentials: Credentials::new(options.token, options.token_source)?,
            limiter: RateLimiter::new(options.requests_per_second),
            breaker: Breaker::new(metrics.clone()),
            page_sizes: PageSizes::default(),
            slow_order: SlowOrder::default(),
            timeout: options.timeout,
            max_response_bytes: options.max_response_bytes,
            max_listing_bytes: options.max_listing_bytes,
            largest_listing: AtomicUsize::new(0),
            max_attempts: options.max_attempts.max(1),
            max_wait: options.max_wait,
            backoff: options.backoff,
            metrics,
        })
    }

    /// The root of the REST API.
    pub(super) fn api(&self) -> &Url {
        &self.api
    }

    pub(super) fn has_token(&self) -> bool {
        self.credentials.has_token()
    }

    /// All tokens that were in force.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        self.credentials.secrets()
    }

    /// Whether the token may be sent there.
    pub(super) fn is_ours(&self, url: &Url) -> bool {
        connect::is_below(url, &self.api)
    }

    /// The error without the token, even where GitLab's message repeats it.
    pub(super) fn redacted(&self, error: ErrorKind) -> ErrorKind {
        error.map_text(|text| self.credentials.redact(text))
    }

    /// The pause before the next attempt.
    pub(super) fn pause_after(&self, error: &ErrorKind, retry: u32) -> Duration {
        match error {
            // No less than without it: a wait of 0 must not become a loop.
            ErrorKind::RateLimited {
                retry_after: Some(wait),
                ..
            } => self.backoff.delay(retry).max(*wait),
            ErrorKind::RateLimited {
                retry_after: None, ..
            } => self
                .backoff
                .delay(retry.saturating_add(UNTOLD_LIMIT_RETRIES)),
            _ => self.backoff.delay(retry),
        }
    }

    /// Sends a request once and reads the answer, whatever its status.
    pub(super) async fn exchange(
        &self,
        request: &Request<Bytes>,
        token: Option<&Token>,
        expected: Expected,
    ) -> Result<Response<Bytes>, ErrorKind> {
        let failed = |error| connect::error_of(error, self.timeout);
        let accept = match expected {
            Expected::Json => "application/json",
            Expected::Tail { .. } => "text/plain, */*;q=0.1",
        };
        // The crate leaves a `?` at the end of an address without parameters.
        let url = request.uri().to_string();
        let mut outgoing = self
            .http
            .request(request.method().clone(), url.trim_end_matches('?'))
            .headers(request.headers().clone())
            .header(ACCEPT, accept)
            .body(request.body().clone());
        if let Some(token) = token {
            outgoing = outgoing.header(AUTHORIZATION, token.header.clone());
        }
        let mut incoming = outgoing.send().await.map_err(failed)?;
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = incoming.status();
        *answer.headers_mut() = std::mem::take(incoming.headers_mut());
        let mut body = BytesMut::new();
        let mut left_out = LeftOut::default();
        while let Some(chunk) = incoming.chunk().await.map_err(failed)? {
            let length = left_out.before + body.len() + chunk.len();
            match expected {
                Expected::Tail { keep, read } => {
                    left_out.after = length > read;
                    if left_out.after {
                        break;
                    }
                    body.extend_from_slice(&chunk);
                    // Not with each chunk: what stays is moved.
                    if body.len() > 2 * keep {
                        left_out.before += drop_all_but(keep, &mut body);
                    }
                }
                Expected::Json if length > self.max_response_bytes => {
                    let limit = self.max_response_bytes;
                    return Err(ErrorKind::TooLarge { limit });
                }
                Expected::Json => body.extend_from_slice(&chunk),
            }
        }
        if let Expected::Tail { keep, .. } = expected {
            left_out.before += drop_all_but(keep, &mut body);
            answer.extensions_mut().insert(left_out);
        }
        *answer.body_mut() = body.freeze();
        Ok(answer)
    }
}

/// Keeps the last bytes; returns how many went.
fn drop_all_but(keep: usize, body: &mut BytesMut) -> usize {
    let surplus = body.len().saturating_sub(keep);
    body.advance(surplus);
    surplus
}
