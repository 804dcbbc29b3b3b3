//! How executions are counted, held against a naive count over all attempts and every order of arrival.

mod absent;
mod commits;
mod never_ran;
mod one_pipeline;
mod properties;
mod random;
mod tracks;

use std::sync::Arc;

use ci_history::{
    CommitInfo, FailureClass, Figures, InfrastructureFailures, JobNames, JobObservation,
    LogFinding, Outcome, PipelineObservation, Rules, Span, Status, Timeline, TimelineKey,
    Timestamp,
};
use job_failure_exporter::store::{Saved, decode, encode};

use Status::{Blocked, Canceled, Failed, Skipped, Success};

use self::random::{JOBS, look_at_log};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_700_000_000 + seconds).unwrap()
}

fn timeline() -> Timeline {
    let key = TimelineKey::new(1, "main");
    Timeline::new(key, "acme/shop".into(), None)
}

fn pipeline(id: u64, status: Status) -> PipelineObservation {
    PipelineObservation {
        id,
        ref_name: "main".into(),
        tag: false,
        sha: format!("commit-{id}").into(),
        status,
        source: Some("push".into()),
        created_at: Some(at(id.cast_signed() * 100)),
        updated_at: Some(at(id.cast_signed() * 100 + 50)),
        duration: None,
        failure_reason: None,
        has_other_jobs: false,
        web_url: None,
        commit_info: commit_info(id),
        is_partial: false,
    }
}

/// Of some commits GitLab tells nothing.
fn commit_info(pipeline: u64) -> Option<Arc<CommitInfo>> {
    let title = format!("Change {pipeline}").into_boxed_str();
    let info = CommitInfo::saved(title, "Ada Lovelace".into(), None);
    (!pipeline.is_multiple_of(3)).then(|| Arc::new(info))
}

fn job(id: u64, name: &str, status: Status) -> JobObservation {
    let seconds = id.cast_signed();
    let ended = matches!(status, Status::Success | Status::Failed);
    JobObservation {
        id,
        name: name.into(),
        stage: "test".into(),
        tags: "docker".into(),
        status,
        allow_failure: false,
        created_at: Some(at(seconds)),
        started_at: (ended || status == Status::Running).then(|| at(seconds + 1)),
        finished_at: status.is_terminal().then(|| at(seconds + 5)),
        duration: ended.then(|| Span::from_micros(id * 1000)),
        queued_duration: None,
        moved_at: None,
        failure_reason: (status == Status::Failed).then(|| Arc::from("script_failure")),
        web_url: None,
    }
}

fn figures(timeline: &Timeline, name: &str, rules: &Rules) -> Figures {
    let rows = timeline.rows(rules);
    let row = rows.jobs.into_iter().find(|row| &*row.name == name);
    row.unwrap_or_else(|| panic!("no job {name}")).figures
}

/// Runs one job through pipelines 1, 2, .. with the given last statuses.
fn run(statuses: &[Status], rules: &Rules) -> Figures {
    let mut timeline = timeline();
    for (id, status) in (1..).zip(statuses) {
        let seen = [job(id * 10, "unit", *status)];
        timeline.observe(&pipeline(id, Status::Failed), &seen, rules, at(0));
    }
    figures(&timeline, "unit", rules)
}

#[test]
fn a_streak_counts_failures_up_to_the_newest_and_ends_with_a_pass() {
    let rules = Rules::default();
    assert_eq!(
        run(&[Success, Failed, Failed], &rules).consecutive_failures,
        2
    );
    assert_eq!(
        run(&[Failed, Failed, Success], &rules).consecutive_failures,
        0
    );
    let failing = run(&[Success, Failed, Failed], &rules).failing.unwrap();
    assert_eq!(failing.first_failing_commit.as_deref(), Some("commit-2"));
    assert_eq!(failing.last_passing_commit.as_deref(), Some("commit-1"));
    assert_eq!(failing.commit.as_deref(), Some("commit-3"));
    assert_eq!(failing.since, Some(at(25)));
    assert_eq!(failing.job_id, Some(30));
    assert_eq!(failing.failure_reason.as_deref(), Some("script_failure"));
}

