//! The circuit breaker: a GitLab that keeps failing gets one probe now and then, and no other request.
//!
//! By hand: it counts over all projects and tells its callers when the next probe is due.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::transport_metrics::TransportMetrics;
use crate::base::api::CircuitState;
use crate::base::backoff::Backoff;

/// Requests that fail in a row, over all projects, before the circuit opens.
const LIMIT: u32 = 10;

/// Time between two probes. Its end is how long an outage lasts for us after it is over.
const PAUSE: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_mins(1));

/// The state machine. Times are counted from any fixed moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Circuit {
    state: CircuitState,
    /// Failures in a row while it is closed.
    failures: u32,
    /// When the next probe may go.
    probe_at: Duration,
    /// Probes that failed in a row.
    failed_probes: u32,
}

impl Circuit {
    fn new() -> Self {
        Self {
            state: CircuitState::Closed,
            failures: 0,
            probe_at: Duration::ZERO,
            failed_probes: 0,
        }
    }

    /// Whether a request may go; the error is the time until the next probe.
    fn admit(&mut self, now: Duration) -> Result<(), Duration> {
        match self.state {
            CircuitState::Closed => Ok(()),
            CircuitState::Open if now >= self.probe_at => {
                self.state = CircuitState::HalfOpen;
                Ok(())
            }
            CircuitState::Open => Err(self.probe_at.saturating_sub(now)),
            CircuitState::HalfOpen => Err(PAUSE.ceiling(0)),
        }
    }

    /// GitLab answered, whatever it said.
    fn answered(&mut self) {
        *self = Self::new();
    }

    /// GitLab did not answer. While the circuit is not closed, only the failure of the probe counts.
    fn failed(&mut self, now: Duration, was_probe: bool) {
        match self.state {
            CircuitState::Closed => {
                self.failures += 1;
                if self.failures >= LIMIT {
                    self.open(now);
                }
            }
            CircuitState::HalfOpen if was_probe => {
                self.failed_probes = self.failed_probes.saturating_add(1);
                self.open(now);
            }
            _ => {}
        }
    }

    /// The probe was given up before its end: another one may go at once.
    fn given_up(&mut self, now: Duration) {
        if self.state == CircuitState::HalfOpen {
            self.state = CircuitState::Open;
            self.probe_at = now;
        }
    }

    fn open(&mut self, now: Duration) {
        self.state = CircuitState::Open;
        self.probe_at = now + PAUSE.ceiling(self.failed_probes);
    }
}

/// The breaker of one GitLab.
pub(super) struct Breaker {
    start: Instant,
    circuit: Mutex<Circuit>,
    metrics: Arc<dyn TransportMetrics>,
}

/// A request that was let through. The caller reports its end.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    is_told: bool,
}

impl Breaker {
    pub(super) fn new(metrics: Arc<dyn TransportMetrics>) -> Self {
        Self {
            start: Instant::now(),
            circuit: Mutex::new(Circuit::new()),
            metrics,
        }
    }

    pub(super) fn state(&self) -> CircuitState {
        self.circuit().state
    }

    /// The time until the next probe, where nothing may go now.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        self.circuit().clone().admit(self.now()).err()
    }

    /// Lets a request through; the error is the time until the next probe.
    pub(super) fn admit(&self) -> Result<Pass<'_>, Duration> {
        let now = self.now();
        let is_probe = self.change(|circuit| {
            circuit.admit(now)?;
            Ok(circuit.state == CircuitState::HalfOpen)
        })?;
        Ok(Pass {
            breaker: self,
            is_probe,
            is_told: false,
        })
    }

    /// Changes the circuit, and tells its state in the order in which it changes.
    fn change<R>(&self, change: impl FnOnce(&mut Circuit) -> R) -> R {
        let mut circuit = self.circuit();
        let before = circuit.state;
        let result = change(&mut circuit);
        if circuit.state != before {
            self.metrics.circuit(circuit.state);
        }
        result
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    pub(super) fn answered(mut self) {
        self.is_told = true;
        self.breaker.change(Circuit::answered);
    }

    pub(super) fn failed(mut self) {
        self.is_told = true;
        let now = self.breaker.now();
        let is_probe = self.is_probe;
        self.breaker.change(|circuit| circuit.failed(now, is_probe));
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.is_told && self.is_probe {
            let now = self.breaker.now();
            self.breaker.change(|circuit| circuit.given_up(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn opened_at(now: Duration) -> Circuit {
        let mut circuit = Circuit::new();
        for _ in 0..LIMIT {
            assert_eq!(circuit.admit(now), Ok(()));
            circuit.failed(now, false);
        }
        circuit
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_not_when_one_is_answered_between() {
        let mut circuit = Circuit::new();
        for _ in 1..LIMIT {
            circuit.failed(seconds(1), false);
        }
        circuit.answered();
        circuit.failed(seconds(1), false);
        assert_eq!(circuit.state, CircuitState::Closed);
        assert_eq!(opened_at(seconds(1)).state, CircuitState::Open);
    }

    #[test]
    fn one_probe_goes_after_the_pause_and_its_answer_closes_the_circuit() {
        let mut circuit = opened_at(seconds(100));
        assert_eq!(circuit.admit(seconds(102)), Err(seconds(3)));
        assert_eq!(circuit.admit(seconds(105)), Ok(()));
        assert_eq!(circuit.state, CircuitState::HalfOpen);
        assert!(circuit.admit(seconds(105)).is_err());
        // One that was under way before the circuit opened says nothing new.
        circuit.failed(seconds(106), false);
        assert_eq!(circuit.state, CircuitState::HalfOpen);
        circuit.answered();
        assert_eq!(circuit, Circuit::new());
    }

    #[test]
    fn a_probe_that_fails_doubles_the_pause_up_to_a_minute() {
        let mut circuit = opened_at(seconds(0));
        let mut now = seconds(0);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let pause = circuit.admit(now).unwrap_err();
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(circuit.admit(now), Ok(()));
            circuit.failed(now, true);
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn a_probe_that_is_given_up_is_followed_by_another() {
        let breaker = Breaker::new(Arc::new(()));
        *breaker.circuit() = opened_at(Duration::ZERO);
        breaker.circuit().probe_at = Duration::ZERO;
        let probe = breaker.admit().map_err(|_| "refused").unwrap();
        assert!(breaker.admit().is_err());
        drop(probe);
        assert!(breaker.closed_for().is_none());
        breaker.admit().map_err(|_| "refused").unwrap().answered();
        assert_eq!(breaker.state(), CircuitState::Closed);
    }

    proptest! {
        #[test]
        fn it_never_stays_open_for_more_than_a_minute_and_lets_one_probe_through(
            steps in proptest::collection::vec((0..4_u8, 0..90_u64), 1..200)
        ) {
            let mut circuit = Circuit::new();
            let mut now = Duration::ZERO;
            let mut probing = false;
            for (step, passed) in steps {
                now += seconds(passed);
                match step {
                    0 => circuit.answered(),
                    1 => circuit.failed(now, probing),
                    2 => circuit.given_up(now),
                    _ => {
                        let before = circuit.state;
                        let admitted = circuit.admit(now).is_ok();
                        prop_assert!(before != CircuitState::HalfOpen || !admitted);
                    }
                }
                probing = circuit.state == CircuitState::HalfOpen;
                if circuit.state == CircuitState::Open {
                    prop_assert!(circuit.probe_at <= now + PAUSE.ceiling(u32::MAX));
                    prop_assert!(circuit.clone().admit(now + PAUSE.ceiling(u32::MAX)).is_ok());
                }
            }
        }
    }
}
