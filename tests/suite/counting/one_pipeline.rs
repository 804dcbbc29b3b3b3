//! What a timeline tells of one pipeline.

use ci_history::{CONFIG_ERROR, ExecutionRow, ExecutionState, PipelineRow};

use super::*;

const FAILED: ExecutionState = ExecutionState::Ended(Outcome::Failed);
const PASSED: ExecutionState = ExecutionState::Ended(Outcome::Passed);

fn row(timeline: &Timeline, id: u64) -> PipelineRow {
    timeline.pipeline_row(id, &Rules::default()).unwrap()
}

fn of<'a>(row: &'a PipelineRow, name: &str) -> &'a ExecutionRow {
    row.jobs.iter().find(|job| &*job.job_name == name).unwrap()
}

#[test]
fn a_pipeline_tells_its_end_and_the_state_of_each_job() {
    let mut timeline = timeline();
    let rules = Rules::default();
    let seen = [
        job(10, "flaky", Failed),
        job(16, "flaky", Success),
        job(11, "broken", Failed),
        job(12, "runs", Status::Running),
        job(13, "waits", Status::Pending),
        job(14, "later", Status::Created),
        job(15, "by hand", Blocked),
        job(17, "skipped", Skipped),
    ];
    timeline.observe(&pipeline(1, Failed), &seen, &rules, at(0));
    let row = row(&timeline, 1);
    assert_eq!((row.id, &*row.commit), (1, "commit-1"));
    assert_eq!((row.state, row.at), (Some(FAILED), Some(at(150))));
    assert!(!row.is_config_error);
    let states = row.jobs.iter().map(|job| (&*job.job_name, job.state));
    assert_eq!(
        states.collect::<Vec<_>>(),
        [
            ("broken", FAILED),
            ("by hand", ExecutionState::Blocked),
            ("flaky", PASSED),
            ("later", ExecutionState::Waiting),
            ("runs", ExecutionState::Running),
            ("skipped", ExecutionState::Ended(Outcome::Skipped)),
            ("waits", ExecutionState::Pending),
        ]
    );
    let broken = of(&row, "broken");
    assert_eq!((broken.job_id, broken.attempts), (11, 1));
    assert_eq!(broken.failure_class, Some(FailureClass::Script));
    assert_eq!(broken.failure_reason.as_deref(), Some("script_failure"));
    assert_eq!(broken.at, Some(at(16)));
    let flaky = of(&row, "flaky");
    assert_eq!((flaky.job_id, flaky.attempts, flaky.flaky), (16, 2, true));
    assert_eq!((flaky.failure_class, &flaky.failure_reason), (None, &None));
}

#[test]
fn only_the_newest_failure_of_a_failing_job_can_be_brought_back() {
    let mut timeline = timeline();
    let rules = Rules::default();
    for (id, still_broken, mended) in [(1, Failed, Failed), (2, Failed, Success)] {
        let seen = [
            job(id * 10, "broken", still_broken),
            job(id * 10 + 1, "mended", mended),
        ];
        timeline.observe(&pipeline(id, Failed), &seen, &rules, at(0));
    }
    let newest = |id| {
        let row = row(&timeline, id);
        let is_newest = |job: &ExecutionRow| job.is_newest_failure;
        (is_newest(of(&row, "broken")), is_newest(of(&row, "mended")))
    };
    assert_eq!((newest(1), newest(2)), ((false, false), (true, false)));
}

#[test]
fn attempts_of_jobs_that_share_a_history_are_counted_apart() {
    let mut timeline = timeline();
    let rules = Rules {
        job_names: JobNames::Grouped,
        ..Rules::default()
    };
    let seen = [
        job(10, "e2e: [a]", Success),
        job(11, "e2e: [b]", Failed),
        job(12, "e2e: [b]", Failed),
    ];
    timeline.observe(&pipeline(1, Failed), &seen, &rules, at(0));
    let row = timeline.pipeline_row(1, &rules).unwrap();
    let [e2e] = &row.jobs[..] else {
        panic!("{row:?}");
    };
    assert_eq!((e2e.job_id, e2e.attempts, e2e.state), (12, 2, FAILED));
}

#[test]
fn a_pipeline_that_is_not_kept_as_a_whole_is_known_by_its_jobs() {
    let mut timeline = timeline();
    let rules = Rules::default();
    let rare = [job(10, "rare", Failed)];
    timeline.observe(&pipeline(1, Failed), &rare, &rules, at(0));
    for id in 2..60 {
        let often = [job(id * 10, "often", Success)];
        timeline.observe(&pipeline(id, Success), &often, &rules, at(0));
    }
    let known = row(&timeline, 1);
    assert_eq!((known.state, &*known.commit), (None, "commit-1"));
    assert_eq!(known.jobs.len(), 1);
    assert!(of(&known, "rare").is_newest_failure);
    for unknown in [0, 2, 60, u64::MAX] {
        assert_eq!(timeline.pipeline_row(unknown, &rules), None, "{unknown}");
    }
}

#[test]
fn a_pipeline_without_jobs_tells_that_its_configuration_is_invalid() {
    let mut timeline = timeline();
    let broken = PipelineObservation {
        failure_reason: Some(CONFIG_ERROR.into()),
        ..pipeline(1, Failed)
    };
    timeline.observe(&broken, &[], &Rules::default(), at(0));
    let row = row(&timeline, 1);
    assert!(row.is_config_error && row.jobs.is_empty());
}