#[test]
fn a_streak_may_be_longer_than_the_window() {
    let figures = run(&[Status::Failed; 100], &Rules::default());
    assert_eq!(figures.consecutive_failures, 100);
    assert_eq!(
        (figures.window_executions, figures.window_failures),
        (10, 10)
    );
    assert_eq!(figures.executions.get(Outcome::Failed), 100);
    let failing = figures.failing.unwrap();
    assert_eq!(failing.first_failing_commit.as_deref(), Some("commit-1"));
    assert_eq!(failing.since, Some(at(15)));
}

#[test]
fn canceled_skipped_and_manual_jobs_are_no_outcome() {
    let seen = run(
        &[Success, Failed, Canceled, Skipped, Blocked, Failed],
        &Rules::default(),
    );
    assert_eq!(seen.consecutive_failures, 2);
    assert_eq!(seen.window_executions, 3);
    assert_eq!(seen.executions.get(Outcome::Canceled), 1);
    assert_eq!(seen.executions.get(Outcome::Skipped), 1);
}

#[test]
fn an_allowed_failure_is_recorded_and_does_not_fail_the_streak() {
    let rules = Rules::default();
    let mut timeline = timeline();
    for id in 1..=3 {
        let mut seen = job(id, "lint", Status::Failed);
        seen.allow_failure = true;
        timeline.observe(&pipeline(id, Status::Success), &[seen], &rules, at(0));
    }
    let figures = figures(&timeline, "lint", &rules);
    assert_eq!(figures.consecutive_failures, 0);
    assert_eq!(figures.executions.get(Outcome::AllowedFailure), 3);
    assert_eq!((figures.window_executions, figures.window_failures), (3, 0));
}

#[test]
fn a_queued_retry_makes_a_failure_undecided_and_its_pass_makes_it_flaky() {
    let rules = Rules::default();
    let mut timeline = timeline();
    let running = pipeline(1, Status::Running);
    let first = job(1, "unit", Status::Failed);
    timeline.observe(&running, std::slice::from_ref(&first), &rules, at(0));
    assert_eq!(figures(&timeline, "unit", &rules).consecutive_failures, 1);

    let queued = job(2, "unit", Status::Pending);
    timeline.observe(&running, &[first.clone(), queued], &rules, at(0));
    let seen = figures(&timeline, "unit", &rules);
    assert_eq!((seen.consecutive_failures, seen.window_executions), (0, 0));
    assert_eq!(seen.pending_since, Some(at(2)));

    timeline.observe(&running, &[job(2, "unit", Status::Success)], &rules, at(0));
    let seen = figures(&timeline, "unit", &rules);
    assert_eq!((seen.window_flaky, seen.flaky_executions), (1, 1));
    assert_eq!((seen.consecutive_failures, seen.retries), (0, 1));

    timeline.observe(&running, &[job(3, "unit", Status::Canceled)], &rules, at(0));
    let seen = figures(&timeline, "unit", &rules);
    assert_eq!((seen.window_executions, seen.last_success), (0, None));
}

#[test]
fn a_late_pipeline_goes_to_its_place() {
    let rules = Rules::default();
    let mut timeline = timeline();
    for (id, status) in [
        (1, Status::Failed),
        (3, Status::Failed),
        (2, Status::Success),
    ] {
        timeline.observe(
            &pipeline(id, Status::Failed),
            &[job(id, "unit", status)],
            &rules,
            at(0),
        );
    }
    assert_eq!(figures(&timeline, "unit", &rules).consecutive_failures, 1);
}

#[test]
fn a_stuck_job_stays_in_sight_while_newer_pipelines_pass() {
    let rules = Rules::default();
    let mut timeline = timeline();
    let stuck = job(1, "e2e", Status::Running);
    timeline.observe(&pipeline(1, Status::Running), &[stuck], &rules, at(0));
    for id in 2..200 {
        let seen = [job(id, "e2e", Status::Success)];
        timeline.observe(&pipeline(id, Status::Success), &seen, &rules, at(0));
    }
    assert_eq!(figures(&timeline, "e2e", &rules).running_since, Some(at(2)));
    let ended = job(1, "e2e", Status::Failed);
    timeline.observe(&pipeline(1, Status::Failed), &[ended], &rules, at(0));
    let seen = figures(&timeline, "e2e", &rules);
    assert_eq!((seen.running_since, seen.consecutive_failures), (None, 0));
    assert_eq!(seen.executions.get(Outcome::Failed), 1);
}

