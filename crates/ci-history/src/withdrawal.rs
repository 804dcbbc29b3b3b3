//! Attempts that are known of a pipeline and that GitLab does not have.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::attempt::Phase;
use super::execution::Execution;
use super::history::History;
use super::scope::CHILD_SEPARATOR;
use super::timeline::{Changes, Job, Timeline};
use super::{Rules, Timestamp};

/// What is known of a pipeline and was not in the list of its jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotListed {
    /// The last time at which the pipeline itself is known to have moved.
    pub moved: Option<Timestamp>,
    /// The attempts, without those of trigger jobs: GitLab lists only their last ones.
    pub attempts: Vec<Absentee>,
}

/// An attempt that was not in the list of its pipeline's jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absentee {
    /// GitLab's job id.
    pub id: u64,
    /// Full name of the job.
    pub job: Arc<str>,
    /// End or start of the attempt.
    pub at: Option<Timestamp>,
    /// Whether it has not ended.
    pub is_open: bool,
    /// The trigger job that the name says started its pipeline.
    pub trigger_job: Option<Arc<str>>,
}

impl Timeline {
    /// The attempts that are known of a pipeline, except those with these ids.
    pub fn not_listed(&self, pipeline_id: u64, listed: &HashSet<u64>) -> NotListed {
        let mut attempts = Vec::new();
        for (name, job) in &self.jobs {
            let Some(execution) = job.history.kept_execution(pipeline_id) else {
                continue;
            };
            let missing = execution
                .listed_attempts()
                .filter(|attempt| !attempt.is_of_trigger_job() && !listed.contains(&attempt.id));
            attempts.extend(missing.map(|attempt| Absentee {
                id: attempt.id,
                job: attempt.member().map_or_else(|| name.clone(), Arc::from),
                at: attempt.times.at(),
                is_open: attempt.phase < Phase::Canceled,
                trigger_job: None,
            }));
        }
        if attempts.is_empty() {
            return NotListed::default();
        }
        let trigger_jobs = self.trigger_jobs(pipeline_id);
        for attempt in &mut attempts {
            let above = trigger_jobs.iter().filter(|name| {
                let below = attempt.job.strip_prefix(&***name);
                below.is_some_and(|rest| rest.starts_with(CHILD_SEPARATOR))
            });
            attempt.trigger_job = above.max_by_key(|name| name.len()).cloned();
        }
        let pipeline = self.known_pipeline(pipeline_id);
        NotListed {
            moved: pipeline.and_then(|known| known.updated_at.max(known.created_at)),
            attempts,
        }
    }

    /// Names of the jobs that are known to have started other pipelines.
    fn trigger_jobs(&self, pipeline_id: u64) -> BTreeSet<Arc<str>> {
        let mut names = BTreeSet::new();
        for (name, job) in &self.jobs {
            let execution = job.history.kept_execution(pipeline_id);
            let attempts = execution.into_iter().flat_map(|it| &it.attempts);
            let of_trigger_jobs = attempts.filter(|attempt| attempt.is_of_trigger_job());
            names.extend(
                of_trigger_jobs
                    .map(|attempt| attempt.member().map_or_else(|| name.clone(), Arc::from)),
            );
        }
        names
    }

    /// Withdraws attempts of a pipeline, which GitLab never had. Counters keep what they counted.
    pub fn withdraw(
        &mut self,
        pipeline_id: u64,
        attempts: &HashSet<u64>,
        rules: &Rules,
    ) -> Changes {
        let mut changes = Changes::default();
        for (name, job) in &mut self.jobs {
            if job.withdraw(pipeline_id, attempts, rules) {
                changes.jobs.insert(name.clone());
            }
        }
        changes
    }

    /// Cancels open attempts of a pipeline that were deleted with a child pipeline.
    pub fn cancel_deleted(
        &mut self,
        pipeline_id: u64,
        attempts: &HashSet<u64>,
        rules: &Rules,
    ) -> Changes {
        let mut changes = Changes::default();
        for (name, job) in &mut self.jobs {
            let cancels = |execution: &mut Execution| execution.cancel(|id| attempts.contains(&id));
            if job.history.change_execution(pipeline_id, rules, cancels) {
                changes.jobs.insert(name.clone());
            }
        }
        changes
    }
}

impl Job {
    fn withdraw(&mut self, pipeline_id: u64, attempts: &HashSet<u64>, rules: &Rules) -> bool {
        let withdraws = |execution: &mut Execution| {
            for attempt in &mut execution.attempts {
                if attempts.contains(&attempt.id) {
                    attempt.withdraw();
                }
            }
        };
        let changed = (self.history).change_execution(pipeline_id, rules, withdraws);
        if attempts.contains(&self.newest_attempt) {
            // The next observation describes the job by the newest attempt that GitLab has.
            self.newest_attempt = 0;
        }
        changed
    }
}

