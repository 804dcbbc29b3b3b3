//! Faults on demand: errors, broken bodies, cut connections, latency, outages, rate limits.

use std::collections::VecDeque;
use std::time::Duration;

use http::StatusCode;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::moment::Moment;
use super::reply::Reply;

/// A fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Fault {
    /// 500 with JSON.
    InternalError,
    /// 502 with HTML, as from a proxy in front of GitLab.
    BadGateway,
    /// 503 with HTML.
    Unavailable,
    /// 520 with HTML, as from Cloudflare while GitLab does not answer it.
    OriginError,
    /// 404 with HTML, as from a proxy that does not find GitLab.
    ProxyNotFound,
    /// 403 with JSON.
    Forbidden,
    /// The true answer without headers about pages.
    StrippedPaging,
    /// 429 of GitLab's request throttle: plain text with `Retry-After`.
    TooManyRequests,
    /// 429 of an application limit: JSON without headers.
    TooManyRequestsBare,
    /// The connection is closed after half of the body.
    TruncatedBody,
    /// A complete body with only the first half of the JSON.
    InvalidJson,
    /// The connection is closed without an answer.
    Reset,
    /// A list contains an additional record without `id`.
    RecordWithoutId,
    /// 404, as from a replica that does not have the record yet. Only on demand: a 404 is an answer, too.
    NotYetThere,
    /// An empty list, as from a replica that does not have the records yet. Only on demand.
    EmptyList,
}

impl Fault {
    /// Faults that pass by themselves. A client that took the others for true would be right.
    pub const RANDOM: [Self; 10] = [
        Self::InternalError,
        Self::BadGateway,
        Self::Unavailable,
        Self::OriginError,
        Self::TooManyRequests,
        Self::TooManyRequestsBare,
        Self::TruncatedBody,
        Self::InvalidJson,
        Self::Reset,
        Self::RecordWithoutId,
    ];

    /// Name of the fault on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The faults to inject.
#[derive(Debug)]
pub struct Faults {
    /// Share of requests that get a random fault, 0 to 1.
    pub probability: f64,
    /// The faults to choose from at random.
    pub kinds: Vec<Fault>,
    /// Delay of every answer.
    pub latency: Duration,
    /// Fault of every request.
    pub outage: Option<Fault>,
    /// `Retry-After` of an injected 429, in seconds.
    pub retry_after: u32,
    /// A node whose clock is so far ahead, and that gives every so many answers: its `Date` is wrong.
    pub wrong_date: Option<(Duration, u32)>,
    answers: u32,
    limit: Option<RateLimit>,
    next: VecDeque<(Fault, Option<String>)>,
    random: fastrand::Rng,
}

/// A limit of requests per minute of simulated time.
#[derive(Debug, Clone)]
struct RateLimit {
    per_minute: u32,
    /// The present minute since the Unix epoch.
    window: i64,
    observed: u32,
}

/// Decision on one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) delay: Duration,
    pub(super) fault: Option<Fault>,
    pub(super) refused: Option<Reply>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Faults {
    /// No faults. `seed` determines random faults once there are any.
    pub fn none(seed: u64) -> Self {
        Self {
            probability: 0.0,
            kinds: Fault::RANDOM.to_vec(),
            latency: Duration::ZERO,
            outage: None,
            retry_after: 1,
            wrong_date: None,
            answers: 0,
            limit: None,
            next: VecDeque::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// How far the `Date` of the next answer is ahead.
    pub(super) fn date_ahead(&mut self) -> Duration {
        self.answers = self.answers.wrapping_add(1);
        match self.wrong_date {
            Some((ahead, every)) if self.answers.is_multiple_of(every) => ahead,
            _ => Duration::ZERO,
        }
    }

    /// Injects a fault into the next request. Further calls affect the requests after it.
    pub fn inject(&mut self, fault: Fault) {
        self.next.push_back((fault, None));
    }

    /// Injects a fault into the next request whose path ends in `suffix`.
    pub fn inject_at(&mut self, suffix: &str, fault: Fault) {
        self.next.push_back((fault, Some(suffix.to_owned())));
    }

    /// Injects nothing more of what [`Self::inject`] and [`Self::inject_at`] planned.
    pub fn clear(&mut self) {
        self.next.clear();
    }

    /// Limits the requests per minute of simulated time; `None` removes the limit.
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
        // Draws both numbers every time, so that the sequence depends on the seed alone.
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
