//! When each project is polled: one task a project, few cycles at a time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cursor::Cursor;
use super::cycle::Failure;
use super::discovery::Catalog;
use super::timetable::Timetable;
use super::wake::{Allowance, Asked, Calls};
use super::{CONCURRENT_CYCLES, DISCOVERY_INTERVAL, Ingest};
use crate::base::backoff::Backoff;
use crate::config::Watch;
use crate::gitlab::{ErrorKind, Project};

/// After this time without anything going on, a project is quiet.
const QUIET_AFTER: Duration = Duration::from_mins(15);

/// How often a project without CI/CD is looked at.
const CI_DISABLED: Duration = Duration::from_hours(1);

/// How many intervals a project waits at most while GitLab refuses it.
const LONGEST_REFUSED: u32 = 16;

/// Held for a project of the first discovery until it was tried or is dropped.
type Untried = mpsc::Sender<Infallible>;

/// Whether each project of the first discovery was tried.
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
struct Polled {
    facts: watch::Sender<Project>,
    stop: CancellationToken,
}

/// Discovers projects, starts and stops the polling of each, until `stop`.
pub(super) async fn run(ingest: &Ingest, stop: CancellationToken) {
    let permits = Semaphore::new(CONCURRENT_CYCLES);
    let mut polled: BTreeMap<u64, Polled> = BTreeMap::new();
    let mut polling = FuturesUnordered::new();
    let mut first_round = FirstRound::new();
    let mut discovery = Box::pin(discover_after(ingest, Duration::ZERO, Catalog::default()));
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            (catalog, complete) = &mut discovery => {
                let projects = catalog.projects(ingest.watch.shard);
                let wait = if complete { DISCOVERY_INTERVAL } else { ingest.watch.interval };
                discovery.set(discover_after(ingest, wait, catalog));
                drop_missing(ingest, &mut polled, &projects, complete);
                if projects.is_empty() && !complete {
                    continue;
                }
                let untried = first_round.untried.take();
                for (id, project) in projects {
                    ingest.sink.watched(&project);
                    if let Some(known) = polled.get(&id) {
                        known.facts.send_replace(project);
                        continue;
                    }
                    let (facts, receiver) = watch::channel(project);
                    let stop = stop.child_token();
                    polling.push(poll(ingest, &permits, receiver, stop.clone(), untried.clone()));
                    polled.insert(id, Polled { facts, stop });
                }
            }
            () = first_round.ended(), if !first_round.is_over => ingest.sink.first_round_ended(),
            Some(()) = polling.next(), if !polling.is_empty() => {}
        }
    }
}

async fn discover_after(ingest: &Ingest, wait: Duration, mut catalog: Catalog) -> (Catalog, bool) {
    tokio::time::sleep(wait).await;
    let complete = ingest.discover(&mut catalog).await;
    (catalog, complete)
}

/// Stops the polling of projects that are there no more.
fn drop_missing(
    ingest: &Ingest,
    polled: &mut BTreeMap<u64, Polled>,
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
    ingest.sink.watched_are(projects, complete);
}

/// Polls one project until `stop`.
async fn poll(
    ingest: &Ingest,
    permits: &Semaphore,
    facts: watch::Receiver<Project>,
    stop: CancellationToken,
    mut untried: Option<Untried>,
) {
    let resume = ingest.sink.resume(&facts.borrow());
    let mut cursor = Cursor::new(resume);
    let mut timetable = Timetable::default();
    let mut pace = Pace::new();
    let calls = ingest.waker.of(facts.borrow().id);
    let mut allowance = Allowance::new(ingest.watch.interval);
    let mut default_branch = facts.borrow().default_branch.clone();
    loop {
        let project = facts.borrow().clone();
        if default_branch != project.default_branch {
            default_branch.clone_from(&project.default_branch);
            let default_branch = default_branch.as_deref();
            cursor.rescope(|ref_name| ingest.watch.refs.matches(ref_name, default_branch));
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            outcome = one_cycle(ingest, permits, &project, &mut cursor, &mut timetable) => {
                pace.note(&outcome, cursor.is_active());
                match &outcome {
                    Ok(()) => ingest.sink.polled(&project, cursor.watermark()),
                    Err(failure) => ingest.sink.poll_failed(&project.path, &failure.error),
                }
            }
        }
        drop(untried.take());
        let next = Instant::now() + pace.wait(&ingest.watch, calls.are_usual());
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(next) => {}
            () = woken(ingest, permits, &facts, &mut cursor, &calls, &mut allowance),
                if !pace.backs_off() => {}
        }
    }
}

