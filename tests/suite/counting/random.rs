//! Random attempts, and the timelines of observers who see them in their own order.

use std::collections::BTreeMap;
use std::sync::Arc;

use Status::Failed;
use ci_history::{
    CommitInfo, FailureClass, JobObservation, LogExcerpt, LogFinding, Rules, Status, Timeline,
};
use proptest::prelude::*;

use super::{at, job, pipeline, timeline};

/// One attempt: which pipeline, which job, how it ends.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) pipeline: u64,
    pub(super) job: u64,
    pub(super) id: u64,
    pub(super) last: Status,
    pub(super) allow_failure: bool,
    /// Whether a failure is the runner's.
    pub(super) bad_runner: bool,
}

pub(super) const JOBS: [&str; 3] = ["build", "unit 1/2", "unit 2/2"];

/// Few enough pipelines that all are within reach of the window.
pub(super) fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    attempts_in(12, 60)
}

pub(super) fn attempts_in(pipelines: u64, most: usize) -> impl Strategy<Value = Vec<Attempt>> {
    let last = prop_oneof![
        5 => Just(Status::Failed),
        4 => Just(Status::Success),
        1 => Just(Status::Canceled),
        1 => Just(Status::Running),
        1 => Just(Status::Pending),
    ];
    let one = (
        1_u64..=pipelines,
        0_u64..3,
        last,
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.2),
    );
    prop::collection::vec(one, 1..most).prop_map(|attempts| {
        (1..)
            .zip(attempts)
            .map(
                |(id, (pipeline, job, last, allow_failure, bad_runner))| Attempt {
                    pipeline,
                    job,
                    id,
                    last,
                    allow_failure,
                    bad_runner,
                },
            )
            .collect()
    })
}

/// Everything that is seen of an attempt until it is where it ends.
pub(super) fn sights(attempt: &Attempt) -> Vec<(u64, JobObservation)> {
    let path: &[Status] = match attempt.last {
        Status::Pending => &[Status::Created, Status::Pending],
        Status::Running => &[Status::Created, Status::Pending, Status::Running],
        _ => &[Status::Created, Status::Running],
    };
    path.iter()
        .copied()
        .chain([attempt.last])
        .map(|status| {
            let name = JOBS[usize::try_from(attempt.job).unwrap()];
            let mut seen = job(attempt.id, name, status);
            seen.allow_failure = attempt.allow_failure;
            if attempt.bad_runner && status == Failed {
                seen.failure_reason = Some("runner_system_failure".into());
            }
            (attempt.pipeline, seen)
        })
        .collect()
}

pub(super) fn observed(sights: &[(u64, JobObservation)], rules: &Rules) -> Timeline {
    let mut timeline = timeline();
    for (id, seen) in sights {
        let running = pipeline(*id, Status::Running);
        timeline.observe(&running, std::slice::from_ref(seen), rules, at(0));
    }
    timeline
}

/// What polling sees: after each event all attempts of a pipeline, as they then are.
fn polls(attempts: &[Attempt]) -> Vec<(u64, Vec<JobObservation>)> {
    let mut pipelines: BTreeMap<u64, BTreeMap<u64, JobObservation>> = BTreeMap::new();
    let events = attempts.iter().flat_map(sights);
    let polled = events.map(|(id, seen)| {
        let jobs = pipelines.entry(id).or_default();
        jobs.insert(seen.id, seen);
        (id, jobs.values().cloned().collect())
    });
    polled.collect()
}

/// What the failed jobs of a poll tell of the commit: the handle of the author only if one of them is the author's.
fn told(pipeline: u64, jobs: &[JobObservation]) -> Option<Arc<CommitInfo>> {
    let is_authors = jobs.iter().any(|job| job.id.is_multiple_of(3));
    let handle = is_authors.then(|| "ada".into());
    let title = format!("Change {pipeline}").into();
    let info = CommitInfo::saved(title, "Ada Lovelace".into(), handle);
    jobs.iter()
        .any(|job| job.status == Failed)
        .then(|| Arc::new(info))
}

fn polled<'a>(
    polls: impl IntoIterator<Item = &'a (u64, Vec<JobObservation>)>,
    rules: &Rules,
) -> Timeline {
    let mut timeline = timeline();
    for (id, jobs) in polls {
        let mut seen = pipeline(*id, Status::Running);
        seen.commit_info = told(*id, jobs);
        timeline.observe(&seen, jobs, rules, at(0));
    }
    timeline
}

/// Three replicas, each of which has seen a part of what there was, in an order of its own.
pub(super) fn replicas(attempts: &[Attempt], seeds: [u64; 3], rules: &Rules) -> [Timeline; 3] {
    let polls = polls(attempts);
    seeds.map(|seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut seen: Vec<_> = polls.iter().collect();
        random.shuffle(&mut seen);
        seen.truncate(random.usize(..=polls.len()));
        let mut timeline = polled(seen, rules);
        for attempt in attempts {
            if random.bool() {
                let class = FailureClass::ALL[random.usize(..2)];
                look_at_log(
                    &mut timeline,
                    attempt.pipeline,
                    attempt.id,
                    attempt.job,
                    class,
                    rules,
                );
            }
        }
        timeline
    })
}

/// A look at the log of an attempt, if that has failed.
pub(super) fn look_at_log(
    timeline: &mut Timeline,
    pipeline: u64,
    id: u64,
    job: u64,
    class: FailureClass,
    rules: &Rules,
) {
    let finding = LogFinding {
        pipeline_id: pipeline,
        job_id: id,
        class,
        rule: None,
        excerpt: Some(LogExcerpt {
            job_id: id,
            text: format!("the end of {id}").into(),
            line: format!("error {class:?}").into(),
        }),
    };
    let name = JOBS[usize::try_from(job).unwrap()];
    timeline.note_log(name, &finding, rules);
}
