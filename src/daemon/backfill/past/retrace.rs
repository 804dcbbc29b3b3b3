//! Counts the pipelines of a project again in the order in which things happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ci_history::{
    Changes, JobObservation, PipelineObservation, PipelineRecord, Rules, Timeline, TimelineKey,
    TimelineRows, Timestamp,
};

use super::grid::Grid;
use super::runs::SeriesGroup;
use crate::config::Owners;
use crate::metrics::{Kind, past_families, samples_of_jobs, samples_of_pipelines};

/// How long the counters of a gone job are exposed.
const GONE_FOR: i64 = 24 * 60 * 60;

/// What all projects share.
#[derive(Debug)]
pub(in crate::daemon::backfill) struct Settings {
    pub(super) grid: Grid,
    pub(super) rules: Rules,
    pub(super) owners: Owners,
    /// A ref without activity for so long is not exposed.
    pub(super) retention: Duration,
}

/// A project while its pipelines are read, the oldest first.
#[derive(Debug)]
pub(in crate::daemon::backfill) struct ProjectPast {
    settings: Arc<Settings>,
    timelines: BTreeMap<TimelineKey, TimelinePast>,
    /// Pipelines of which something is still to happen.
    open: BTreeMap<u64, OpenPipeline>,
    /// When something happens, by step.
    due: BTreeMap<i64, BTreeSet<u64>>,
    /// Everything up to this step has happened.
    done: i64,
}

#[derive(Debug)]
struct OpenPipeline {
    key: TimelineKey,
    record: PipelineRecord,
    /// After this step nothing happens to it.
    last: i64,
}

/// A timeline as it was counted, and what it would have exposed.
#[derive(Debug)]
pub(in crate::daemon::backfill) struct TimelinePast {
    pub(in crate::daemon::backfill) timeline: Timeline,
    pub(super) pipelines: SeriesGroup,
    pub(super) jobs: BTreeMap<Arc<str>, SeriesGroup>,
}

impl ProjectPast {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            timelines: BTreeMap::new(),
            open: BTreeMap::new(),
            due: BTreeMap::new(),
            done: i64::MIN,
        }
    }

    /// Adds a pipeline. A later one must not have been created before.
    pub(in crate::daemon::backfill) fn add(
        &mut self,
        new: Timeline,
        pipeline: PipelineObservation,
        jobs: Vec<JobObservation>,
        read_at: Timestamp,
    ) {
        let (id, key) = (pipeline.id, new.key.clone());
        let record = PipelineRecord::new(pipeline, jobs);
        let mut moments = record.moments();
        if moments.is_empty() {
            moments.push(read_at);
        }
        let grid = self.settings.grid;
        let mut steps: Vec<i64> = moments.into_iter().map(|at| grid.at_or_after(at)).collect();
        if let Some(first) = steps.first() {
            self.advance(first.saturating_sub(1));
        }
        let earliest = self.done.saturating_add(1);
        for step in &mut steps {
            *step = (*step).max(earliest);
        }
        let last = steps.iter().copied().max().unwrap_or(earliest);
        for step in steps {
            self.due.entry(step).or_default().insert(id);
        }
        let past = || TimelinePast {
            timeline: new,
            pipelines: SeriesGroup::default(),
            jobs: BTreeMap::new(),
        };
        self.timelines.entry(key.clone()).or_insert_with(past);
        self.open.insert(id, OpenPipeline { key, record, last });
    }

    /// Lets everything happen up to this step.
    fn advance(&mut self, through: i64) {
        while let Some((step, ids)) = self.due.pop_first() {
            if step > through {
                self.due.insert(step, ids);
                break;
            }
            self.happen(step, &ids);
        }
        self.done = self.done.max(through);
    }

    fn happen(&mut self, step: i64, ids: &BTreeSet<u64>) {
        let settings = self.settings.clone();
        let now = settings.grid.time(step);
        let mut changed: BTreeMap<TimelineKey, Changes> = BTreeMap::new();
        for id in ids {
            let Some(open) = self.open.get(id) else {
                continue;
            };
            let past = self.timelines.get_mut(&open.key);
            if let Some((past, (pipeline, jobs))) = past.zip(open.record.at(now)) {
                let timeline = &mut past.timeline;
                let changes = timeline.observe(&pipeline, &jobs, &settings.rules, now);
                let all = changed.entry(open.key.clone()).or_default();
                all.jobs.extend(changes.jobs);
                all.pipelines |= changes.pipelines;
            }
            if open.last <= step {
                self.open.remove(id);
            }
        }
        for (key, changes) in changed {
            if let Some(past) = self.timelines.get_mut(&key) {
                past.note(step, &changes, &settings);
            }
        }
    }

    /// Lets the rest happen; returns the timelines of all refs.
    pub(in crate::daemon::backfill) fn end(mut self) -> BTreeMap<TimelineKey, TimelinePast> {
        self.advance(i64::MAX);
        let Settings {
            grid, retention, ..
        } = &*self.settings;
        let retention = i64::try_from(retention.as_secs()).unwrap_or(i64::MAX);
        for past in self.timelines.values_mut() {
            let active = past.timeline.last_activity();
            let expires =
                active.and_then(|at| Timestamp::from_unix(at.unix().saturating_add(retention)));
            let last = expires
                .map_or(i64::MAX, |at| grid.at_or_after(at))
                .min(grid.last());
            let groups = past.jobs.values_mut();
            groups
                .chain([&mut past.pipelines])
                .for_each(|group| group.close(last));
        }
        self.timelines
    }
}

