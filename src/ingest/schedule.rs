//! When each project is polled: one task per project, few cycles at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::cycle::Past;
use super::demand::Demand;
use super::discovery::{Catalog, Discovery};
use super::events::SweepReport;
use super::first_round::FirstRound;
use super::intervals::DISCOVERY_INTERVAL;
use super::looks::LookedAt;
use super::needed_rate::{NeededRate, USUAL_ACTIVE_SHARE};
use super::poller::Poller;
use super::project_task::ProjectTask;
use super::seats::Sweeps;
use super::span::discovery_span;
use super::turns::Turns;
use crate::config::Api;
use crate::gitlab::Project;

/// With fewer projects at the start, each is read to the end at once.
const FEWEST_TO_PUT_OFF: usize = 10;

/// How often the progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is told how many requests are needed.
const NEED_INTERVAL: Duration = Duration::from_secs(10);

/// A project that is polled.
struct PolledProject {
    facts: watch::Sender<Project>,
    stop: CancellationToken,
}

impl Poller {
    /// Discovers projects, starts and stops the polling of each, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut first_round = FirstRound::new();
        let turns = Turns::new(first_round.round.clone());
        let mut polled: BTreeMap<u64, PolledProject> = BTreeMap::new();
        let mut polling = FuturesUnordered::new();
        let mut looking = FuturesUnordered::new();
        let mut progress = interval(PROGRESS_INTERVAL);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let catalog = Catalog::of_former(self.events.former_projects(), &self.reader.watch);
        let sweeps = Sweeps::default();
        let demand = Demand::default();
        let mut need = interval(NEED_INTERVAL);
        need.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let report = |report: SweepReport| {
            let requests = report.requests + self.reader.details.take_requests();
            demand.swept(requests, self.reader.watch.interval);
            if report.asked > 0 {
                self.events.swept(report);
            }
        };
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
                    let mut untried = first_round.begin(projects.len());
                    let past = if untried.len() < FEWEST_TO_PUT_OFF { Past::Read } else { Past::PutOff };
                    let mut to_look_at = Vec::new();
                    for (id, project) in projects {
                        self.events.watched(&project, groups.get(&id));
                        if let Some(known) = polled.get(&id) {
                            known.facts.send_replace(project);
                            continue;
                        }
                        let (facts, receiver) = watch::channel(project);
                        let stop = stop.child_token();
                        let task = ProjectTask::new(&self, &turns, receiver, sweeps.seat(id), demand.of(id), past);
                        let mut task = Box::new(task);
                        let branch = task.branch_to_look_at();
                        if let Some(branch) = branch.filter(|_| self.api != Api::Rest) {
                            let (answer, look) = oneshot::channel();
                            task.awaits(look);
                            to_look_at.push(LookedAt { project: id, branch, answer });
                        }
                        polling.push(task.run(stop.clone(), untried.pop()));
                        polled.insert(id, PolledProject { facts, stop });
                    }
                    sweeps.begin();
                    looking.push(self.reader.look_at(to_look_at));
                }
                () = first_round.ended(), if !turns.round.is_over() => {
                    self.events.progressed(turns.round.progress());
                    self.events.first_round_ended();
                }
                Some(()) = polling.next(), if !polling.is_empty() => {}
                Some(()) = looking.next(), if !looking.is_empty() => {}
                _ = progress.tick() => self.events.progressed(turns.round.progress()),
                _ = need.tick(), if !polled.is_empty() => self.events.needs(self.needed(&demand, polled.len())),
                never = &mut sweeping => match never {},
            }
        }
    }

    /// Requests a second that polling so many projects needs: as measured, and as estimated for those that were not yet.
    fn needed(&self, demand: &Demand, projects: usize) -> f64 {
        let (measured, of_projects) = demand.measured();
        let watch = &self.reader.watch;
        let estimated = NeededRate::estimated(watch, self.api, projects, USUAL_ACTIVE_SHARE);
        if of_projects == 0 {
            return estimated.per_second();
        }
        let share = projects.saturating_sub(of_projects) as f64 / projects as f64;
        let discovery = NeededRate::of_discovery(watch, projects);
        let of_others = estimated.per_second() - discovery;
        measured + of_others * share + discovery
    }

    async fn discover_after(&self, wait: Duration, mut catalog: Catalog) -> (Catalog, Discovery) {
        sleep(wait).await;
        let found = self.reader.discover_again(&mut catalog).await;
        for (name, error) in &found.failures {
            discovery_span(name).in_scope(|| self.events.poll_failed(name, error));
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
