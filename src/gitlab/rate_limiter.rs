//! When the next request may go: one rate and one pause for all clones of a client, in fair shares.
//!
//! By hand: `governor` can neither pause everybody nor slow down to a budget that GitLab tells.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::error_kind::RateLimit;
use super::rate_headers::LONGEST_WAIT;
use super::request_flow::{Meter, RequestFlow};

/// The longest period GitLab's limits are counted in by default.
const LONGEST_PERIOD: Duration = Duration::from_hours(1);

/// Lets one request at a time stand in the queue of a project.
#[derive(Debug, Default)]
struct Lane {
    turn: tokio::sync::Mutex<()>,
    sent: AtomicU64,
}

/// Counts the requests for one project from its first use on.
#[derive(Debug, Clone)]
pub struct ProjectRequests(Arc<Lane>);

impl ProjectRequests {
    /// Requests that were sent.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }
}

/// Spreads requests over time, and holds them while GitLab asked for a pause.
#[derive(Debug)]
pub(super) struct RateLimiter {
    /// Distance between two requests in the long run.
    interval: Duration,
    /// How far requests may run ahead of that after a quiet time.
    burst: Duration,
    state: Mutex<State>,
    /// Wakes the requests that wait when they may go sooner.
    faster: Notify,
    /// Requests that wait for their turn.
    waiting: AtomicUsize,
    sent: Meter,
    /// A lane for each project, so that projects take turns.
    lanes: Mutex<HashMap<Box<str>, Arc<Lane>>>,
}

/// A request that waits, until it goes or is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct State {
    next_slot: Instant,
    paused_until: Instant,
    /// Why there is a pause.
    paused_by: RateLimit,
    /// A slower rate, up to when GitLab counts anew, or is asked whether it does.
    slow: Option<(Duration, Instant)>,
}

impl RateLimiter {
    /// Lets through `per_second` requests, after a quiet second as many at once.
    pub(super) fn new(per_second: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(LONGEST_WAIT);
        let now = Instant::now();
        Self {
            interval,
            burst: Duration::from_secs(1).saturating_sub(interval),
            state: Mutex::new(State {
                next_slot: now,
                paused_until: now,
                paused_by: RateLimit::EarlierAnswer,
                slow: None,
            }),
            faster: Notify::new(),
            waiting: AtomicUsize::new(0),
            sent: Meter::new(),
            lanes: Mutex::default(),
        }
    }

