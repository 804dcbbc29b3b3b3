//! When each project is polled: one task per project, few cycles at a time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::cursor::PollCursor;
use super::cycle::CycleError;
use super::debounce::Debounce;
use super::discovery::{Catalog, Discovery};
use super::hints::Calls;
use super::pace::Pace;
use super::poller::Poller;
use super::span::project_span;
use super::strangers::Strangers;
use super::sweep::{Seat, Sweeps, Swept};
use super::timetable::Timetable;
use crate::gitlab::Project;

/// Time between two discoveries.
const DISCOVERY_INTERVAL: Duration = Duration::from_mins(10);

/// Cycles under way at a time. So many that some projects that hang do not hold up the others; the rate of
/// requests is bounded elsewhere.
const CONCURRENT_CYCLES: usize = 32;

/// Sweeps that a project waits for, besides its usual wait, before it is listed by itself.
const SWEEPS_AWAITED: u32 = 2;

/// The least of that: a sweep takes its time, too.
const SHORTEST_AWAITED: Duration = Duration::from_secs(10);

/// Time that a doubtful pipeline waits at least. The ages of pipelines are whole seconds.
const SHORTEST_RECHECK: Duration = Duration::from_millis(200);

/// Held by a project of the first discovery until it was polled or is dropped.
type Untried = mpsc::Sender<Infallible>;

/// Whether each project of the first discovery was polled.
struct FirstRound {
    /// Until the first discovery has brought its projects.
    untried: Option<Untried>,
    all_tried: mpsc::Receiver<Infallible>,
    is_over: bool,
}

impl FirstRound {
    fn new() -> Self {
        let (untried, all_tried) = mpsc::channel(1);
        Self {
            untried: Some(untried),
            all_tried,
            is_over: false,
        }
    }

    /// Returns once, when nobody holds an [`Untried`].
    async fn ended(&mut self) {
        self.all_tried.recv().await;
        self.is_over = true;
    }
}

/// A project that is polled.
struct PolledProject {
    facts: watch::Sender<Project>,
    stop: CancellationToken,
}

impl Poller {
    /// Discovers projects, starts and stops the polling of each, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let permits = Semaphore::new(CONCURRENT_CYCLES);
        let mut polled: BTreeMap<u64, PolledProject> = BTreeMap::new();
        let mut polling = FuturesUnordered::new();
        let mut first_round = FirstRound::new();
        let catalog = Catalog::of_former(self.events.former_projects(), &self.reader.watch);
        let sweeps = Sweeps::default();
        let report = |report| self.events.swept(report);
        let mut sweeping = Box::pin(self.reader.sweep(&sweeps, self.api, report));
        let mut discovery = Box::pin(self.discover_after(Duration::ZERO, catalog));
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                (catalog, found) = &mut discovery => {
                    let Discovery { projects, groups, complete, lost, .. } = found;
                    let is_settled = complete && !catalog.has_refused();
                    let wait = if is_settled { DISCOVERY_INTERVAL } else { self.reader.watch.interval };
                    discovery.set(self.discover_after(wait, catalog));
                    self.drop_missing(&mut polled, &projects, complete);
                    for (project, problem) in &lost {
                        self.events.project_lost(project, *problem);
                    }
                    if projects.is_empty() && !complete {
                        continue;
                    }
                    let untried = first_round.untried.take();
                    for (id, project) in projects {
                        self.events.watched(&project, groups.get(&id));
                        if let Some(known) = polled.get(&id) {
                            known.facts.send_replace(project);
                            continue;
                        }
                        let (facts, receiver) = watch::channel(project);
                        let stop = stop.child_token();
                        let seat = sweeps.seat(id);
                        let task = ProjectTask::new(&self, &permits, receiver, seat);
                        polling.push(task.run(stop.clone(), untried.clone()));
                        polled.insert(id, PolledProject { facts, stop });
                    }
                }
                () = first_round.ended(), if !first_round.is_over => {
                    self.events.first_round_ended();
                }
                Some(()) = polling.next(), if !polling.is_empty() => {}
                never = &mut sweeping => match never {},
            }
        }
    }

    async fn discover_after(&self, wait: Duration, mut catalog: Catalog) -> (Catalog, Discovery) {
        sleep(wait).await;
        let found = self.reader.discover_again(&mut catalog).await;
        for (name, error) in &found.failures {
            project_span(name).in_scope(|| self.events.poll_failed(name, error));
        }
        (catalog, found)
    }

    /// Stops the polling of projects that were not found.
    fn drop_missing(
        &self,
        polled: &mut BTreeMap<u64, PolledProject>,
        projects: &BTreeMap<u64, Project>,
        complete: bool,
    ) {
        polled.retain(|id, project| {
            let stays = projects.contains_key(id);
            if !stays {
                project.stop.cancel();
            }
            stays
        });
        self.events.watched_are(projects, complete);
    }
}

/// The polling of one project.
struct ProjectTask<'a> {
    poller: &'a Poller,
    permits: &'a Semaphore,
    facts: watch::Receiver<Project>,
    cursor: PollCursor,
    strangers: Strangers,
    timetable: Timetable,
    pace: Pace,
    seat: Seat,
}