impl TimelinePast {
    /// Notes what is exposed after changes. What happened before the first step shows at the first step.
    fn note(&mut self, step: i64, changes: &Changes, settings: &Settings) {
        let Settings {
            grid,
            rules,
            owners,
            ..
        } = settings;
        let step = step.max(grid.first());
        if step > grid.last() {
            return;
        }
        // Pipelines that end can make any job absent.
        let rows = if changes.pipelines {
            self.timeline.rows(rules)
        } else {
            self.rows_of(&changes.jobs, rules)
        };
        if changes.pipelines {
            self.pipelines.set(step, samples_of_pipelines(&rows), None);
        }
        let owners = owners.of_project(&rows.project, None);
        let team = |_: &str, job: &str| owners.team(job).cloned();
        for (row, samples) in samples_of_jobs(&rows, &team) {
            let gone = row.figures.gone_since;
            let gone = gone.and_then(|at| Timestamp::from_unix(at.unix().saturating_add(GONE_FOR)));
            let ends = gone.map(|at| grid.at_or_after(at) - 1);
            let group = self.jobs.entry(row.name.clone()).or_default();
            group.set(step, samples, ends);
        }
    }

    fn rows_of(&self, jobs: &BTreeSet<Arc<str>>, rules: &Rules) -> TimelineRows {
        let timeline = &self.timeline;
        let rows = jobs.iter().filter_map(|name| timeline.row(name, rules));
        TimelineRows {
            project_id: timeline.key.project_id,
            project: timeline.project.clone(),
            project_url: timeline.project_url.clone(),
            ref_name: timeline.key.ref_name.clone(),
            track: timeline.key.track.clone(),
            pipelines: ci_history::Figures::default(),
            jobs: rows.collect(),
        }
    }

    /// Lets the counters end with those of the saved timeline, with which the exporter goes on.
    pub(in crate::daemon::backfill) fn join(&mut self, saved: &Timeline, rules: &Rules) {
        let rows = saved.rows(rules);
        let mut last: BTreeMap<(usize, String), f64> = BTreeMap::new();
        let jobs = samples_of_jobs(&rows, &|_, _| None);
        let of_jobs = jobs.into_iter().flat_map(|(_, samples)| samples);
        for sample in of_jobs.chain(samples_of_pipelines(&rows)) {
            if past_families()[sample.family].kind == Kind::Counter {
                last.insert((sample.family, sample.series), sample.value);
            }
        }
        let groups = self.jobs.values_mut();
        for group in groups.chain([&mut self.pipelines]) {
            group.shift(|(family, series)| last.get(&(*family, series.to_string())).copied());
        }
    }

    /// The series of the jobs and of the pipelines.
    pub(super) fn groups(&self) -> impl Iterator<Item = &SeriesGroup> {
        self.jobs.values().chain([&self.pipelines])
    }
}
