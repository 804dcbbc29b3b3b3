//! All histories of one project's ref: the unit that is observed, rendered and saved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attempt::{Attempt, Phase};
use super::execution::Execution;
use super::history::{Carried, History, Imported};
use super::{
    AbsentJobs, JobNames, JobObservation, JobRow, LatePipelines, LogFinding, NeverFailedJobs,
    PipelineObservation, Rules, Status, TimelineRows, Timestamp,
};

/// Which timeline: a project's ref.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimelineKey {
    /// GitLab's project id, which a rename does not change.
    pub project_id: u64,
    /// Branch or tag name.
    pub ref_name: Arc<str>,
}

/// What an observation changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Histories that changed, by name.
    pub jobs: BTreeSet<Arc<str>>,
    /// Whether the history of the pipelines changed.
    pub pipelines: bool,
    /// The pipeline was late and the rules say to leave it out.
    pub skipped: bool,
}

impl Changes {
    /// True if nothing is to be rendered or saved.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && !self.pipelines
    }
}

/// A job of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Job {
    /// Its executions.
    pub history: History,
    /// Stage of the newest attempt seen.
    pub stage: Arc<str>,
    /// `allow_failure` of the newest attempt seen.
    pub allow_failure: bool,
    /// The newest attempt seen.
    pub newest_attempt: u64,
}

/// All histories of one project's ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Which one.
    pub key: TimelineKey,
    /// Project path with namespace.
    pub project: Arc<str>,
    /// Page of the project in GitLab.
    pub project_url: Option<Arc<str>>,
    /// Whether pipelines of its past may not have been read: it is read back as a ref that is new.
    pub has_gap: bool,
    /// The newest pipeline that was seen finished; 0 for none.
    pub newest_finished: u64,
    /// The pipelines as a unit.
    pub pipelines: History,
    /// The jobs by the name of their history; boxed, as a map's nodes are seldom full.
    pub jobs: BTreeMap<Arc<str>, Box<Job>>,
}

impl Timeline {
    /// A timeline of which nothing is known yet.
    pub fn new(key: TimelineKey, project: Arc<str>, project_url: Option<Arc<str>>) -> Self {
        Self {
            key,
            project,
            project_url,
            has_gap: false,
            newest_finished: 0,
            pipelines: History::default(),
            jobs: BTreeMap::new(),
        }
    }

    /// Counts what was seen of one pipeline: its status and attempts of its jobs.
    ///
    /// Seeing the same twice changes nothing, and neither does the order in which things are seen.
    /// `now` is the time of the sight by GitLab's clock; it only serves to tell since when a job waits.
    pub fn observe(
        &mut self,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        rules: &Rules,
        now: Timestamp,
    ) -> Changes {
        if rules.late_pipelines == LatePipelines::Skip && pipeline.id < self.newest_finished {
            let mut changes = self.withdraw(pipeline.id, rules);
            changes.skipped = true;
            return changes;
        }
        let finished = pipeline.status.is_terminal();
        // An execution remembers that its pipeline has finished only where that decides it.
        let closes = finished && rules.absent_jobs == AbsentJobs::Pass;
        let mut changes = Changes {
            pipelines: self.observe_pipeline(pipeline, rules),
            ..Changes::default()
        };
        for (name, sights) in self.by_history(jobs, rules, now) {
            if self.observe_job(&name, pipeline, &sights, closes, rules) {
                changes.jobs.insert(name);
            }
        }
        if finished {
            self.newest_finished = self.newest_finished.max(pipeline.id);
        }
        if rules.absent_jobs == AbsentJobs::Pass {
            self.observe_absences(rules, &mut changes);
        }
        changes
    }

    /// Counts attempts of jobs of a pipeline that is known already, and moves nothing but them.
    ///
    /// `None`: the pipeline is not among those that are kept, and whether it counts is not known.
    pub fn observe_attempts(
        &mut self,
        pipeline_id: u64,
        jobs: &[JobObservation],
        rules: &Rules,
        now: Timestamp,
    ) -> Option<Changes> {
        let pipeline = self.known_pipeline(pipeline_id)?;
        let mut changes = Changes::default();
        if rules.late_pipelines == LatePipelines::Skip && pipeline_id < self.newest_finished {
            return Some(changes);
        }
        for (name, sights) in self.by_history(jobs, rules, now) {
            if self.observe_job(&name, &pipeline, &sights, false, rules) {
                changes.jobs.insert(name);
            }
        }
        Some(changes)
    }

