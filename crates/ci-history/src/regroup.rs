//! Moves histories between the timelines of a ref when tracks are introduced, changed or removed.

use std::collections::{BTreeMap, BTreeSet};

use arcstr::ArcStr;

use super::baseline::{Baseline, ImportedWindow};
use super::execution::Execution;
use super::finished::FinishedPipelines;
use super::history::History;
use super::key::TimelineKey;
use super::timeline::{Job, Timeline};
use super::track::Tracks;
use super::{Outcome, Rules};

impl Timeline {
    /// Splits a saved timeline by the tracks that are configured now. The first part is what remains; a
    /// timeline without pipelines of another track is the only part.
    pub fn place(mut self, tracks: &Tracks, rules: &Rules) -> Vec<Self> {
        let mut key = tracks.current(&self.key);
        let mut by_track: BTreeMap<_, Vec<ArcStr>> = BTreeMap::new();
        if !key.is_tag() {
            for source in self.finished.0.keys() {
                let track = tracks.of_source(Some(source));
                by_track.entry(track).or_default().push(source.clone());
            }
        }
        if by_track.len() == 1 && self.is_of_known_sources() {
            // Also what is no longer kept one by one.
            key.track = by_track.into_keys().next().flatten();
            self.key = key;
            return vec![self];
        }
        let mut parts = Vec::new();
        for (track, sources) in by_track {
            if track != key.track {
                let own = key.clone().with_track(track);
                parts.push(self.extract_sources(&sources, own, rules));
            }
        }
        if !parts.is_empty() {
            self.note_mixed();
        }
        self.key = key;
        let is_left = parts.is_empty() || !self.is_empty();
        is_left.then_some(self).into_iter().chain(parts).collect()
    }

    /// Whether all pipelines are of the sources of the finished ones: those of a track are, and others if every
    /// kept pipeline is among the finished ones, and older ones, too.
    fn is_of_known_sources(&self) -> bool {
        let finished = || self.finished.0.values().flatten().map(|(id, _)| *id);
        let is_finished = |execution: &Execution| finished().any(|id| id == execution.pipeline_id);
        let kept = &self.pipelines.kept;
        let reaches_back = self.pipelines.baseline == Baseline::default()
            || finished().min() < kept.first().map(|oldest| oldest.pipeline_id);
        let is_imported = self
            .jobs
            .values()
            .any(|job| !job.history.imported().is_empty());
        self.key.track.is_some() || (kept.iter().all(is_finished) && reaches_back && !is_imported)
    }

    /// Whether nothing is known of any pipeline or job.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.pipelines.is_empty()
    }

    /// Whether a pipeline is kept.
    pub fn keeps(&self, pipeline_id: u64) -> bool {
        let kept = &self.pipelines.kept;
        kept.binary_search_by_key(&pipeline_id, |pipeline| pipeline.pipeline_id)
            .is_ok()
    }

    fn extract_sources(&mut self, sources: &[ArcStr], key: TimelineKey, rules: &Rules) -> Self {
        let finished: BTreeMap<_, _> = (self.finished.0)
            .extract_if(.., |source, _| sources.contains(source))
            .collect();
        let ids: BTreeSet<u64> = finished.values().flatten().map(|(id, _)| *id).collect();
        let whole: Vec<_> = (self.jobs)
            .extract_if(.., |_, job| job.ran_only_in(sources, &ids))
            .collect();
        let mut part = self.extract(&|id| ids.contains(&id), key, rules);
        part.finished = FinishedPipelines(finished);
        for (name, job) in &mut part.jobs {
            job.sources.retain(|(known, _)| sources.contains(known));
            if let Some(rest) = self.jobs.get_mut(name) {
                rest.sources.retain(|(known, _)| !sources.contains(known));
            }
        }
        part.jobs.extend(whole);
        part
    }

    /// Whether everything that another timeline of the project has counted is in this one. A pipeline is of one
    /// timeline, unless the exporter was killed after it saved one of two documents between which pipelines moved.
    fn includes(&self, other: &Self) -> bool {
        let mut sources = other.finished.0.iter();
        let has_newest = |(source, pipelines): (&ArcStr, &Vec<(u64, _)>)| {
            let own = self.finished.0.get(source);
            let newest = pipelines.last().map(|(id, _)| *id);
            own.is_some_and(|own| own.iter().any(|(id, _)| Some(*id) == newest))
        };
        !other.finished.0.is_empty() && sources.all(has_newest)
    }

    /// Takes the kept executions of some pipelines out, into a timeline of its own.
    #[must_use]
    pub fn extract(
        &mut self,
        is_wanted: &dyn Fn(u64) -> bool,
        key: TimelineKey,
        rules: &Rules,
    ) -> Self {
        let mut part = Self::new(key, self.project.clone(), self.project_url.clone());
        part.pipelines = self.pipelines.extract(is_wanted);
        for (name, job) in &mut self.jobs {
            let history = job.history.extract(is_wanted);
            if !history.kept.is_empty() {
                let own = Job {
                    history,
                    ..Job::clone(job)
                };
                part.jobs.insert(name.clone(), Box::new(own));
            }
        }
        self.jobs.retain(|_, job| !job.history.is_empty());
        self.trim(rules);
        part.trim(rules);
        let newest = part.pipelines.kept.last();
        part.newest_finished = newest.map_or(0, |pipeline| pipeline.pipeline_id);
        part
    }

    /// Joins the timeline of another track. Unlike [`Timeline::merge`], both counted different pipelines.
    /// What this one has absorbed before changes nothing.
    pub fn absorb(&mut self, other: Self, rules: &Rules) {
        if self.includes(&other) {
            return;
        }
        if other.includes(self) {
            let key = self.key.clone();
            *self = other.renamed(key);
            return;
        }
        self.newest_finished = self.newest_finished.max(other.newest_finished);
        self.mixed_through = self.mixed_through.max(other.mixed_through);
        self.finished.merge(&other.finished);
        self.pipelines
            .absorb(other.pipelines, &rules.for_pipelines());
        for (name, theirs) in other.jobs {
            match self.jobs.get_mut(&name) {
                Some(own) => own.absorb(*theirs, rules),
                None => {
                    self.jobs.insert(name, theirs);
                }
            }
        }
    }
}