#[test]
fn a_failure_of_one_part_fails_a_grouped_matrix() {
    let rules = Rules {
        job_names: JobNames::Grouped,
        ..Rules::default()
    };
    let mut timeline = timeline();
    let parts = [
        job(1, "test: [a]", Status::Success),
        job(2, "test: [b]", Status::Failed),
        job(3, "test 1/2", Status::Running),
    ];
    timeline.observe(&pipeline(1, Status::Running), &parts, &rules, at(0));
    assert_eq!(figures(&timeline, "test", &rules).consecutive_failures, 1);
    let retried = job(4, "test: [b]", Status::Success);
    timeline.observe(&pipeline(1, Status::Running), &[retried], &rules, at(0));
    assert_eq!(figures(&timeline, "test", &rules).window_executions, 0);
    let ended = job(3, "test 1/2", Status::Success);
    timeline.observe(&pipeline(1, Status::Success), &[ended], &rules, at(0));
    let seen = figures(&timeline, "test", &rules);
    assert_eq!((seen.window_executions, seen.window_flaky), (1, 1));
}

#[test]
fn infrastructure_failures_can_be_left_out() {
    let rules = Rules {
        infrastructure_failures: InfrastructureFailures::Ignore,
        ..Rules::default()
    };
    let mut timeline = timeline();
    let mut failed = job(1, "unit", Status::Failed);
    failed.failure_reason = Some("runner_system_failure".into());
    timeline.observe(&pipeline(1, Status::Failed), &[failed], &rules, at(0));
    assert_eq!(figures(&timeline, "unit", &rules).window_executions, 0);
}

fn ignoring() -> Rules {
    Rules {
        infrastructure_failures: InfrastructureFailures::Ignore,
        ..Rules::default()
    }
}

/// Pipelines with one job each; failures are the runner's.
fn with_a_bad_runner(timeline: &mut Timeline, ids: impl IntoIterator<Item = u64>, status: Status) {
    for id in ids {
        let mut seen = job(id * 10, JOBS[0], status);
        seen.failure_reason = (status == Failed).then(|| "runner_system_failure".into());
        timeline.observe(&pipeline(id, status), &[seen], &ignoring(), at(0));
    }
}

fn infrastructure(timeline: &Timeline) -> u64 {
    let failures = figures(timeline, JOBS[0], &ignoring()).failures;
    failures.get(FailureClass::Infrastructure)
}

#[test]
fn failures_that_are_left_out_are_still_counted_however_many_there_are() {
    let mut timeline = timeline();
    with_a_bad_runner(&mut timeline, 1..=2, Success);
    with_a_bad_runner(&mut timeline, 3..=18, Failed);
    assert_eq!(infrastructure(&timeline), 16);
    with_a_bad_runner(&mut timeline, 19..=25, Canceled);
    assert_eq!(infrastructure(&timeline), 16);
    with_a_bad_runner(&mut timeline, 3..=18, Failed);
    assert_eq!(infrastructure(&timeline), 16, "seen before");
    let seen = figures(&timeline, JOBS[0], &ignoring());
    assert_eq!((seen.window_executions, seen.consecutive_failures), (2, 0));
}

#[test]
fn replicas_that_merge_count_failures_that_are_left_out_once() {
    let mut one = timeline();
    with_a_bad_runner(&mut one, 1..=2, Success);
    with_a_bad_runner(&mut one, 3..=12, Failed);
    let mut other = one.clone();
    with_a_bad_runner(&mut other, 13..=18, Failed);
    one.merge(&other);
    one.trim(&ignoring());
    assert_eq!(infrastructure(&one), 16);
}