impl<'a> ProjectTask<'a> {
    fn new(
        poller: &'a Poller,
        permits: &'a Semaphore,
        facts: watch::Receiver<Project>,
        seat: Seat,
    ) -> Self {
        let mut resume = poller.events.resume(&facts.borrow());
        let schedules = std::mem::take(&mut resume.schedules);
        Self {
            poller,
            permits,
            facts,
            cursor: PollCursor::new(resume, poller.reader.observations.gitlab_now()),
            strangers: Strangers::new(),
            timetable: Timetable::restored(schedules),
            pace: Pace::new(),
            seat,
        }
    }

    async fn run(mut self, stop: CancellationToken, mut untried: Option<Untried>) {
        let watch = &self.poller.reader.watch;
        let calls = self.poller.waker.of(self.facts.borrow().id);
        let mut debounce = Debounce::new(watch.interval);
        let mut default_branch = self.facts.borrow().default_branch.clone();
        let mut swept = None;
        loop {
            let project = self.facts.borrow().clone();
            if default_branch != project.default_branch {
                let former = default_branch.take();
                default_branch.clone_from(&project.default_branch);
                let is_watched =
                    |ref_name: &str| watch.refs.matches(ref_name, default_branch.as_deref());
                if let (Some(from), Some(to)) = (former, &default_branch)
                    && !is_watched(&from)
                    && is_watched(to)
                {
                    self.cursor.rename_ref(&from, to);
                }
                self.cursor.rescope(is_watched);
            }
            let span = project_span(&project.path);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.cycle(&project, swept.take()).instrument(span) => {}
            }
            drop(untried.take());
            let mut wait = self.pace.wait(watch, calls.are_usual());
            if self.seat.is_answered() {
                wait += SHORTEST_AWAITED.max(watch.interval * SWEEPS_AWAITED);
            }
            let next = Instant::now() + wait;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                told = self.until_next_cycle(next, &calls, &mut debounce) => swept = told,
            }
        }
    }

    async fn cycle(&mut self, project: &Project, swept: Option<Swept>) {
        let observations = &self.poller.reader.observations;
        let began = observations.gitlab_now();
        let outcome = self.read_all(project, swept.clone()).await;
        let now = observations.gitlab_now();
        let is_general = outcome.as_ref().is_err_and(|failed| failed.is_general);
        let takes_part = !is_general && self.cursor.updated_after().is_some();
        self.seat.read(swept.as_ref(), began, takes_part);
        self.pace.note(&outcome, self.cursor.is_active(now));
        let events = &self.poller.events;
        match &outcome {
            Ok(()) => events.polled(project, self.cursor.watermark()),
            Err(failed) => events.poll_failed(&project.path, &failed.error),
        }
    }

    async fn read_all(
        &mut self,
        project: &Project,
        swept: Option<Swept>,
    ) -> Result<(), CycleError> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await.ok();
        self.poller.cycle(project, &mut self.cursor, swept).await?;
        self.poller
            .read_schedules(project, &mut self.timetable)
            .await;
        Ok(())
    }

    /// Waits for the time of the next cycle, or for a sweep or a webhook that asks for one. Meanwhile reads what
    /// webhooks tell of, and what was doubtful. Returns what a sweep told.
    async fn until_next_cycle(
        &mut self,
        next: Instant,
        calls: &Calls,
        debounce: &mut Debounce,
    ) -> Option<Swept> {
        if self.pace.backs_off() {
            sleep_until(next).await;
            return None;
        }
        loop {
            let now = self.poller.reader.observations.gitlab_now();
            let recheck = self.cursor.doubtful_in(now).and_then(|seconds| {
                let wait = Duration::from_secs(u64::try_from(seconds).ok()?);
                Instant::now().checked_add(wait.max(SHORTEST_RECHECK))
            });
            let recheck = recheck.filter(|at| *at < next);
            let wanted = tokio::select! {
                biased;
                swept = self.seat.answered() => return Some(swept),
                () = sleep_until(recheck.unwrap_or(next)) => None,
                wanted = calls.wanted(debounce) => Some(wanted),
            };
            let project = self.facts.borrow().clone();
            let span = project_span(&project.path);
            match wanted {
                None if recheck.is_none() => return None,
                None => {
                    let reading = self.poller.read_doubtful(&project, &mut self.cursor);
                    reading.instrument(span).await;
                }
                Some(hinted) => {
                    let _permit = self.permits.acquire().await.ok();
                    let (cursor, strangers) = (&mut self.cursor, &mut self.strangers);
                    let reading = self.poller.read_hinted(&project, cursor, strangers, hinted);
                    if !reading.instrument(span).await {
                        return None;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_first_round_ends_when_each_of_its_projects_was_tried_or_dropped() {
        let mut round = FirstRound::new();
        let untried = round.untried.take();
        let (tried, dropped) = (untried.clone(), untried);
        drop(tried);
        assert_eq!(round.ended().now_or_never(), None);
        drop(dropped);
        assert_eq!(round.ended().now_or_never(), Some(()));
        assert!(round.is_over);
    }
}