/// Reads the pipelines that somebody asks for, until a whole cycle is needed before its time.
async fn woken(
    ingest: &Ingest,
    permits: &Semaphore,
    facts: &watch::Receiver<Project>,
    cursor: &mut Cursor,
    calls: &Calls,
    allowance: &mut Allowance,
) {
    loop {
        let Asked::Pipelines(ids) = calls.asked(allowance).await else {
            return;
        };
        let project = facts.borrow().clone();
        let _permit = permits.acquire().await.ok();
        if !ingest.read_open(&project, cursor, &ids).await {
            return;
        }
    }
}

async fn one_cycle(
    ingest: &Ingest,
    permits: &Semaphore,
    project: &Project,
    cursor: &mut Cursor,
    timetable: &mut Timetable,
) -> Result<(), Failure> {
    // The semaphore is never closed.
    let _permit = permits.acquire().await.ok();
    ingest.cycle(project, cursor).await?;
    ingest.look_at_schedules(project, timetable).await;
    Ok(())
}

/// How long to wait between the cycles of a project.
struct Pace {
    last_active: Instant,
    refused: u32,
    ci_disabled: bool,
}

impl Pace {
    fn new() -> Self {
        Self {
            last_active: Instant::now(),
            refused: 0,
            ci_disabled: false,
        }
    }

    fn note(&mut self, outcome: &Result<(), Failure>, active: bool) {
        if active {
            self.last_active = Instant::now();
        }
        let general = outcome.as_ref().err().filter(|failure| failure.is_general);
        let error = general.map(|failure| &failure.error);
        self.ci_disabled = error.is_some_and(|error| matches!(error.kind(), ErrorKind::CiDisabled));
        self.refused = match error {
            Some(error) if !error.is_retryable() => self.refused.saturating_add(1),
            _ => 0,
        };
    }

    /// Whether asking more often than that is in vain, whoever calls.
    fn backs_off(&self) -> bool {
        self.ci_disabled || self.refused > 0
    }

    /// `called`: webhooks tell when something is going on.
    fn wait(&self, watch: &Watch, called: bool) -> Duration {
        if self.ci_disabled {
            return CI_DISABLED.max(watch.idle_interval);
        }
        let quiet_after = if called { watch.interval } else { QUIET_AFTER };
        let quiet = self.last_active.elapsed() >= quiet_after;
        let interval = if quiet {
            watch.idle_interval.max(watch.interval)
        } else {
            watch.interval
        };
        // A little shorter by chance, so that projects do not ask in step.
        let backoff = Backoff::new(interval, interval * LONGEST_REFUSED).with_jitter(0.1);
        backoff.delay(self.refused)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::config::{Config, Overrides};

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

    #[test]
    fn a_project_whose_hooks_come_is_quiet_sooner_and_still_polled() {
        let overrides = Overrides {
            projects: vec!["group/app".to_owned()],
            ..Overrides::default()
        };
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = Config::load(None, &overrides, &|name| env.get(name).cloned()).unwrap();
        let mut pace = Pace::new();
        pace.last_active -= Duration::from_mins(2);
        assert!(pace.wait(&config.watch, false) <= config.watch.interval);
        let wait = pace.wait(&config.watch, true);
        assert!(wait > config.watch.interval && wait <= config.watch.idle_interval);
    }
}
