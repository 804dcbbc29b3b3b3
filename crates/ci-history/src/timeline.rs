//! All histories of one project's ref: the unit that is observed, rendered and saved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arcstr::ArcStr;
use smallvec::SmallVec;

use super::attempt::Attempt;
use super::execution::PipelineEnd;
use super::finished::FinishedPipelines;
use super::history::History;
use super::key::TimelineKey;
use super::{
    AbsentJobs, JobNames, JobObservation, LatePipelines, LogFinding, NeverFailedJobs,
    PipelineObservation, Rules, Status, Timestamp,
};

/// The histories that an observation changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Names of the jobs whose history changed.
    pub jobs: BTreeSet<Arc<str>>,
    /// Whether the history of the pipelines changed.
    pub pipelines: bool,
    /// Whether another pipeline has finished, so that more jobs may be absent.
    pub finished: bool,
    /// Whether the pipeline was ignored as late (`LatePipelines::Skip`).
    pub skipped: bool,
}

impl Changes {
    /// True if there is nothing to render or to save.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && !self.pipelines
    }
}

/// A job of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Job {
    /// Executions of the job.
    pub history: History,
    /// Stage of the newest attempt.
    pub stage: Arc<str>,
    /// Tags that a runner must have to take the newest attempt.
    pub tags: Arc<str>,
    /// `allow_failure` of the newest attempt.
    pub allow_failure: bool,
    /// Job id of the newest attempt.
    pub newest_attempt: u64,
    /// Newest pipeline with the job, by source of the pipelines; ordered by source. Nearly always one.
    pub sources: SmallVec<[(ArcStr, u64); 1]>,
}

/// All histories of one project's ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Identity of the timeline.
    pub key: TimelineKey,
    /// Project path with namespace.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// How often it began again, because GitLab was restored from a backup.
    pub generation: u64,
    /// Newest pipeline when pipelines of other tracks left the timeline: what it had settled of them is in its sums.
    /// 0 for none.
    pub mixed_through: u64,
    /// Id of the newest finished pipeline; 0 for none.
    pub newest_finished: u64,
    /// The newest finished pipelines, by which absent jobs are judged.
    pub finished: FinishedPipelines,
    /// History of the pipelines themselves.
    pub pipelines: History,
    /// Jobs by history name. Boxed, because the nodes of a map are seldom full.
    pub jobs: BTreeMap<Arc<str>, Box<Job>>,
}

impl Timeline {
    /// A timeline without any observation.
    pub fn new(key: TimelineKey, project: Arc<str>, project_url: Option<Arc<str>>) -> Self {
        Self {
            key,
            project,
            project_url,
            generation: 0,
            mixed_through: 0,
            newest_finished: 0,
            finished: FinishedPipelines::default(),
            pipelines: History::default(),
            jobs: BTreeMap::new(),
        }
    }

    /// Counts one observation of a pipeline: its status and attempts of its jobs.
    ///
    /// The result depends neither on the order of observations nor on repeated ones. `now` is the time of
    /// the observation by GitLab's clock, for the start of a pending job's wait.
    pub fn observe(
        &mut self,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        rules: &Rules,
        now: Timestamp,
    ) -> Changes {
        if rules.late_pipelines == LatePipelines::Skip && pipeline.id < self.newest_finished {
            let mut changes = self.cancel_in_flight(pipeline.id, rules);
            changes.skipped = true;
            return changes;
        }
        let end = end_of(pipeline, jobs, rules);
        let mut changes = Changes {
            pipelines: self.observe_pipeline(pipeline, end, rules),
            ..Changes::default()
        };
        changes.finished = self.note_finished(pipeline, jobs);
        changes.pipelines |= changes.finished;
        let mut texts = Texts::default();
        for (name, attempts) in self.by_history(pipeline, jobs, rules, now) {
            if self.observe_job(&name, pipeline, &attempts, end, rules, &mut texts) {
                changes.jobs.insert(name);
            }
        }
        let is_finished = match rules.absent_jobs {
            AbsentJobs::Ignore => pipeline.status.is_terminal(),
            AbsentJobs::Pass => end == PipelineEnd::Finished,
        };
        if is_finished {
            self.newest_finished = self.newest_finished.max(pipeline.id);
        }
        if rules.absent_jobs == AbsentJobs::Pass {
            self.observe_absences(rules, &mut changes);
        }
        changes
    }