    /// A pipeline that is kept, as it was last seen.
    pub fn known_pipeline(&self, pipeline_id: u64) -> Option<PipelineObservation> {
        let kept = &self.pipelines.kept;
        let at = kept
            .binary_search_by_key(&pipeline_id, |pipeline| pipeline.pipeline_id)
            .ok()?;
        self.as_seen(kept.get(at)?)
    }

    /// Whether an attempt of a job is known to have come as far as it is seen now.
    pub fn knows(&self, pipeline_id: u64, job: &JobObservation, rules: &Rules) -> bool {
        let name = rules.job_names.history_name(&job.name);
        let sight = Attempt::of_job(job, None, None, Timestamp::of_clock(0));
        self.jobs.get(name.as_ref()).is_some_and(|known| {
            let executions = known.history.kept.iter();
            executions
                .filter(|execution| execution.pipeline_id == pipeline_id)
                .flat_map(|execution| &execution.attempts)
                .any(|attempt| attempt.id == job.id && attempt.phase >= sight.phase)
        })
    }

    fn observe_pipeline(&mut self, pipeline: &PipelineObservation, rules: &Rules) -> bool {
        let history = &mut self.pipelines;
        let first_seen = earliest(history.first_seen, pipeline.created_at);
        let changed = std::mem::replace(&mut history.first_seen, first_seen) != first_seen;
        let rules = rules.for_pipelines();
        let sight = Attempt::of_pipeline(pipeline);
        history.observe(pipeline.id, &pipeline.sha, &[sight], false, &rules) || changed
    }