impl Job {
    /// Whether all its executions are of these sources, and those of finished pipelines are among `ids`.
    fn ran_only_in(&self, sources: &[ArcStr], ids: &BTreeSet<u64>) -> bool {
        let mut own = self.sources.iter();
        let mut kept = self.history.kept.iter();
        !self.sources.is_empty()
            && self.history.imported().is_empty()
            && own.all(|(source, _)| sources.contains(source))
            && kept.all(|it| !it.attempts.is_empty() || ids.contains(&it.pipeline_id))
    }

    fn absorb(&mut self, other: Self, rules: &Rules) {
        self.merge_sources(&other);
        if other.newest_attempt > self.newest_attempt {
            self.newest_attempt = other.newest_attempt;
            self.stage = other.stage;
            self.tags = other.tags;
            self.allow_failure = other.allow_failure;
        }
        self.history.absorb(other.history, rules);
    }
}

impl History {
    fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.imported().is_empty() && self.baseline == Baseline::default()
    }

    fn extract(&mut self, is_wanted: &dyn Fn(u64) -> bool) -> Self {
        let (kept, rest) = std::mem::take(&mut self.kept)
            .into_iter()
            .partition(|execution: &Execution| is_wanted(execution.pipeline_id));
        self.kept = rest;
        let mut part = Self {
            kept,
            first_seen: self.first_seen,
            ..Self::default()
        };
        let is_of = |history: &Self, job_id: u64| {
            let attempts = history.kept.iter().flat_map(|it| &it.attempts);
            attempts.into_iter().any(|attempt| attempt.id == job_id)
        };
        let excerpt = self.excerpt.as_ref();
        if excerpt.is_some_and(|excerpt| is_of(&part, excerpt.job_id)) {
            part.excerpt = self.excerpt.take();
        }
        part
    }

    fn absorb(&mut self, other: Self, rules: &Rules) {
        let mut executions: BTreeMap<u64, Execution> = BTreeMap::new();
        for execution in std::mem::take(&mut self.kept).into_iter().chain(other.kept) {
            executions
                .entry(execution.pipeline_id)
                .and_modify(|known| known.join(&execution))
                .or_insert(execution);
        }
        self.kept = executions.into_values().collect();
        self.baseline.absorb(other.baseline);
        self.end_streak_of_baseline(rules);
        self.absorb_imported(other.imported);
        self.first_seen = self.first_seen.into_iter().chain(other.first_seen).min();
        if let Some(excerpt) = &other.excerpt {
            self.note_excerpt(excerpt);
        }
        self.trim(rules);
    }

    fn absorb_imported(&mut self, other: Option<Box<ImportedWindow>>) {
        let mut own = self.imported.take().unwrap_or_default();
        let other = other.unwrap_or_default();
        own.length = own.length.max(other.length);
        if own.entries.is_empty() {
            own.entries = other.entries;
        }
        self.imported = own.boxed();
    }

    /// Ends the streak of the baseline if an execution within it did not fail.
    fn end_streak_of_baseline(&mut self, rules: &Rules) {
        let baseline = &mut self.baseline;
        let start = baseline.streak_start.as_ref();
        let since = start.and_then(|start| start.since);
        let within = |execution: &&Execution| {
            let at = execution
                .deciding(rules)
                .and_then(|attempt| attempt.times.at());
            execution.pipeline_id <= baseline.settled_through && at >= since
        };
        let did_not_fail = |execution: &Execution| {
            let outcome = execution.outcome(rules).filter(|it| it.enters_window());
            outcome.is_some_and(|outcome| outcome != Outcome::Failed)
        };
        if self.kept.iter().filter(within).any(did_not_fail) {
            baseline.end_streak();
        }
    }
}

impl Baseline {
    /// Adds the counters of a baseline over other pipelines. The streak is that of the newer one.
    fn absorb(&mut self, mut other: Self) {
        if other.settled_through > self.settled_through {
            std::mem::swap(self, &mut other);
        }
        self.idle_settled_through = self.idle_settled_through.max(other.idle_settled_through);
        self.executions.add(&other.executions);
        self.failures.add(&other.failures);
        self.flaky = self.flaky.saturating_add(other.flaky);
        self.retries = self.retries.saturating_add(other.retries);
        self.keep_latest(&other);
    }
}