    /// Id of the newest finished pipeline; 0 for none.
    pub fn newest_finished(&self) -> u64 {
        self.newest_finished
    }

    fn observe_pipeline(
        &mut self,
        pipeline: &PipelineObservation,
        end: PipelineEnd,
        rules: &Rules,
    ) -> bool {
        let history = &mut self.pipelines;
        let first_seen = earliest(history.first_seen, pipeline.created_at);
        let changed = std::mem::replace(&mut history.first_seen, first_seen) != first_seen;
        let rules = rules.for_pipelines();
        let attempt = Attempt::of_pipeline(pipeline);
        history.observe(pipeline.id, &pipeline.sha, &[attempt], end, &rules) || changed
    }

    /// Groups the observations by history.
    fn by_history<'a>(
        &self,
        pipeline: &PipelineObservation,
        jobs: &'a [JobObservation],
        rules: &Rules,
        now: Timestamp,
    ) -> BTreeMap<Arc<str>, Vec<(&'a JobObservation, Attempt)>> {
        let mut histories: BTreeMap<Arc<str>, Vec<_>> = BTreeMap::new();
        for job in jobs {
            let name = rules.job_names.history_name(&job.name);
            let member = (rules.job_names != JobNames::Full).then(|| job.name.clone());
            let commit_info = pipeline.commit_info.as_ref();
            let project_url = self.project_url.as_deref();
            let attempt = Attempt::of_job(job, commit_info, project_url, member, now);
            let name = self
                .jobs
                .get_key_value(name.as_ref())
                .map_or_else(|| Arc::from(name), |(name, _)| name.clone());
            histories.entry(name).or_default().push((job, attempt));
        }
        histories
    }

    fn observe_job(
        &mut self,
        name: &Arc<str>,
        pipeline: &PipelineObservation,
        observed: &[(&JobObservation, Attempt)],
        end: PipelineEnd,
        rules: &Rules,
        texts: &mut Texts,
    ) -> bool {
        let attempts: Vec<Attempt> = observed.iter().map(|(_, it)| it.clone()).collect();
        if let Some(job) = self.jobs.get_mut(name) {
            let described = job.describe(observed, texts) | job.note_presence(pipeline);
            let counted = job
                .history
                .observe(pipeline.id, &pipeline.sha, &attempts, end, rules);
            return described || counted;
        }
        let mut job = Box::<Job>::default();
        job.describe(observed, texts);
        job.note_presence(pipeline);
        job.history
            .observe(pipeline.id, &pipeline.sha, &attempts, end, rules);
        let fails = job.history.figures(rules, None).consecutive_failures > 0;
        if rules.never_failed_jobs == NeverFailedJobs::Ignore && !fails {
            return false;
        }
        self.jobs.insert(name.clone(), job);
        true
    }

    /// Counts every tracked job as passed in each finished pipeline without an attempt of it.
    fn observe_absences(&mut self, rules: &Rules, changes: &mut Changes) {
        let finished: Vec<(u64, ArcStr)> = self
            .pipelines
            .kept
            .iter()
            .filter(|pipeline| pipeline.finished)
            .map(|pipeline| (pipeline.pipeline_id, pipeline.commit.clone()))
            .collect();
        for (name, job) in &mut self.jobs {
            for (id, commit) in &finished {
                let known = job.history.reaches_back_to(*id);
                if known
                    && job
                        .history
                        .observe(*id, commit, &[], PipelineEnd::Finished, rules)
                {
                    changes.jobs.insert(name.clone());
                }
            }
        }
    }

    /// Records the class and excerpt found in the log of a job's failed attempt, if the attempt is still
    /// kept.
    pub fn note_log(&mut self, job: &str, finding: &LogFinding, rules: &Rules) -> Changes {
        let mut changes = Changes::default();
        let changed = self.jobs.get_mut(job);
        if changed.is_some_and(|job| job.history.note_log(finding, rules)) {
            let name = self.jobs.get_key_value(job).map(|(name, _)| name.clone());
            changes.jobs.extend(name);
        }
        changes
    }

    /// Cancels the attempts in flight of a pipeline that GitLab no longer has.
    pub fn cancel_in_flight(&mut self, pipeline_id: u64, rules: &Rules) -> Changes {
        let mut changes = Changes {
            pipelines: self.pipelines.cancel_in_flight(pipeline_id, rules),
            ..Changes::default()
        };
        for (name, job) in &mut self.jobs {
            if job.history.cancel_in_flight(pipeline_id, rules) {
                changes.jobs.insert(name.clone());
            }
        }
        changes
    }
}

