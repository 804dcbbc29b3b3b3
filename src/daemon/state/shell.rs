//! The lock around the parts of the state. Renders, exposes and logs what they ask for.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::effects::{Effects, RenderRequest};
use super::health::Health;
use super::memories::Memories;
use super::projects::Projects;
use super::ranked_jobs::Teams;
use super::sights::Sights;
use super::timelines::Timelines;
use crate::daemon::gitlab_clock::GitLabClock;
use crate::daemon::log_queue::LogQueue;
use crate::daemon::owners_cache::OwnersCache;
use crate::daemon::policy::Policy;
use crate::daemon::report_sources::ReportSources;
use crate::gitlab::Project;
use crate::gitlab::webhook::HookProject;
use crate::metrics::{Exposition, RenderedTimeline, Telemetry};
use ci_history::duration;
use ci_history::{TimelineKey, Timestamp};
use tokio_util::sync::CancellationToken;

/// The only owner of the state.
pub(in crate::daemon) struct State {
    pub(in crate::daemon) policy: Policy,
    pub(in crate::daemon) exposition: Exposition,
    pub(in crate::daemon) log_queue: LogQueue,
    pub(in crate::daemon) owners_cache: OwnersCache,
    pub(in crate::daemon) clock: Arc<GitLabClock>,
    /// Cancelled once the saved state was read, or could not be at the first try.
    pub(super) first_load: CancellationToken,
    pub(super) started: Timestamp,
    pub(super) report_sources: OnceLock<ReportSources>,
    inner: Mutex<Inner>,
}

/// What the lock guards.
pub(super) struct Inner {
    pub(super) projects: Projects,
    pub(super) timelines: Timelines,
    pub(super) health: Health,
    pub(super) memories: Memories,
    pub(super) sights: Sights,
}

impl State {
    pub(in crate::daemon) fn new(
        policy: Policy,
        exposition: Exposition,
        clock: Arc<GitLabClock>,
    ) -> Self {
        let inner = Inner {
            projects: Projects::default(),
            timelines: Timelines::new(&policy),
            health: Health::default(),
            memories: Memories::default(),
            sights: Sights::default(),
        };
        Self {
            policy,
            exposition,
            log_queue: LogQueue::default(),
            owners_cache: OwnersCache::default(),
            first_load: CancellationToken::new(),
            started: clock.local_now(),
            clock,
            report_sources: OnceLock::new(),
            inner: Mutex::new(inner),
        }
    }

    pub(in crate::daemon) fn telemetry(&self) -> &Telemetry {
        self.exposition.telemetry()
    }

    pub(in crate::daemon) fn watched_projects(&self) -> Vec<Project> {
        self.lock().projects.watched().cloned().collect()
    }

    /// The watched project that a webhook names.
    pub(in crate::daemon) fn project_of_hook(&self, project: &HookProject) -> Option<Project> {
        self.lock().projects.of_hook(project).cloned()
    }

    /// Renders a project once more: its owners may have changed.
    pub(in crate::daemon) fn render_again(&self, project_id: u64) {
        let keys = self.lock().timelines.render_again(project_id);
        self.publish(keys);
    }

    /// The first try to read the saved state has ended: scrapes need not wait for it any longer.
    pub(in crate::daemon) fn first_load_ended(&self) {
        self.first_load.cancel();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what a change asks for. Not to be called while the lock is held.
    pub(super) fn apply(&self, effects: Effects) {
        for expired in &effects.expired {
            let retention = duration::format(self.policy.retention);
            let (project, ref_name) = (&*expired.project, &*expired.ref_name);
            let track = expired.track.as_deref();
            match &expired.jobs {
                None => tracing::info!(
                    project,
                    "ref" = ref_name,
                    track,
                    "no activity on this ref for {retention} (`retention`): dropping its history"
                ),
                Some(jobs) => tracing::info!(
                    project,
                    "ref" = ref_name,
                    track,
                    ?jobs,
                    "no activity of these jobs for {retention} (`retention`): dropping their histories"
                ),
            }
        }
        for (from, to) in &effects.succeeded {
            tracing::info!(
                project_id = from.project_id,
                from = &*from.ref_name,
                to = &*to.ref_name,
                track = to.track.as_deref(),
                "the default branch has another name: its histories go on there"
            );
        }
        // First, so that a streak that goes on under another name is never missing.
        self.publish(effects.render);
        for key in effects.hide {
            let inner = self.lock();
            // It may be visible again meanwhile.
            if inner.timelines.get_visible(&key).is_none() {
                self.exposition.remove(&key);
            }
        }
    }

    /// Renders what changed in a project.
    pub(super) fn publish_project(&self, project_id: u64) {
        let keys = self.lock().timelines.dirty_of(project_id);
        self.publish(keys);
    }

    /// Renders timelines as they are now, one after the other, unless they are hidden or rendered already.
    pub(super) fn publish(&self, keys: Vec<TimelineKey>) {
        for key in keys {
            self.publish_one(&key);
        }
    }

    pub(super) fn publish_one(&self, key: &TimelineKey) {
        let now = self.clock.gitlab_now();
        let request = self.lock().timelines.take_rows(key, now);
        if let Some(request) = request {
            let rendered = self.render(&request);
            self.expose(request, rendered);
        }
    }

    /// Takes long, and no lock.
    pub(super) fn render(&self, request: &RenderRequest) -> Rendering {
        let rows = &request.rows;
        for transition in &request.transitions {
            transition.log(rows);
        }
        let mut is_complete = true;
        if self.policy.read_logs {
            is_complete = self.log_queue.offer(rows.project_id, rows);
            self.telemetry().logs_waiting(self.log_queue.len());
        }
        let file = self.owners_cache.of(rows.project_id);
        let owners = (self.policy.owners).of_project(&rows.project, file.as_deref());
        let shown = rows
            .jobs
            .iter()
            .filter(|row| row.figures.is_worth_showing());
        let teams = shown.map(|row| {
            let team = owners.team(&row.name);
            (row.name.clone(), team.cloned())
        });
        let teams: Teams = teams.collect();
        let team = |_: &str, job: &str| teams.get(job).cloned().flatten();
        Rendering {
            timeline: self.exposition.render(rows, &request.pieces, &team),
            teams,
            is_complete,
        }
    }

    /// Exposes a rendering, unless the timeline was hidden or a newer rendering was begun meanwhile. Under the
    /// lock, so that of two renderings the newer one stays, whichever is done first.
    pub(super) fn expose(&self, request: RenderRequest, rendering: Rendering) {
        let mut inner = self.lock();
        let RenderRequest { key, revision, .. } = request;
        if (inner.timelines).accept(&key, revision, rendering.is_complete, &rendering.teams) {
            self.exposition.show(key, rendering.timeline);
        }
    }
}

/// What came of rendering a timeline.
pub(super) struct Rendering {
    timeline: RenderedTimeline,
    teams: Teams,
    /// Whether every log that was to be read found room in the queue.
    is_complete: bool,
}
