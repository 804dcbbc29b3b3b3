//! Requests a second that polling asks for, measured: the requests about each project over the time in which they were due,
//! and not over the time that they took. So it says what is needed also where less is allowed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Earlier cycles count ever less. After so long they count for a third.
const MEMORY: Duration = Duration::from_mins(15);

/// What the polling of all projects asks for. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Demand(Arc<Mutex<Rates>>);

#[derive(Default)]
struct Rates {
    /// Requests a second of the projects that were measured.
    projects: BTreeMap<u64, f64>,
    sweeps: f64,
}

/// Measures one project. Forgets it when dropped.
pub(super) struct ProjectDemand {
    demand: Demand,
    project: u64,
    /// Requests so far, and the time, at the end of the last cycle.
    last: Option<(u64, Instant)>,
    /// Time from then on after which the next cycle is due.
    due_after: Duration,
    requests: f64,
    seconds: f64,
}

impl Demand {
    pub(super) fn of(&self, project: u64) -> ProjectDemand {
        ProjectDemand {
            demand: self.clone(),
            project,
            last: None,
            due_after: Duration::ZERO,
            requests: 0.0,
            seconds: 0.0,
        }
    }

    /// A sweep took so many requests, with those for the jobs of several projects since the last one, and one is due in every `interval`.
    pub(super) fn swept(&self, requests: usize, interval: Duration) {
        self.rates().sweeps = requests as f64 / interval.as_secs_f64();
    }

    /// Requests a second of what was measured, and the number of projects that were.
    pub(super) fn measured(&self) -> (f64, usize) {
        let rates = self.rates();
        let of_projects: f64 = rates.projects.values().sum();
        (of_projects + rates.sweeps, rates.projects.len())
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProjectDemand {
    /// A cycle has ended, after so many requests since the start, and the next is due after this time. `is_usual`: what was read since the last one is what polling
    /// reads all the time, and not a past that is read once.
    pub(super) fn cycle_ended(&mut self, sent: u64, due_after: Duration, is_usual: bool) {
        let now = Instant::now();
        let before = self.last.replace((sent, now)).filter(|_| is_usual);
        let was_due_after = std::mem::replace(&mut self.due_after, due_after);
        let Some((sent_before, at)) = before else {
            return;
        };
        let time = (now - at).min(was_due_after).as_secs_f64();
        let weight = (-time / MEMORY.as_secs_f64()).exp();
        self.requests = self.requests * weight + sent.saturating_sub(sent_before) as f64;
        self.seconds = self.seconds * weight + time;
        if self.seconds > 0.0 {
            let rate = self.requests / self.seconds;
            self.demand.rates().projects.insert(self.project, rate);
        }
    }
}

impl Drop for ProjectDemand {
    fn drop(&mut self) {
        self.demand.rates().projects.remove(&self.project);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn is_about(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() < wanted / 100.0
    }

    #[tokio::test(start_paused = true)]
    async fn requests_count_over_the_time_in_which_they_were_due() {
        let demand = Demand::default();
        let mut quick = demand.of(1);
        let mut slow = demand.of(2);
        for cycle in 0..30 {
            quick.cycle_ended(cycle * 6, MINUTE, true);
            tokio::time::advance(MINUTE).await;
        }
        assert_eq!(demand.measured().1, 1);
        assert!(
            is_about(demand.measured().0, 0.1),
            "{:?}",
            demand.measured()
        );
        // The same, but each cycle takes ten minutes more because too few requests are allowed.
        for cycle in 0..30 {
            slow.cycle_ended(cycle * 6, MINUTE, true);
            tokio::time::advance(11 * MINUTE).await;
        }
        assert!(
            is_about(demand.measured().0, 0.2),
            "{:?}",
            demand.measured()
        );
        demand.swept(20, MINUTE / 2);
        drop(quick);
        assert!(is_about(demand.measured().0, 0.1 + 20.0 / 30.0));
        assert_eq!(demand.measured().1, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cycle_before_its_time_counts_over_the_time_that_passed_and_a_past_not_at_all() {
        let demand = Demand::default();
        let mut project = demand.of(1);
        project.cycle_ended(500, MINUTE, false);
        tokio::time::advance(MINUTE).await;
        project.cycle_ended(9_000, MINUTE, false);
        assert_eq!(demand.measured(), (0.0, 0));
        tokio::time::advance(MINUTE / 2).await;
        project.cycle_ended(9_003, MINUTE, true);
        assert!(
            is_about(demand.measured().0, 0.1),
            "{:?}",
            demand.measured()
        );
        // What was asked often an hour ago is not asked for any more.
        for _ in 0..60 {
            tokio::time::advance(MINUTE).await;
            project.cycle_ended(9_003, MINUTE, true);
        }
        assert!(demand.measured().0 < 0.003, "{:?}", demand.measured());
    }
}