/// Stages and tags of the jobs of a pipeline: many jobs have the same, and share them.
#[derive(Default)]
struct Texts(BTreeSet<Arc<str>>);

impl Texts {
    /// Replaces a text by another one; returns whether it is not the same.
    fn replace(&mut self, text: &mut Arc<str>, by: &Arc<str>) -> bool {
        if *text == *by {
            return false;
        }
        if let Some(known) = self.0.get(by) {
            *text = Arc::clone(known);
        } else {
            self.0.insert(Arc::clone(by));
            *text = Arc::clone(by);
        }
        true
    }
}

impl Job {
    /// Takes stage, tags and `allow_failure` from the newest attempt. Returns whether they changed.
    fn describe(&mut self, observed: &[(&JobObservation, Attempt)], texts: &mut Texts) -> bool {
        let mut changed = false;
        for (seen, attempt) in observed {
            let first = earliest(
                self.history.first_seen,
                seen.created_at.or(attempt.times.at()),
            );
            changed |= std::mem::replace(&mut self.history.first_seen, first) != first;
            if seen.id > self.newest_attempt {
                changed |= texts.replace(&mut self.stage, &seen.stage);
                changed |= texts.replace(&mut self.tags, &seen.tags);
                changed |= self.allow_failure != seen.allow_failure;
                self.newest_attempt = seen.id;
                self.allow_failure = seen.allow_failure;
            }
        }
        changed
    }
}

impl History {
    /// Whether the history covers the time of a pipeline.
    fn reaches_back_to(&self, pipeline_id: u64) -> bool {
        !self.imported().is_empty()
            || self.baseline.settled_through > 0
            // Without any execution the job is known from an imported document.
            || self
                .kept
                .first()
                .is_none_or(|execution| execution.pipeline_id <= pipeline_id)
    }
}

/// How a pipeline ended, if that decides the outcome of its executions.
///
/// datadog-agent's task, whose rule it is that absent jobs pass, runs as a job of the pipeline: it sees no
/// pipeline without jobs, and no end of a canceled or skipped one.
fn end_of(pipeline: &PipelineObservation, jobs: &[JobObservation], rules: &Rules) -> PipelineEnd {
    if rules.absent_jobs != AbsentJobs::Pass || pipeline.is_partial {
        return PipelineEnd::Open;
    }
    match pipeline.status {
        Status::Success | Status::Failed if pipeline.has_jobs(jobs) => PipelineEnd::Finished,
        Status::Canceled | Status::Skipped => PipelineEnd::Withdrawn,
        _ => PipelineEnd::Open,
    }
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_takes_256_bytes() {
        assert_eq!(size_of::<Job>(), 256);
    }
}
