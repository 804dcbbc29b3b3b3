//! What goes wrong on demand: errors, broken bodies, cut connections, latency, outages, rate limits.

use std::collections::VecDeque;
use std::time::Duration;

use http::StatusCode;

use super::moment::Moment;
use super::reply::Reply;

/// One thing that can go wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 500 with JSON.
    InternalError,
    /// 502 with HTML, as a proxy in front of GitLab gives it.
    BadGateway,
    /// 503 with HTML.
    Unavailable,
    /// 429 of the request throttle: plain text, `Retry-After` and `RateLimit-*` headers.
    TooManyRequests,
    /// 429 of an application limit: JSON and no headers.
    TooManyRequestsBare,
    /// Half of the body, then the connection is closed.
    TruncatedBody,
    /// The whole body as announced, but cut in the middle of the JSON.
    InvalidJson,
    /// The connection is closed without an answer.
    Reset,
    /// A record without `id` stands among the others of a list.
    RecordWithoutId,
}

impl Fault {
    /// Every fault there is.
    pub const ALL: [Self; 9] = [
        Self::InternalError,
        Self::BadGateway,
        Self::Unavailable,
        Self::TooManyRequests,
        Self::TooManyRequestsBare,
        Self::TruncatedBody,
        Self::InvalidJson,
        Self::Reset,
        Self::RecordWithoutId,
    ];

    /// The fault of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == name)
    }

    /// Its name, as the command line has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InternalError => "internal-error",
            Self::BadGateway => "bad-gateway",
            Self::Unavailable => "unavailable",
            Self::TooManyRequests => "too-many-requests",
            Self::TooManyRequestsBare => "too-many-requests-bare",
            Self::TruncatedBody => "truncated-body",
            Self::InvalidJson => "invalid-json",
            Self::Reset => "reset",
            Self::RecordWithoutId => "record-without-id",
        }
    }
}

/// Which requests go wrong, and how.
#[derive(Debug)]
pub struct Faults {
    /// Share of the requests that go wrong, 0 to 1.
    pub probability: f64,
    /// What may go wrong then.
    pub kinds: Vec<Fault>,
    /// Every answer takes at least this long.
    pub latency: Duration,
    /// Share of the requests that take `slow_latency` more.
    pub slow_probability: f64,
    /// What slow requests take more.
    pub slow_latency: Duration,
    /// Every request goes wrong like this.
    pub outage: Option<Fault>,
    /// Seconds in the `Retry-After` of an injected 429.
    pub retry_after: u32,
    limit: Option<RateLimit>,
    next: VecDeque<(Fault, Option<String>)>,
    random: fastrand::Rng,
}

/// So many requests a minute of simulated time.
#[derive(Debug, Clone)]
struct RateLimit {
    per_minute: u32,
    window: i64,
    observed: u32,
}

/// What is to be done with one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) delay: Duration,
    pub(super) fault: Option<Fault>,
    pub(super) refused: Option<Reply>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Faults {
    /// Nothing goes wrong until told so; what goes wrong then is drawn from `seed`.
    pub fn none(seed: u64) -> Self {
        Self {
            probability: 0.0,
            kinds: Fault::ALL.to_vec(),
            latency: Duration::ZERO,
            slow_probability: 0.0,
            slow_latency: Duration::ZERO,
            outage: None,
            retry_after: 1,
            limit: None,
            next: VecDeque::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The next request goes wrong like this; called twice, the next two.
    pub fn inject(&mut self, fault: Fault) {
        self.next.push_back((fault, None));
    }

    /// The next request whose path ends in `suffix` goes wrong like this.
    pub fn inject_at(&mut self, suffix: &str, fault: Fault) {
        self.next.push_back((fault, Some(suffix.to_owned())));
    }

    /// Allows so many requests a minute of simulated time; `None` for no limit.
    pub fn limit_rate(&mut self, per_minute: Option<u32>) {
        self.limit = per_minute.map(|per_minute| RateLimit {
            per_minute,
            window: i64::MIN,
            observed: 0,
        });
    }

    /// Decides on a request for `path` (without the query) at `now`.
    pub(super) fn judge(&mut self, path: &str, now: Moment) -> Verdict {
        let mut verdict = Verdict {
            delay: self.latency,
            fault: None,
            refused: None,
            headers: Vec::new(),
        };
        if self.random.f64() < self.slow_probability {
            verdict.delay += self.slow_latency;
        }
        let drawn = self.draw();
        verdict.fault = self.outage.or_else(|| self.injected(path)).or(drawn);
        if let Some(limit) = &mut self.limit {
            let allowed = limit.count(now);
            verdict.headers = limit.headers(now);
            if !allowed {
                let wait = RateLimit::reset(now) - now.unix();
                let headers = vec![("retry-after", wait.max(1).to_string())];
                verdict.refused = Some(
                    Reply::text(StatusCode::TOO_MANY_REQUESTS, "Retry later\n")
                        .with_headers(headers),
                );
            }
        }
        verdict
    }

    fn draw(&mut self) -> Option<Fault> {
        // Drawn every time, so that the course of one seed does not depend on the outcome.
        let chance = self.random.f64();
        let kind = self.random.usize(..self.kinds.len().max(1));
        let kind = self.kinds.get(kind).copied();
        kind.filter(|_| chance < self.probability)
    }

    fn injected(&mut self, path: &str) -> Option<Fault> {
        let applies = |suffix: &Option<String>| suffix.as_ref().is_none_or(|s| path.ends_with(s));
        let position = self.next.iter().position(|(_, suffix)| applies(suffix))?;
        self.next.remove(position).map(|(fault, _)| fault)
    }
}

impl RateLimit {
    fn count(&mut self, now: Moment) -> bool {
        let window = now.unix().div_euclid(60);
        if window != self.window {
            self.window = window;
            self.observed = 0;
        }
        self.observed = self.observed.saturating_add(1);
        self.observed <= self.per_minute
    }

    fn reset(now: Moment) -> i64 {
        (now.unix().div_euclid(60) + 1) * 60
    }

    fn headers(&self, now: Moment) -> Vec<(&'static str, String)> {
        let reset = Self::reset(now);
        let remaining = self.per_minute.saturating_sub(self.observed);
        vec![
            ("ratelimit-limit", self.per_minute.to_string()),
            ("ratelimit-observed", self.observed.to_string()),
            ("ratelimit-remaining", remaining.to_string()),
            ("ratelimit-reset", reset.to_string()),
            ("ratelimit-resettime", Moment::from_unix(reset).http_date()),
        ]
    }
}