impl History {
    /// Whether GitLab has nothing of what is known: all attempts are withdrawn. Such a history is kept, so that a
    /// replica that merges it withdraws them, too, and is not shown.
    pub(crate) fn is_withdrawn(&self) -> bool {
        let attempts = || self.kept.iter().flat_map(|execution| &execution.attempts);
        self.imported().is_empty()
            && self.baseline.settled_through == 0
            && attempts().next().is_some()
            && attempts().all(super::attempt::Attempt::is_withdrawn)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{JobObservation, Outcome, PipelineObservation, Status, TimelineKey};
    use super::*;

    fn timeline() -> Timeline {
        Timeline::new(TimelineKey::new(7, "main"), "acme/shop".into(), None)
    }

    fn job(id: u64, name: &str, status: Status) -> JobObservation {
        JobObservation {
            id,
            name: name.into(),
            stage: "test".into(),
            tags: Arc::default(),
            status,
            allow_failure: false,
            created_at: None,
            started_at: None,
            finished_at: Timestamp::from_unix(1_700_000_000),
            duration: None,
            queued_duration: None,
            moved_at: None,
            failure_reason: None,
            web_url: None,
        }
    }

    fn observe(timeline: &mut Timeline, id: u64, jobs: &[JobObservation]) {
        let pipeline = PipelineObservation {
            id,
            ref_name: "main".into(),
            tag: false,
            sha: format!("c{id}").into(),
            status: Status::Failed,
            source: Some("push".into()),
            created_at: Timestamp::from_unix(1_700_000_000),
            updated_at: Timestamp::from_unix(1_700_000_100),
            duration: None,
            failure_reason: None,
            has_other_jobs: false,
            commit_info: None,
            is_partial: false,
            web_url: None,
        };
        let now = Timestamp::of_clock(1_700_000_200);
        timeline.observe(&pipeline, jobs, &Rules::default(), now);
    }

    /// A job that failed in three pipelines, and passed in a retry of the last one that GitLab never had.
    fn forged() -> Timeline {
        let mut timeline = timeline();
        for id in 1..=3 {
            observe(&mut timeline, id, &[job(id, "deploy", Status::Failed)]);
        }
        observe(&mut timeline, 3, &[job(900, "deploy", Status::Success)]);
        timeline
    }

    fn withdrawn() -> Timeline {
        let mut timeline = forged();
        let changes = timeline.withdraw(3, &HashSet::from([900]), &Rules::default());
        assert_eq!(changes.jobs.len(), 1);
        timeline
    }

    fn streak(timeline: &Timeline) -> u64 {
        let row = timeline.row("deploy", &Rules::default()).unwrap();
        row.figures.consecutive_failures
    }

    #[test]
    fn what_is_not_listed_is_found_and_trigger_jobs_are_not_among_it() {
        let mut timeline = forged();
        let bridge = JobObservation {
            moved_at: Timestamp::from_unix(1_700_000_000),
            ..job(901, "child", Status::Success)
        };
        let below = job(902, "child / unit", Status::Running);
        observe(&mut timeline, 3, &[bridge, below]);
        let found = timeline.not_listed(3, &HashSet::from([3]));
        let found: Vec<_> = found
            .attempts
            .iter()
            .map(|it| (it.id, it.is_open, it.trigger_job.as_deref()))
            .collect();
        assert_eq!(found, [(902, true, Some("child")), (900, false, None)]);
        assert_eq!(
            timeline.not_listed(9, &HashSet::new()),
            NotListed::default()
        );
    }

    #[test]
    fn a_withdrawn_attempt_decides_nothing_and_its_counters_stay() {
        let timeline = withdrawn();
        assert_eq!((streak(&forged()), streak(&timeline)), (0, 3));
        let row = timeline.row("deploy", &Rules::default()).unwrap();
        assert_eq!(row.figures.executions.get(Outcome::Passed), 1);
        assert_eq!((row.figures.retries, row.figures.flaky_executions), (1, 1));
        assert_eq!(row.figures.window_flaky, 0);
    }

    #[test]
    fn a_replica_that_still_has_it_brings_nothing_back() {
        let (mut ours, mut theirs) = (withdrawn(), forged());
        ours.merge(&forged());
        theirs.merge(&withdrawn());
        assert_eq!(ours, theirs);
        assert_eq!(streak(&ours), 3);
    }

    #[test]
    fn an_attempt_that_is_listed_after_all_counts_again_and_once() {
        let mut timeline = withdrawn();
        observe(&mut timeline, 3, &[job(900, "deploy", Status::Success)]);
        assert_eq!(streak(&timeline), 0);
        let row = timeline.row("deploy", &Rules::default()).unwrap();
        assert_eq!(row.figures.executions.get(Outcome::Passed), 1);
        let before = timeline.clone();
        timeline.merge(&withdrawn());
        timeline.merge(&forged());
        assert_eq!(timeline, before, "what a replica withdrew before is back");
    }

    #[test]
    fn a_job_without_any_attempt_that_gitlab_has_is_not_shown() {
        let mut timeline = withdrawn();
        observe(&mut timeline, 4, &[job(950, "made-up", Status::Failed)]);
        timeline.withdraw(4, &HashSet::from([950]), &Rules::default());
        let rules = Rules::default();
        assert_eq!(timeline.row("made-up", &rules), None);
        assert_eq!(timeline.rows(&rules).jobs.len(), 1);
        observe(&mut timeline, 4, &[job(951, "made-up", Status::Failed)]);
        assert!(timeline.row("made-up", &rules).is_some());
    }

    #[test]
    fn only_open_attempts_are_canceled_with_their_child() {
        let mut timeline = timeline();
        let jobs = [
            job(1, "child / done", Status::Failed),
            job(2, "child / unit", Status::Running),
        ];
        observe(&mut timeline, 1, &jobs);
        let rules = Rules::default();
        let changes = timeline.cancel_deleted(1, &HashSet::from([1, 2]), &rules);
        assert_eq!(changes.jobs.len(), 1);
        let unit = timeline.row("child / unit", &rules).unwrap();
        assert_eq!(unit.figures.running_since, None);
        let done = timeline.row("child / done", &rules).unwrap();
        assert_eq!(done.figures.consecutive_failures, 1);
    }
}
