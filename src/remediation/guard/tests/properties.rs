//! What holds for any facts.

use proptest::prelude::*;

use super::bounds::acted;
use super::*;

/// Random facts about one failure.
fn facts() -> impl Strategy<Value = (Ask, Listed, Ledger, Conditions)> {
    let status = prop::sample::select(vec![
        Status::Success,
        Status::Failed,
        Status::Skipped,
        Status::Created,
        Status::Running,
        Status::Blocked,
        Status::Canceled,
    ]);
    let job = (
        1..20_u64,
        0..4_usize,
        0..3_usize,
        status,
        any::<(bool, bool, bool)>(),
    )
        .prop_map(
            |(id, name, stage, status, (deploys, archived, mine))| ListedJob {
                archived,
                deploys,
                user: Some(if mine { 99 } else { 1 }),
                ..listed_job(
                    id,
                    ["unit", "lint", "e2e", "ship"][name],
                    ["build", "test", "last"][stage],
                    status,
                )
            },
        );
    let jobs = prop::collection::vec(job, 0..8);
    let numbers = (0..30_000_i64, 0..7_u64, 98..103_u64, 98..103_u64);
    let done = prop::collection::vec((1..20_u64, 5..9_u64, 99..102_u64, 0..5_000_i64), 0..6);
    (jobs.clone(), jobs, numbers, done, any::<(bool, bool)>()).prop_map(
        |(
            jobs,
            parent_jobs,
            (age, streak, newest_finished, newest),
            done,
            (outage, gitlab_down),
        )| {
            let mut job = failed(age);
            job.streak = streak;
            let listed = Listed {
                jobs,
                parent_jobs,
                newest_finished: Some(newest_finished),
                newest: Some(newest),
                ..listed()
            };
            let mut ledger = Ledger::default();
            for (job_id, project, pipeline, ago) in done {
                acted(&mut ledger, job_id, project, pipeline, ago);
            }
            (
                ask(job),
                listed,
                ledger,
                Conditions {
                    outage,
                    gitlab_down,
                },
            )
        },
    )
}

proptest! {
    #[test]
    fn an_action_breaks_no_promise((ask, listed, ledger, conditions) in facts()) {
        let settings = settings();
        let decision = decide_with(&settings, conditions, &ask, &listed, &ledger);
        prop_assert_eq!(&decision, &decide_with(&settings, conditions, &ask, &listed, &ledger));
        let Decision::Act(target) = decision else { return Ok(()) };
        prop_assert_eq!(target, Target::Job(ask.job.job_id));
        let newest = listed.jobs.iter().filter(|job| *job.name == *listed.attempt(12).unwrap().name);
        let newest = newest.max_by_key(|job| job.id).unwrap();
        prop_assert_eq!(newest.id, 12);
        prop_assert!(newest.status == Status::Failed && !newest.archived && !newest.deploys);
        prop_assert!(listed.newest_finished <= Some(100));
        prop_assert!(!conditions.outage && !conditions.gitlab_down);
        prop_assert!(ask.job.streak < 5);
        prop_assert!(NOW - ask.job.failed_at.unix() <= 6 * 3600);
        prop_assert!(NOW - ask.job.failed_at.unix() >= 60);
        prop_assert!(!ledger.has_acted_on(7, ActionKind::Recover, 12, 0));
        let since = Timestamp::of_clock(NOW - 3600);
        prop_assert!(ledger.count_since(since, None) < 4);
        prop_assert!(ledger.count_since(since, Some(7)) < 3);
        prop_assert!(ledger.count_in_pipeline(7, 100) < 2);
        let deploys = listed.parent_jobs.iter().any(|job| {
            job.deploys && job.status == Status::Skipped
                && !listed.parent_jobs.iter().any(|other| other.name == job.name && other.id > job.id)
        });
        prop_assert!(!deploys);
    }

    #[test]
    fn acting_makes_the_same_ask_impossible((ask, listed, mut ledger, conditions) in facts()) {
        let settings = settings();
        if matches!(decide_with(&settings, conditions, &ask, &listed, &ledger), Decision::Act(_)) {
            ledger.intend(&ask, Timestamp::of_clock(NOW));
            let again = decide_with(&settings, conditions, &ask, &listed, &ledger);
            prop_assert_eq!(reason_of(&again), Some(Reason::AlreadyDone));
        }
    }
}