#[test]
fn a_failure_that_its_log_made_no_outcome_stays_none_when_it_is_seen_again() {
    let rules = ignoring();
    let mut timeline = timeline();
    let see = |timeline: &mut Timeline, id: u64| {
        let seen = [job(id * 10, JOBS[0], Failed)];
        timeline.observe(&pipeline(id, Failed), &seen, &rules, at(0));
    };
    for id in 1..=16 {
        see(&mut timeline, id);
        let finding = LogFinding {
            pipeline_id: id,
            job_id: id * 10,
            class: FailureClass::Infrastructure,
            rule: None,
            excerpt: None,
        };
        timeline.note_log(JOBS[0], &finding, &rules);
    }
    for id in 1..=16 {
        see(&mut timeline, id);
    }
    let seen = figures(&timeline, JOBS[0], &rules);
    assert_eq!((seen.window_executions, seen.consecutive_failures), (0, 0));
    assert_eq!(seen.executions.get(Outcome::Failed), 16);
    assert_eq!(seen.failures.get(FailureClass::Script), 16);
}

#[test]
fn absent_jobs_pass_when_the_rules_say_so() {
    let rules = Rules::datadog_agent();
    let mut timeline = timeline();
    let mut consecutive = Vec::new();
    for (id, jobs) in [
        (1, vec![job(1, "unit: [a]", Status::Failed)]),
        (2, vec![job(2, "unit: [b]", Status::Failed)]),
        (3, vec![job(3, "lint", Status::Success)]),
        (
            4,
            vec![
                job(4, "unit", Status::Running),
                job(5, "new", Status::Success),
            ],
        ),
        (5, vec![job(6, "unit", Status::Failed)]),
    ] {
        timeline.observe(&pipeline(id, Status::Failed), &jobs, &rules, at(0));
        consecutive.push(figures(&timeline, "unit", &rules).consecutive_failures);
    }
    assert_eq!(consecutive, [1, 2, 0, 0, 1]);
    assert_eq!(figures(&timeline, "unit", &rules).window_executions, 5);
    assert_eq!(
        timeline.rows(&rules).jobs.len(),
        1,
        "a job that never failed is not tracked"
    );
    let late = [job(9, "unit", Status::Success)];
    assert!(
        timeline
            .observe(&pipeline(4, Status::Success), &late, &rules, at(0))
            .skipped
    );
}

#[test]
fn what_a_log_tells_stays_with_the_attempt_and_its_lines_while_the_job_fails() {
    let rules = Rules::default();
    let mut timeline = timeline();
    let see = |timeline: &mut Timeline, id: u64, status| {
        timeline.observe(
            &pipeline(id, status),
            &[job(id * 10, JOBS[0], status)],
            &rules,
            at(0),
        )
    };
    let failing = |timeline: &Timeline| figures(timeline, JOBS[0], &rules).failing;
    see(&mut timeline, 1, Failed);
    look_at_log(
        &mut timeline,
        1,
        10,
        0,
        FailureClass::Infrastructure,
        &rules,
    );
    assert!(see(&mut timeline, 1, Failed).is_empty(), "seen before");
    let first = failing(&timeline).unwrap();
    assert_eq!(first.failure_class, Some(FailureClass::Infrastructure));
    assert!(first.log_was_read);
    assert_eq!(&*first.excerpt.unwrap().text, "the end of 10");
    let counted = figures(&timeline, JOBS[0], &rules).failures;
    assert_eq!(counted.get(FailureClass::Script), 1, "by GitLab's reason");
    assert_eq!(counted.get(FailureClass::Infrastructure), 0);

    let saved = Saved {
        timeline: timeline.clone(),
        watermark: None,
        has_gap: false,
        scope: job_failure_exporter::store::SavedScope::default(),
    };
    assert_eq!(decode(&encode(&saved, &rules)).unwrap(), saved);

    // A newer failure whose log was not read yet: the lines are those of the earlier one.
    see(&mut timeline, 2, Failed);
    let second = failing(&timeline).unwrap();
    assert_eq!(
        (second.failure_class, second.log_was_read),
        (Some(FailureClass::Script), false)
    );
    assert_eq!(second.excerpt.unwrap().job_id, 10);
    see(&mut timeline, 3, Success);
    assert_eq!(failing(&timeline), None);
    see(&mut timeline, 4, Failed);
    assert_eq!(failing(&timeline).unwrap().excerpt, None);
    look_at_log(&mut timeline, 9, 90, 0, FailureClass::Policy, &rules);
    assert!(
        !failing(&timeline).unwrap().log_was_read,
        "of an attempt that is not known"
    );
}
