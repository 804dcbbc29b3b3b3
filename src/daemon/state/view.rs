//! The state as the status page and the probes see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::shell::State;
use super::timelines::RankedTimeline;
use super::transitions::Rank;
use crate::http::{
    DaemonStatus, GridEntry, JobEntry, JobGroup, JobPage, JobQuery, PipelineEntry, ProjectStatus,
    Readiness, RefPipelines, RefStatus, ScheduleEntry, SelfReport, select,
};
use ci_history::TimelineKey;

/// What is shown is called old after so many missed polls of a quiet project ..
const LONG_MISSED: u32 = 3;

/// .. and not before this time.
const OLD: Duration = Duration::from_mins(15);

impl DaemonStatus for State {
    fn readiness(&self) -> Readiness {
        let inner = self.lock();
        let progress = || self.progress(&inner);
        inner.health.readiness(progress)
    }

    fn loaded(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.first_load.cancelled())
    }

    fn shows_logs(&self) -> bool {
        self.policy.shows_logs
    }

    fn staleness(&self) -> Option<String> {
        let inner = self.lock();
        if !inner.health.any_polled() {
            return None;
        }
        // Where nothing is watched nothing is old.
        inner.projects.watched().next()?;
        let newest = inner.health.newest_poll()?;
        let rely_on_hooks = inner.projects.all_rely_on_hooks();
        drop(inner);
        let age = self.clock.local_now().unix() - newest.unix();
        let mut usual = (LONG_MISSED * self.policy.idle_interval).max(OLD);
        if rely_on_hooks {
            usual = usual.max(self.policy.hooked_interval + OLD);
        }
        let is_cut_off = !self.telemetry().circuit_is_closed();
        let is_old = u64::try_from(age).is_ok_and(|age| age > usual.as_secs());
        let words = if is_cut_off {
            "GitLab keeps failing"
        } else if is_old {
            "no project could be polled"
        } else {
            return None;
        };
        Some(format!(
            "{words}; what is shown is of {age} s ago and older"
        ))
    }

    fn self_report(&self) -> SelfReport {
        self.self_report_of_state()
    }

    fn projects(&self) -> Vec<ProjectStatus> {
        let inner = self.lock();
        let watched = inner.projects.watched().map(|facts| {
            let polls = self.exposition.project(&facts.path);
            ProjectStatus {
                path: facts.path.clone(),
                url: facts.web_url.clone(),
                last_successful_poll: polls.as_ref().and_then(|polls| polls.last_success),
                error: inner.health.failure(&facts.path).map(str::to_owned),
                failed_polls: polls.map_or(0, |polls| polls.all_errors()),
                default_branch: facts.default_branch.clone(),
            }
        });
        let mut projects: BTreeMap<Arc<str>, _> = watched
            .map(|project| (project.path.clone(), project))
            .collect();
        let unwatched = |path: &str, error: &str| ProjectStatus {
            path: path.into(),
            error: Some(error.to_owned()),
            ..ProjectStatus::default()
        };
        // Names of the configuration that were not found.
        for (name, message) in inner.health.failures() {
            let new = || unwatched(name, message);
            projects.entry(name.into()).or_insert_with(new);
        }
        for (path, problem) in inner.health.problems() {
            let new = || unwatched(path, problem.advice());
            let project = projects.entry(path.clone()).or_insert_with(new);
            project
                .error
                .get_or_insert_with(|| problem.advice().to_owned());
        }
        projects.into_values().collect()
    }

    fn refs(&self) -> Vec<RefStatus> {
        let timelines = self.lock().timelines.visible().into_iter();
        let refs = timelines.map(|timeline| {
            let failing = timeline.jobs.ranks().iter();
            let failing = failing.filter(|rank| rank.facts.consecutive_failures() > 0);
            RefStatus {
                project: timeline.project,
                failing_jobs: failing.count(),
                jobs: timeline.jobs.ranks().len(),
                ref_name: timeline.key.ref_name,
                track: timeline.key.track,
                failed_pipelines: timeline.pipelines.consecutive_failures,
                red_since: timeline.pipelines.failing_since,
                last_pipeline: timeline.pipelines.last_execution,
            }
        });
        refs.collect()
    }

    fn schedules(&self) -> Vec<ScheduleEntry> {
        let projects = self.watched_projects().into_iter();
        let schedules = projects.flat_map(|facts| {
            let rows = self.exposition.schedules(&facts.path);
            let entries = rows.iter().map(|row| ScheduleEntry {
                project: facts.path.clone(),
                project_url: facts.web_url.clone(),
                row: row.clone(),
            });
            entries.collect::<Vec<_>>()
        });
        schedules.collect()
    }

    fn grid(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
        pipelines: usize,
    ) -> Option<GridEntry> {
        self.grid_of(project, ref_name, track, pipelines)
    }

    fn pipelines(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
    ) -> Option<RefPipelines> {
        self.pipelines_of(project, ref_name, track)
    }

    /// Searches outside the lock, so that neither polling nor scrapes wait for it.
    fn jobs(&self, query: &JobQuery) -> JobPage {
        let timelines = self.lock().timelines.visible();
        let groups = timelines.iter().map(|timeline| {
            let RankedTimeline {
                key, project, jobs, ..
            } = timeline;
            JobGroup {
                project,
                ref_name: &key.ref_name,
                track: key.track.as_deref(),
                jobs: jobs.ranks(),
                names: jobs.names(),
                item: key,
            }
        });
        let groups: Vec<_> = groups.collect();
        let selected = select(&groups, query);
        selected.look_up(|(key, rank)| self.listed_entry(key, rank))
    }

    fn job(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
        job: &str,
    ) -> Option<JobEntry> {
        let inner = self.lock();
        let tracks = inner.timelines.visible_tracks(project, ref_name, track);
        drop(inner);
        let mut entries = tracks.iter().filter_map(|key| self.shown_entry(key, job));
        entries.find(|entry| entry.row.figures.is_worth_showing())
    }

    /// Looks into one timeline after the other, so that the lock is never held for long.
    fn pipeline(&self, project: &str, id: u64) -> Option<PipelineEntry> {
        let keys = self.lock().timelines.visible_of(project);
        let holder = keys.iter().find(|key| {
            let inner = self.lock();
            let timeline = inner.timelines.get_visible(key);
            timeline.is_some_and(|timeline| timeline.keeps(id))
        });
        // A job that seldom runs keeps pipelines that the ref no longer does.
        let mut candidates = holder.map_or(&keys[..], std::slice::from_ref).iter();
        candidates.find_map(|key| self.pipeline_entry(key, id))
    }
}