    /// Groups the observations by the history they belong to.
    fn by_history<'a>(
        &self,
        jobs: &'a [JobObservation],
        rules: &Rules,
        now: Timestamp,
    ) -> BTreeMap<Arc<str>, Vec<(&'a JobObservation, Attempt)>> {
        let mut histories: BTreeMap<Arc<str>, Vec<_>> = BTreeMap::new();
        for job in jobs {
            let name = rules.job_names.history_name(&job.name);
            let member = (rules.job_names != JobNames::Full).then(|| job.name.clone());
            let sight = Attempt::of_job(job, self.project_url.as_deref(), member, now);
            let name = self
                .jobs
                .get_key_value(name.as_ref())
                .map_or_else(|| Arc::from(name), |(name, _)| name.clone());
            histories.entry(name).or_default().push((job, sight));
        }
        histories
    }

    fn observe_job(
        &mut self,
        name: &Arc<str>,
        pipeline: &PipelineObservation,
        sights: &[(&JobObservation, Attempt)],
        closes: bool,
        rules: &Rules,
    ) -> bool {
        let attempts: Vec<Attempt> = sights.iter().map(|(_, sight)| sight.clone()).collect();
        if let Some(job) = self.jobs.get_mut(name) {
            let described = job.describe(sights);
            let observed =
                job.history
                    .observe(pipeline.id, &pipeline.sha, &attempts, closes, rules);
            return described || observed;
        }
        let mut job = Box::<Job>::default();
        job.describe(sights);
        job.history
            .observe(pipeline.id, &pipeline.sha, &attempts, closes, rules);
        let fails = job.history.figures(rules, None).consecutive_failures > 0;
        if rules.never_failed_jobs == NeverFailedJobs::Ignore && !fails {
            return false;
        }
        self.jobs.insert(name.clone(), job);
        true
    }

    /// Every tracked job passes in every finished pipeline in which it was not seen.
    fn observe_absences(&mut self, rules: &Rules, changes: &mut Changes) {
        let finished: Vec<(u64, Arc<str>)> = self
            .pipelines
            .kept
            .iter()
            .filter(|pipeline| pipeline.attempts.iter().any(|a| is_finished(a.phase)))
            .map(|pipeline| (pipeline.pipeline_id, pipeline.commit.clone()))
            .collect();
        for (name, job) in &mut self.jobs {
            for (id, commit) in &finished {
                let known = job.history.knows_before(*id);
                if known && job.history.observe(*id, commit, &[], true, rules) {
                    changes.jobs.insert(name.clone());
                }
            }
        }
    }

    /// Starts a job's history from a document that knows no pipelines: entries of (attempt, failing,
    /// commit), oldest first, and the consecutive failures after the last of them. All of it lies before
    /// the end of the pipeline `up_to`.
    pub fn import_job(
        &mut self,
        name: Arc<str>,
        up_to: u64,
        consecutive_failures: u64,
        entries: Vec<(Option<u64>, bool, Option<Arc<str>>)>,
        rules: &Rules,
    ) {
        let imported: Vec<Imported> = entries
            .into_iter()
            .map(|(id, failing, commit)| Imported {
                id,
                failing,
                commit,
            })
            .collect();
        let mut passes = imported.iter().rev().filter(|entry| !entry.failing);
        let streak = imported.iter().rev().take_while(|entry| entry.failing);
        let carried = Carried {
            floor: up_to,
            idle_floor: up_to,
            streak: consecutive_failures,
            first_failing_commit: streak.last().and_then(|entry| entry.commit.clone()),
            last_passing_commit: passes.find_map(|entry| entry.commit.clone()),
            ..Carried::default()
        };
        let job = self.jobs.entry(name).or_default();
        job.history.carried = carried;
        job.history.imported_window = if imported.len() > rules.window {
            imported.len()
        } else {
            0
        };
        job.history.imported = imported;
    }

    /// Takes all that is known as if it had been imported, so that the newest pipeline can be counted
    /// once more: what datadog-agent's task does when it is run twice for one pipeline.
    pub fn begin_again(&mut self, rules: &Rules) {
        let floor = self.newest_finished.saturating_sub(1);
        for job in self.jobs.values_mut() {
            job.history.freeze(floor, rules);
        }
        self.pipelines.freeze(floor, rules);
    }

    /// Takes over what a look at the log of a job's failed attempt brought. Nothing, if the attempt is not
    /// kept any more.
    pub fn note_log(&mut self, job: &str, finding: &LogFinding, rules: &Rules) -> Changes {
        let mut changes = Changes::default();
        let changed = self.jobs.get_mut(job);
        if changed.is_some_and(|job| job.history.note_log(finding, rules)) {
            let name = self.jobs.get_key_value(job).map(|(name, _)| name.clone());
            changes.jobs.extend(name);
        }
        changes
    }

    /// Ends what was in flight in a pipeline that GitLab does not know any more.
    pub fn withdraw(&mut self, pipeline_id: u64, rules: &Rules) -> Changes {
        let mut changes = Changes {
            pipelines: self.pipelines.withdraw(pipeline_id, rules),
            ..Changes::default()
        };
        for (name, job) in &mut self.jobs {
            if job.history.withdraw(pipeline_id, rules) {
                changes.jobs.insert(name.clone());
            }
        }
        changes
    }

    /// Pipelines that had not ended when they were last seen, and not blocked either, as they were seen;
    /// and those that had come to rest before their jobs did: a child pipeline may outlive its parent.
    pub fn open_pipelines(&self) -> impl Iterator<Item = PipelineObservation> {
        let outlived = self
            .pipelines_with_last_attempts(|phase| phase == Phase::Waiting || phase.is_in_flight());
        // The later stages of a blocked one wait as it does.
        let runs_on = self.pipelines_with_last_attempts(Phase::is_in_flight);
        self.pipelines.kept.iter().filter_map(move |pipeline| {
            let seen = self.as_seen(pipeline)?;
            let is_open = match seen.status {
                Status::Blocked => runs_on.contains(&pipeline.pipeline_id),
                Status::Success | Status::Failed | Status::Canceled => {
                    outlived.contains(&pipeline.pipeline_id)
                }
                status => !status.is_terminal(),
            };
            is_open.then_some(seen)
        })
    }

    fn as_seen(&self, pipeline: &Execution) -> Option<PipelineObservation> {
        let sight = pipeline.attempts.first()?;
        let status = sight.phase.status();
        Some(PipelineObservation {
            id: pipeline.pipeline_id,
            ref_name: self.key.ref_name.clone(),
            sha: pipeline.commit.clone(),
            status,
            source: None,
            created_at: sight.at.filter(|_| !status.is_terminal()),
            updated_at: Timestamp::from_unix(i64::from(sight.version)),
            duration: None,
            web_url: None,
        })
    }

    fn pipelines_with_last_attempts(&self, are: impl Fn(Phase) -> bool) -> BTreeSet<u64> {
        let executions = self.jobs.values().flat_map(|job| &job.history.kept);
        executions
            .filter(|execution| {
                let mut last = execution.last_attempts();
                last.any(|attempt| are(attempt.phase))
            })
            .map(|execution| execution.pipeline_id)
            .collect()
    }

    /// The newest pipeline that was seen finished; 0 for none.
    pub fn newest_finished(&self) -> u64 {
        self.newest_finished
    }

    /// Gives what has no time at all, as an imported document leaves it, this one as its first: so it
    /// will not be kept for ever. Returns whether there was any.
    pub fn date(&mut self, now: Timestamp) -> bool {
        let jobs = self.jobs.values_mut().map(|job| &mut job.history);
        let undated = jobs
            .chain([&mut self.pipelines])
            .filter(|history| history.last_sign().is_none());
        let mut any = false;
        for history in undated {
            history.first_seen = Some(now);
            any = true;
        }
        any
    }

    /// Drops the jobs of which nothing was heard since `before`; returns their names.
    pub fn expire(&mut self, before: Timestamp) -> Vec<Arc<str>> {
        let gone: Vec<Arc<str>> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.history.last_sign().is_some_and(|at| at < before))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &gone {
            self.jobs.remove(name);
        }
        gone
    }

    /// The latest time at which the ref's pipelines gave a sign of life.
    pub fn last_sign(&self) -> Option<Timestamp> {
        let of_jobs = self.jobs.values().map(|job| job.history.last_sign()).max();
        self.pipelines.last_sign().max(of_jobs.flatten())
    }

    /// The figures of one job.
    pub fn row(&self, name: &str, rules: &Rules) -> Option<JobRow> {
        let (name, job) = self.jobs.get_key_value(name)?;
        Some(job.row(name, self.project_url.as_deref(), rules))
    }

    /// The figures of all histories.
    pub fn rows(&self, rules: &Rules) -> TimelineRows {
        let url = self.project_url.as_deref();
        let pipelines = self.pipelines.figures(&rules.for_pipelines(), None);
        TimelineRows {
            project_id: self.key.project_id,
            project: self.project.clone(),
            project_url: self.project_url.clone(),
            ref_name: self.key.ref_name.clone(),
            pipelines,
            jobs: self
                .jobs
                .iter()
                .map(|(name, job)| job.row(name, url, rules))
                .collect(),
        }
    }
}

