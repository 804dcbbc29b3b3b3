//! A pipeline of the past as a poller would have seen it at any time: what GitLab lists today, with what came later
//! left out.

use std::collections::BTreeMap;

use super::observation::JOBS_FAILED;
use super::{JobObservation, PipelineObservation, Span, Status, Timestamp};

/// A pipeline with every attempt of its jobs, as GitLab lists them today.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineRecord {
    pipeline: PipelineObservation,
    jobs: Vec<JobObservation>,
}

impl PipelineRecord {
    /// Takes what was read.
    pub fn new(pipeline: PipelineObservation, jobs: Vec<JobObservation>) -> Self {
        Self { pipeline, jobs }
    }

    /// The times at which counting may have changed, the earliest first. Empty if GitLab gave no time.
    pub fn moments(&self) -> Vec<Timestamp> {
        let own = [self.pipeline.created_at, self.pipeline.updated_at];
        let of_jobs = self.jobs.iter().flat_map(|job| {
            [
                job.created_at,
                pending_since(job),
                job.started_at,
                self.end(job),
            ]
        });
        let mut moments: Vec<_> = own.into_iter().chain(of_jobs).flatten().collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// What a poller would have read at that time; `None` before the pipeline was created.
    pub fn at(&self, time: Timestamp) -> Option<(PipelineObservation, Vec<JobObservation>)> {
        let pipeline = &self.pipeline;
        if pipeline.created_at.is_some_and(|created| created > time) {
            return None;
        }
        let mut jobs: Vec<_> = self
            .jobs
            .iter()
            .filter_map(|job| self.job_at(job, time))
            .collect();
        if pipeline.updated_at.is_none_or(|at| at <= time) {
            return Some((pipeline.clone(), jobs));
        }
        let pipeline = derived(pipeline, &jobs, time);
        if pipeline.status == Status::Failed {
            // GitLab skips the later stages, until somebody retries the failed job.
            for job in &mut jobs {
                if job.status == Status::Created {
                    job.status = Status::Skipped;
                }
            }
        }
        Some((pipeline, jobs))
    }

    /// When an attempt came to its end; `None` while it has none.
    fn end(&self, job: &JobObservation) -> Option<Timestamp> {
        if !job.status.is_terminal() {
            return None;
        }
        let skipped = || {
            (job.status == Status::Skipped)
                .then(|| self.first_failure())
                .flatten()
        };
        let end = job
            .finished_at
            .or_else(skipped)
            .or(self.pipeline.updated_at);
        end.max(job.created_at)
    }

    /// The first failure, by which GitLab skips the jobs of later stages.
    fn first_failure(&self) -> Option<Timestamp> {
        let failed = self.jobs.iter().filter(|job| job.status == Status::Failed);
        failed.filter_map(|job| job.finished_at).min()
    }

    fn job_at(&self, job: &JobObservation, time: Timestamp) -> Option<JobObservation> {
        if job.created_at.is_some_and(|created| created > time) {
            return None;
        }
        let is_over = self.end(job).is_none_or(|end| end <= time);
        if is_over && job.started_at.is_none_or(|start| start <= time) {
            return Some(job.clone());
        }
        let is_since = |start: Option<Timestamp>| start.is_some_and(|start| start <= time);
        let has_started = is_since(job.started_at);
        Some(JobObservation {
            status: if has_started {
                Status::Running
            } else if is_since(pending_since(job)) {
                Status::Pending
            } else {
                Status::Created
            },
            started_at: job.started_at.filter(|_| has_started),
            finished_at: None,
            duration: None,
            queued_duration: job.queued_duration.filter(|_| has_started),
            moved_at: job.moved_at.map(|moved| moved.min(time)),
            failure_reason: None,
            ..job.clone()
        })
    }
}

/// When an attempt that a runner took began to wait for it.
fn pending_since(job: &JobObservation) -> Option<Timestamp> {
    let waited = job.queued_duration?.micros().div_ceil(1_000_000);
    let waited = i64::try_from(waited).ok()?;
    let since = Timestamp::from_unix(job.started_at?.unix().saturating_sub(waited));
    since.max(job.created_at)
}

/// A pipeline before its last change: its status follows from the last attempts of its jobs.
fn derived(
    pipeline: &PipelineObservation,
    jobs: &[JobObservation],
    time: Timestamp,
) -> PipelineObservation {
    let mut last: BTreeMap<&str, &JobObservation> = BTreeMap::new();
    for job in jobs {
        let known = last.entry(&job.name).or_insert(job);
        if job.id > known.id {
            *known = job;
        }
    }
    let has = |is: fn(&JobObservation) -> bool| last.values().any(|job| is(job));
    let status = if has(|job| matches!(job.status, Status::Running | Status::Pending)) {
        Status::Running
    } else if has(|job| job.status == Status::Failed && !job.allow_failure) {
        Status::Failed
    } else if last.is_empty() || has(|job| job.status == Status::Created) {
        Status::Running
    } else if has(|job| job.status == Status::Canceled) {
        Status::Canceled
    } else {
        Status::Success
    };
    let is_over = status.is_terminal();
    let ends = jobs.iter().filter_map(|job| job.finished_at);
    let ended = ends.max().filter(|_| is_over);
    let newest = jobs.iter().filter_map(|job| job.created_at).max();
    PipelineObservation {
        status,
        // Not the time of the look, which would be a change each time.
        updated_at: ended
            .or(newest)
            .or(pipeline.created_at)
            .map(|at| at.min(time)),
        duration: Some(running_time(last.into_values())).filter(|_| is_over),
        failure_reason: (status == Status::Failed).then(|| JOBS_FAILED.into()),
        ..pipeline.clone()
    }
}

/// The time during which at least one of the attempts ran, as GitLab reckons the duration of a pipeline.
fn running_time<'a>(attempts: impl Iterator<Item = &'a JobObservation>) -> Span {
    let period = |job: &JobObservation| Some((job.started_at?.unix(), job.finished_at?.unix()));
    let mut periods: Vec<_> = attempts.filter_map(period).collect();
    periods.sort_unstable();
    let (mut seconds, mut through) = (0, i64::MIN);
    for (start, end) in periods {
        seconds += (end - start.max(through)).max(0);
        through = through.max(end);
    }
    Span::from_micros(
        u64::try_from(seconds)
            .unwrap_or(0)
            .saturating_mul(1_000_000),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Rules, Timeline, TimelineKey};
    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::of_clock(1_000_000 + second)
    }

    fn attempt(id: u64, status: Status, [created, started, ended]: [i64; 3]) -> JobObservation {
        JobObservation {
            id,
            name: "unit".into(),
            stage: "test".into(),
            status,
            allow_failure: false,
            created_at: Some(time(created)),
            started_at: Some(time(started)),
            finished_at: Some(time(ended)),
            duration: Span::from_seconds((ended - started) as f64),
            queued_duration: None,
            moved_at: None,
            failure_reason: (status == Status::Failed).then(|| "script_failure".into()),
            tags: "".into(),
            web_url: None,
        }
    }

    /// Fails at 20, is retried at 100, and passes at 130.
    fn retried() -> PipelineRecord {
        let pipeline = PipelineObservation {
            id: 1,
            ref_name: "main".into(),
            tag: false,
            sha: "c1".into(),
            commit_info: None,
            status: Status::Success,
            source: Some("push".into()),
            created_at: Some(time(0)),
            updated_at: Some(time(131)),
            duration: Span::from_seconds(20.0),
            failure_reason: None,
            has_other_jobs: false,
            web_url: None,
            is_partial: false,
        };
        let jobs = vec![
            attempt(10, Status::Failed, [0, 5, 20]),
            attempt(11, Status::Success, [100, 110, 130]),
        ];
        PipelineRecord::new(pipeline, jobs)
    }

    #[test]
    fn a_retried_job_had_failed_before_its_retry() {
        let record = retried();
        let seen = |second| {
            let (pipeline, jobs) = record.at(time(second)).unwrap();
            let jobs: Vec<_> = jobs.iter().map(|job| job.status).collect();
            (pipeline.status, jobs)
        };
        assert_eq!(record.at(time(-1)), None);
        assert_eq!(seen(0), (Status::Running, vec![Status::Created]));
        assert_eq!(seen(19), (Status::Running, vec![Status::Running]));
        assert_eq!(seen(20), (Status::Failed, vec![Status::Failed]));
        assert_eq!(seen(99), (Status::Failed, vec![Status::Failed]));
        assert_eq!(seen(100).0, Status::Running);
        assert_eq!(seen(130).0, Status::Success);
        let whole = record.at(time(131)).unwrap();
        assert_eq!(whole, (record.pipeline.clone(), record.jobs.clone()));
        let moments: Vec<_> = [0, 5, 20, 100, 110, 130, 131].map(time).into();
        assert_eq!(record.moments(), moments);
    }

    #[test]
    fn looking_again_without_a_moment_between_changes_nothing() {
        let record = retried();
        let rules = Rules::default();
        let mut timeline = Timeline::new(TimelineKey::new(7, "main"), Arc::from("a/b"), None);
        let mut observe = |second| {
            let (pipeline, jobs) = record.at(time(second)).unwrap();
            timeline
                .observe(&pipeline, &jobs, &rules, time(second))
                .is_empty()
        };
        assert!(!observe(1) && observe(3) && !observe(6));
        assert!(!observe(20) && observe(60) && observe(99));
        assert!(!observe(131) && observe(500));
        let figures = timeline.row("unit", &rules).unwrap().figures;
        assert_eq!(
            (figures.consecutive_failures, figures.flaky_executions),
            (0, 1)
        );
    }
}