impl State {
    /// An entry as everybody may see it who reaches the pages.
    fn shown_entry(&self, key: &TimelineKey, job: &str) -> Option<JobEntry> {
        self.entry(key, job).map(|entry| self.shown(entry))
    }

    /// The same for a job that was selected. Its team is known.
    fn listed_entry(&self, key: &TimelineKey, rank: &Rank) -> Option<JobEntry> {
        let team = rank.team.clone();
        let entry = self.entry_without_team(key, &rank.name)?;
        Some(self.shown(JobEntry { team, ..entry }))
    }

    fn shown(&self, mut entry: JobEntry) -> JobEntry {
        if !self.policy.shows_logs
            && let Some(failing) = &mut entry.row.figures.failing
        {
            failing.excerpt = None;
        }
        entry
    }

    fn pipeline_entry(&self, key: &TimelineKey, id: u64) -> Option<PipelineEntry> {
        let inner = self.lock();
        let timeline = inner.timelines.get_visible(key)?;
        let mut row = timeline.pipeline_row(id, &self.policy.rules)?;
        (row.jobs).retain(|job| !inner.timelines.is_unwatched(key, &job.job_name));
        Some(PipelineEntry {
            project: timeline.project.clone(),
            project_url: timeline.project_url.clone(),
            ref_name: key.ref_name.clone(),
            track: key.track.clone(),
            row,
        })
    }

    pub(super) fn entry(&self, key: &TimelineKey, job: &str) -> Option<JobEntry> {
        let entry = self.entry_without_team(key, job)?;
        let file = self.owners_cache.of(key.project_id);
        let owners = &self.policy.owners;
        let team = owners.team(&entry.project, job, file.as_deref()).cloned();
        Some(JobEntry { team, ..entry })
    }

    fn entry_without_team(&self, key: &TimelineKey, job: &str) -> Option<JobEntry> {
        let inner = self.lock();
        let timeline = inner.timelines.get_visible(key)?;
        if inner.timelines.is_unwatched(key, job) {
            return None;
        }
        Some(JobEntry {
            project: timeline.project.clone(),
            project_url: timeline.project_url.clone(),
            ref_name: key.ref_name.clone(),
            track: key.track.clone(),
            team: None,
            row: timeline.row(job, &self.policy.rules)?,
        })
    }
}