impl Job {
    fn row(&self, name: &Arc<str>, project_url: Option<&str>, rules: &Rules) -> JobRow {
        JobRow {
            name: name.clone(),
            stage: self.stage.clone(),
            allow_failure: self.allow_failure,
            figures: self.history.figures(rules, project_url),
        }
    }

    /// Takes stage and `allow_failure` from the newest attempt. Returns whether they changed.
    fn describe(&mut self, sights: &[(&JobObservation, Attempt)]) -> bool {
        let mut changed = false;
        for (seen, sight) in sights {
            let first = earliest(self.history.first_seen, seen.created_at.or(sight.at));
            changed |= std::mem::replace(&mut self.history.first_seen, first) != first;
            if seen.id > self.newest_attempt {
                changed |= self.stage != seen.stage || self.allow_failure != seen.allow_failure;
                self.newest_attempt = seen.id;
                self.stage = seen.stage.clone();
                self.allow_failure = seen.allow_failure;
            }
        }
        changed
    }
}

impl History {
    /// Whether the history reaches back before a pipeline.
    fn knows_before(&self, pipeline_id: u64) -> bool {
        !self.imported.is_empty()
            || self.carried.floor > 0
            || self
                .kept
                .first()
                .is_some_and(|execution| execution.pipeline_id <= pipeline_id)
    }

    fn last_sign(&self) -> Option<Timestamp> {
        self.kept
            .iter()
            .flat_map(|execution| &execution.attempts)
            .filter_map(|attempt| attempt.at)
            .max()
            .max(self.carried.last_execution)
            .max(self.first_seen)
    }
}

fn is_finished(phase: Phase) -> bool {
    phase.is_ended() || phase == Phase::Skipped
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}