    /// Waits for this request's turn; an error is the rest of a pause longer than `patience`, and its reason. Requests
    /// of one lane go one after the other, and lanes take turns.
    pub(super) async fn admit(
        &self,
        lane: &str,
        patience: Duration,
    ) -> Result<(), (Duration, RateLimit)> {
        let _waiting = Waiting::new(&self.waiting);
        let lane = self.lane(lane);
        let _turn = lane.turn.lock().await;
        loop {
            if let Some(end) = self.pause_end(patience)? {
                sleep_until(end).await;
                continue;
            }
            let faster = self.faster.notified();
            tokio::select! {
                biased;
                () = sleep_until(self.take_slot()) => {}
                () = faster => continue,
            }
            if self.pause_end(patience)?.is_none() {
                self.sent.sent();
                lane.sent.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
    }

    /// Counts the requests of a lane.
    pub(super) fn requests_of(&self, lane: &str) -> ProjectRequests {
        ProjectRequests(self.lane(lane))
    }

    /// How requests go now, whatever the circuit breaker does.
    pub(super) fn request_flow(&self) -> RequestFlow {
        let now = Instant::now();
        let state = self.state();
        let slow = state.slow.filter(|(_, until)| now < *until);
        let interval = slow.map_or(self.interval, |(interval, _)| interval);
        let pause = state.paused_until.saturating_duration_since(now);
        drop(state);
        RequestFlow {
            per_second: 1.0 / self.interval.as_secs_f64(),
            per_second_now: 1.0 / interval.as_secs_f64(),
            last_minute: self.sent.last_minute(),
            waiting: self.waiting.load(Ordering::Relaxed),
            paused_for: (!pause.is_zero()).then_some(pause),
            next_probe: None,
            largest_listing: 0,
        }
    }

    /// Holds all requests after a 429 for `time`, or as long as an earlier call said.
    pub(super) fn pause(&self, time: Duration) {
        self.hold(time, RateLimit::EarlierAnswer);
    }

    fn hold(&self, time: Duration, reason: RateLimit) {
        let end = Instant::now() + time.min(LONGEST_WAIT);
        let mut state = self.state();
        if end > state.paused_until {
            state.paused_until = end;
            state.paused_by = reason;
        }
    }

    /// GitLab allows so many more requests within `time`: they are spread over it if there are fewer
    /// than the rate would take. After [`LONGEST_WAIT`] without another answer the usual rate holds again.
    pub(super) fn spread(&self, requests: u64, time: Duration) {
        let time = time.min(LONGEST_PERIOD);
        if requests == 0 {
            self.hold(time, RateLimit::SpentBudget);
        }
        let requests = u32::try_from(requests).unwrap_or(u32::MAX).max(1);
        let interval = (time / requests).min(LONGEST_WAIT).max(self.interval);
        let now = Instant::now();
        let mut state = self.state();
        let before = state.slow.take();
        if interval > self.interval {
            state.slow = Some((interval, now + time.min(LONGEST_WAIT)));
        }
        if before.is_some_and(|(before, _)| interval < before) {
            state.next_slot = state.next_slot.min(now + interval);
            drop(state);
            self.faster.notify_waiters();
        }
    }

    /// GitLab answered without telling how many requests are left: the usual rate holds.
    pub(super) fn stop_spreading(&self) {
        let mut state = self.state();
        if state.slow.take().is_some() {
            state.next_slot = state.next_slot.min(Instant::now() + self.interval);
            drop(state);
            self.faster.notify_waiters();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self, name: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(name) {
            return Arc::clone(lane);
        }
        // An empty lane is made again when it is needed.
        lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        Arc::clone(lanes.entry(name.into()).or_default())
    }

    fn pause_end(&self, patience: Duration) -> Result<Option<Instant>, (Duration, RateLimit)> {
        let now = Instant::now();
        let state = self.state();
        let (end, reason) = (state.paused_until, state.paused_by);
        drop(state);
        let left = end.saturating_duration_since(now);
        if left > patience {
            return Err((left, reason));
        }
        Ok((end > now).then_some(end))
    }

    fn take_slot(&self) -> Instant {
        let now = Instant::now();
        let earliest = now.checked_sub(self.burst).unwrap_or(now);
        let mut state = self.state();
        let slot = state.next_slot.max(earliest);
        let next = slot + self.interval;
        // From the time on at which GitLab counts anew, the usual rate holds.
        state.next_slot = match state.slow {
            Some((interval, until)) if slot < until => (slot + interval).min(until).max(next),
            _ => next,
        };
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(2);

    #[tokio::test]
    async fn requests_keep_to_the_rate() {
        let limiter = RateLimiter::new(200.0);
        let start = Instant::now();
        for _ in 0..21 {
            limiter.admit("", PATIENCE).await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn the_requests_of_a_lane_are_counted_for_as_long_as_somebody_wants_to_know() {
        let limiter = RateLimiter::new(f64::INFINITY);
        let requests = limiter.requests_of("7");
        for lane in ["7", "8", "7", "9"] {
            limiter.admit(lane, PATIENCE).await.unwrap();
        }
        assert_eq!(requests.sent(), 2);
    }

    #[tokio::test]
    async fn less_than_one_request_a_second_is_a_rate_too() {
        let limiter = RateLimiter::new(0.5);
        let start = Instant::now();
        assert!(limiter.take_slot() <= Instant::now());
        assert!(limiter.take_slot() >= start + Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_pause_holds_everybody_until_it_ends() {
        let limiter = RateLimiter::new(f64::INFINITY);
        let start = Instant::now();
        limiter.pause(Duration::from_millis(60));
        limiter.pause(Duration::from_millis(5));
        let (one, two) = tokio::join!(limiter.admit("a", PATIENCE), limiter.admit("b", PATIENCE));
        assert_eq!((one, two), (Ok(()), Ok(())));
        assert!(start.elapsed() >= Duration::from_millis(60));
    }

    #[tokio::test]
    async fn a_pause_longer_than_the_patience_is_told_at_once() {
        let limiter = RateLimiter::new(1.0);
        limiter.pause(Duration::from_hours(1));
        let (left, reason) = limiter.admit("", PATIENCE).await.unwrap_err();
        assert_eq!(reason, RateLimit::EarlierAnswer);
        let longest = LONGEST_WAIT.checked_sub(Duration::from_mins(1)).unwrap()..=LONGEST_WAIT;
        assert!(longest.contains(&left), "{left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_project_with_much_to_ask_lets_the_others_take_their_turns() {
        let limiter = Arc::new(RateLimiter::new(10.0));
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut asking = Vec::new();
        let busy = (0..40).map(|_| "busy");
        for lane in busy.chain(["quiet", "other"]) {
            let (limiter, served) = (Arc::clone(&limiter), Arc::clone(&served));
            asking.push(tokio::spawn(async move {
                limiter.admit(lane, PATIENCE).await.unwrap();
                served.lock().unwrap().push(lane);
            }));
            tokio::task::yield_now().await;
        }
        for request in asking {
            request.await.unwrap();
        }
        let served = served.lock().unwrap();
        assert_eq!(served.len(), 42);
        for lane in ["quiet", "other"] {
            let place = served.iter().position(|one| *one == lane).unwrap();
            // The burst of a quiet second is gone before they ask.
            assert!(place < 15, "{lane} was number {place}: {served:?}");
        }
    }

    /// Thirty projects ask at once; how long after the start each was let through.
    async fn thirty_ask(
        limiter: &Arc<RateLimiter>,
        meanwhile: impl Future<Output = ()>,
    ) -> Vec<Duration> {
        let start = Instant::now();
        let asking: Vec<_> = (0..30)
            .map(|lane: u32| {
                let limiter = Arc::clone(limiter);
                tokio::spawn(async move {
                    limiter.admit(&lane.to_string(), PATIENCE).await.unwrap();
                    start.elapsed()
                })
            })
            .collect();
        meanwhile.await;
        let mut passed = Vec::new();
        for request in asking {
            passed.push(request.await.unwrap());
        }
        passed.sort();
        passed
    }

    #[tokio::test(start_paused = true)]
    async fn projects_that_wait_go_at_the_usual_rate_once_gitlab_counts_anew() {
        let limiter = Arc::new(RateLimiter::new(10.0));
        limiter.spread(2, Duration::from_secs(10));
        let passed = thirty_ask(&limiter, async {}).await;
        assert!(passed[2] >= Duration::from_secs(10), "{passed:?}");
        assert!(passed[29] < Duration::from_secs(13), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn projects_that_wait_go_sooner_once_gitlab_says_that_much_is_left() {
        let limiter = Arc::new(RateLimiter::new(10.0));
        limiter.spread(2, Duration::from_mins(10));
        let second = Duration::from_secs(1);
        let passed = thirty_ask(&limiter, async {
            tokio::time::sleep(second).await;
            limiter.spread(1_900, Duration::from_secs(50));
        });
        let passed = passed.await;
        assert!(passed[1] > second, "{passed:?}");
        assert!(passed[29] < 5 * second, "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_that_leaves_nothing_for_a_long_time_holds_requests_for_ten_minutes_in_all()
    {
        let limiter = Arc::new(RateLimiter::new(10.0));
        limiter.spread(0, Duration::from_secs(99_999_999_999));
        let (left, reason) = limiter.admit("", PATIENCE).await.unwrap_err();
        assert_eq!((left, reason), (LONGEST_WAIT, RateLimit::SpentBudget));
        tokio::time::advance(LONGEST_WAIT).await;
        let passed = thirty_ask(&limiter, async {}).await;
        assert!(passed[29] < Duration::from_secs(4), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_tells_no_budget_ends_the_spreading() {
        let limiter = Arc::new(RateLimiter::new(10.0));
        limiter.spread(1, Duration::from_mins(10));
        let second = Duration::from_secs(1);
        let passed = thirty_ask(&limiter, async {
            tokio::time::sleep(second).await;
            limiter.stop_spreading();
        });
        let passed = passed.await;
        assert!(passed[1] > second, "{passed:?}");
        assert!(passed[29] < 5 * second, "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_gitlab_still_allows_is_spread_over_the_time_until_it_counts_anew() {
        let limiter = RateLimiter::new(10.0);
        limiter.spread(4, Duration::from_secs(20));
        let start = Instant::now();
        for _ in 0..4 {
            limiter.admit("", PATIENCE).await.unwrap();
        }
        let passed = start.elapsed();
        assert!(passed >= Duration::from_secs(14), "{passed:?}");
        tokio::time::advance(Duration::from_secs(20)).await;
        let start = Instant::now();
        for _ in 0..10 {
            limiter.admit("", PATIENCE).await.unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(2));
        limiter.spread(1_900, Duration::from_secs(50));
        assert_eq!(limiter.state().slow, None);
        limiter.spread(0, Duration::from_secs(30));
        let start = Instant::now();
        limiter.admit("", PATIENCE).await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(30));
    }
}
