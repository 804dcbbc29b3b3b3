//! Faults on demand: errors, broken bodies, cut connections, latency, outages, rate limits.

use std::collections::VecDeque;
use std::time::Duration;

use http::StatusCode;

use super::fault::Fault;
use super::graphql_faults::GraphqlFaults;
use super::moment::Moment;
use super::rate_limit::RateLimit;
use super::reply::Reply;
use super::write_faults::WriteFaults;

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
    /// Faults of requests that change something.
    pub writes: WriteFaults,
    /// Limits, version and faults of GraphQL.
    pub graphql: GraphqlFaults,
    answers: u32,
    limit: Option<RateLimit>,
    next: VecDeque<(Fault, Option<String>)>,
    random: fastrand::Rng,
}

/// Decision on one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Verdict {
    /// Time before the request is carried out.
    pub(super) delay_before: Duration,
    /// Time before the answer.
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
            writes: WriteFaults::none(seed),
            graphql: GraphqlFaults::default(),
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
        self.limit = per_minute.map(RateLimit::new);
    }

    /// Decides on a request for `path` (without the query) at `now`.
    pub(super) fn judge(&mut self, path: &str, writes: bool, now: Moment) -> Verdict {
        let mut verdict = Verdict {
            delay: self.latency,
            ..Verdict::default()
        };
        let drawn = self.draw();
        verdict.fault = self.outage.or_else(|| self.injected(path)).or(drawn);
        if writes {
            self.judge_write(&mut verdict, now);
        }
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

    fn judge_write(&mut self, verdict: &mut Verdict, now: Moment) {
        let writes = &mut self.writes;
        let drawn = writes.draw();
        verdict.fault = verdict.fault.or(drawn);
        verdict.delay_before = writes.delay_before;
        verdict.delay += writes.delay_after;
        if !writes.admit(now) {
            verdict.refused = Some(Reply::application_limit());
        }
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
