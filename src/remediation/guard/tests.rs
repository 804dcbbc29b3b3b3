//! Tests of the guard: each condition by itself, and properties over random facts.

use proptest::prelude::*;

use super::super::ask::FailedJob;
use super::super::ledger::Progress;
use super::*;
use crate::config::{
    ActionLimits, CircuitRule, FailureMatch, Mode, PauseWhen, Remediation, RemediationRule,
};
use ci_history::FailureClass;
use std::time::Duration;

const NOW: i64 = 1_000_000;
const DELAYS: [u64; 2] = [60, 300];

fn settings() -> Remediation {
    Remediation {
        mode: Mode::Act,
        token: None,
        token_file: None,
        rules: vec![RemediationRule {
            name: "all".into(),
            when: FailureMatch::default(),
            action: ActionKind::Recover,
            play: None,
            delays: DELAYS.map(Duration::from_secs).into(),
        }],
        limits: ActionLimits {
            actions_per_hour: 4,
            per_project_per_hour: 3,
            per_pipeline: 2,
            younger_than: Duration::from_hours(6),
        },
        circuit: CircuitRule {
            failures: 5,
            reset: CircuitReset::Pass,
        },
        pause_when: PauseWhen {
            failing_share: 0.3,
            at_least: 10,
        },
        allow_deployments: false,
        deployments: Vec::new(),
        callers: Vec::new(),
    }
}

fn failed(seconds_ago: i64) -> FailedJob {
    FailedJob {
        project_id: 7,
        project: "acme/shop".into(),
        ref_name: "main".into(),
        track: None,
        name: "unit".into(),
        stage: "test".into(),
        team: None,
        pipeline_id: 100,
        job_id: 12,
        failed_at: Timestamp::of_clock(NOW - seconds_ago),
        class: FailureClass::Infrastructure,
        reason: None,
        log_rule: None,
        streak: 1,
    }
}

fn ask(job: FailedJob) -> Ask {
    Ask {
        origin: Origin::Rule("all".into()),
        kind: ActionKind::Recover,
        play: None,
        since: None,
        job,
    }
}

fn listed_job(id: u64, name: &str, stage: &str, status: Status) -> ListedJob {
    ListedJob {
        id,
        name: name.into(),
        stage: stage.into(),
        status,
        allow_failure: false,
        archived: false,
        deploys: stage == "deploy",
        user: Some(1),
    }
}

/// A pipeline whose job `unit` failed in the second of three stages.
fn listed() -> Listed {
    Listed {
        me: 99,
        ref_name: Some("main".into()),
        jobs: vec![
            listed_job(11, "compile", "build", Status::Success),
            listed_job(12, "unit", "test", Status::Failed),
            listed_job(13, "report", "after", Status::Skipped),
        ],
        parent_jobs: Vec::new(),
        newest_finished: Some(100),
        newest: Some(100),
    }
}

/// What is decided about `ask`, 400 s after its failure unless it says otherwise.
fn decide(ask: &Ask, listed: &Listed, ledger: &Ledger) -> Decision {
    decide_with(&settings(), Conditions::default(), ask, listed, ledger)
}

fn decide_with(
    settings: &Remediation,
    conditions: Conditions,
    ask: &Ask,
    listed: &Listed,
    ledger: &Ledger,
) -> Decision {
    let guard = Guard {
        settings,
        ledger,
        conditions,
        now: Timestamp::of_clock(NOW),
    };
    guard.after_listing(ask, listed)
}

fn reason_of(decision: &Decision) -> Option<Reason> {
    match decision {
        Decision::Act(_) => None,
        Decision::Wait { reason, .. } | Decision::Refuse(reason) => Some(*reason),
    }
}

fn reason(change: impl FnOnce(&mut Ask, &mut Listed)) -> Option<Reason> {
    let (mut ask, mut listed) = (ask(failed(400)), listed());
    change(&mut ask, &mut listed);
    reason_of(&decide(&ask, &listed, &Ledger::default()))
}

#[test]
fn the_newest_failed_attempt_of_the_newest_finished_pipeline_is_retried() {
    let decision = decide(&ask(failed(400)), &listed(), &Ledger::default());
    assert_eq!(decision, Decision::Act(Target::Job(12)));
}

#[test]
fn what_gitlab_lists_can_speak_against_it() {
    let newer = |listed: &mut Listed, status| {
        listed.jobs.push(listed_job(14, "unit", "test", status));
    };
    assert_eq!(
        reason(|_, it| newer(it, Status::Running)),
        Some(Reason::NewerAttempt)
    );
    assert_eq!(
        reason(|_, it| newer(it, Status::Success)),
        Some(Reason::NewerAttempt)
    );
    assert_eq!(
        reason(|_, it| it.jobs[1].status = Status::Success),
        Some(Reason::NotFailed)
    );
    assert_eq!(
        reason(|_, it| it.jobs[1].archived = true),
        Some(Reason::Archived)
    );
    assert_eq!(
        reason(|_, it| it.newest_finished = Some(101)),
        Some(Reason::NewerPipeline)
    );
    assert_eq!(
        reason(|_, it| it.newest = Some(101)),
        None,
        "a newer one still runs"
    );
    assert_eq!(
        reason(|_, it| it.jobs[0].status = Status::Failed),
        Some(Reason::UpstreamFailed)
    );
    assert_eq!(reason(|_, it| it.jobs.clear()), Some(Reason::Gone));
    let may_fail = |listed: &mut Listed| {
        listed.jobs[0].status = Status::Failed;
        listed.jobs[0].allow_failure = true;
    };
    assert_eq!(reason(|_, it| may_fail(it)), None);
}

#[test]
fn nothing_that_deploys_is_started_or_revived_unless_allowed() {
    let behind = |listed: &mut Listed| listed.jobs[2].deploys = true;
    assert_eq!(reason(|_, it| behind(it)), Some(Reason::RevivesDeployment));
    assert_eq!(
        reason(|_, it| it.jobs[1].deploys = true),
        Some(Reason::Deployment)
    );
    let in_parent = |listed: &mut Listed| {
        listed.parent_jobs = vec![listed_job(5, "rollout", "deploy", Status::Skipped)];
    };
    assert_eq!(
        reason(|_, it| in_parent(it)),
        Some(Reason::RevivesDeployment)
    );
    let before = |listed: &mut Listed| listed.jobs[0].deploys = true;
    assert_eq!(
        reason(|_, it| before(it)),
        None,
        "it ran, and is not started again"
    );
    let manual = |listed: &mut Listed| {
        listed.jobs[2].deploys = true;
        listed.jobs[2].status = Status::Blocked;
    };
    assert_eq!(
        reason(|_, it| manual(it)),
        None,
        "a manual job waits for a person"
    );
    let mut allowed = settings();
    allowed.allow_deployments = true;
    let mut listed = listed();
    behind(&mut listed);
    let ledger = Ledger::default();
    let decision = decide_with(
        &allowed,
        Conditions::default(),
        &ask(failed(400)),
        &listed,
        &ledger,
    );
    assert_eq!(decision, Decision::Act(Target::Job(12)));
}

#[test]
fn each_try_waits_for_its_delay_and_tries_are_counted_in_gitlab() {
    let at = |seconds_ago: i64, my_tries: u64| {
        let mut listed = listed();
        for id in 0..my_tries {
            let mut mine = listed_job(1 + id, "unit", "test", Status::Failed);
            mine.user = Some(99);
            listed.jobs.push(mine);
        }
        decide(&ask(failed(seconds_ago)), &listed, &Ledger::default())
    };
    assert_eq!(reason_of(&at(59, 0)), Some(Reason::Delay));
    assert_eq!(reason_of(&at(67, 0)), None, "a tenth of jitter at most");
    assert_eq!(reason_of(&at(299, 1)), Some(Reason::Delay));
    assert_eq!(reason_of(&at(331, 1)), None);
    assert_eq!(reason_of(&at(10_000, 2)), Some(Reason::TriesUsedUp));
    assert_eq!(reason_of(&at(21_601, 0)), Some(Reason::TooOld));
}

#[test]
fn people_wait_for_no_delay_and_are_held_by_everything_else() {
    let by_person = |ask: &mut Ask| ask.origin = Origin::Caller("ops".into());
    assert_eq!(
        reason(|ask, _| {
            by_person(ask);
            ask.job.failed_at = Timestamp::of_clock(NOW);
        }),
        None
    );
    assert_eq!(
        reason(|ask, it| {
            by_person(ask);
            it.jobs[1].archived = true;
        }),
        Some(Reason::Archived)
    );
    assert_eq!(
        reason(|ask, _| {
            by_person(ask);
            ask.job.streak = 5;
        }),
        Some(Reason::CircuitOpen)
    );
}

#[test]
fn the_circuit_opens_at_its_streak_and_a_reset_counts_from_there() {
    let with_streak = |streak, ledger: &Ledger| {
        let mut job = failed(400);
        job.streak = streak;
        reason_of(&decide(&ask(job), &listed(), ledger))
    };
    let mut ledger = Ledger::default();
    assert_eq!(with_streak(4, &ledger), None);
    assert_eq!(with_streak(5, &ledger), Some(Reason::CircuitOpen));
    let now = Timestamp::of_clock(NOW);
    assert!(ledger.open_circuit(&failed(400), now) && !ledger.open_circuit(&failed(400), now));
    let name = super::super::ledger::JobName::of(&failed(400));
    assert!(ledger.reset_circuit(&name, 5) && !ledger.reset_circuit(&name, 5));
    assert_eq!(with_streak(9, &ledger), None);
    assert_eq!(with_streak(10, &ledger), Some(Reason::CircuitOpen));
}

#[test]
fn a_circuit_that_only_an_operator_closes_stays_open_when_the_streak_is_short_again() {
    let mut settings = settings();
    settings.circuit.reset = CircuitReset::Manual;
    let mut ledger = Ledger::default();
    ledger.open_circuit(&failed(400), Timestamp::of_clock(NOW));
    let conditions = Conditions::default();
    let decision = decide_with(&settings, conditions, &ask(failed(400)), &listed(), &ledger);
    assert_eq!(decision, Decision::Refuse(Reason::CircuitOpen));
}

#[test]
fn an_outage_and_a_gitlab_that_fails_make_everything_wait() {
    let with = |conditions| {
        let settings = settings();
        let ledger = Ledger::default();
        decide_with(&settings, conditions, &ask(failed(400)), &listed(), &ledger)
    };
    let outage = with(Conditions {
        outage: true,
        gitlab_down: false,
    });
    assert!(matches!(
        outage,
        Decision::Wait {
            reason: Reason::Outage,
            ..
        }
    ));
    let down = with(Conditions {
        outage: false,
        gitlab_down: true,
    });
    assert!(matches!(
        down,
        Decision::Wait {
            reason: Reason::GitlabDown,
            ..
        }
    ));
}

/// Actions on other failures, `seconds_ago`, in this project and pipeline.
fn acted(
    ledger: &mut Ledger,
    job_id: u64,
    project_id: u64,
    pipeline_id: u64,
    seconds_ago: i64,
) -> u64 {
    let mut job = failed(400);
    job.name = format!("job-{job_id}").into();
    (job.job_id, job.project_id, job.pipeline_id) = (job_id, project_id, pipeline_id);
    let number = ledger.intend(&ask(job), Timestamp::of_clock(NOW - seconds_ago));
    ledger.note(number, Progress::Started, None, None);
    number
}

#[test]
fn limits_hold_in_all_projects_in_one_and_in_a_pipeline() {
    let decided = |actions: &[(u64, u64, i64)]| {
        let mut ledger = Ledger::default();
        for (n, (project, pipeline, ago)) in (50..).zip(actions) {
            acted(&mut ledger, n, *project, *pipeline, *ago);
        }
        reason_of(&decide(&ask(failed(400)), &listed(), &ledger))
    };
    assert_eq!(decided(&[(1, 1, 10), (2, 2, 10), (3, 3, 10)]), None);
    assert_eq!(
        decided(&[(1, 1, 10), (2, 2, 10), (3, 3, 10), (4, 4, 10)]),
        Some(Reason::HourlyLimit)
    );
    assert_eq!(
        decided(&[(1, 1, 10), (2, 2, 10), (3, 3, 10), (4, 4, 3601)]),
        None
    );
    assert_eq!(
        decided(&[(7, 1, 10), (7, 2, 10), (7, 3, 10)]),
        Some(Reason::ProjectLimit)
    );
    assert_eq!(
        decided(&[(7, 100, 4000), (7, 100, 4000)]),
        Some(Reason::PipelineLimit)
    );
}

#[test]
fn a_failure_is_acted_on_once_whatever_became_of_it() {
    let decided = |progress| {
        let mut ledger = Ledger::default();
        let number = ledger.intend(&ask(failed(400)), Timestamp::of_clock(NOW - 20));
        ledger.note(number, progress, None, None);
        reason_of(&decide(&ask(failed(400)), &listed(), &ledger))
    };
    for done in [
        Progress::Intended,
        Progress::Started,
        Progress::Recovered,
        Progress::FailedAgain,
        Progress::Refused,
    ] {
        assert_eq!(decided(done), Some(Reason::AlreadyDone), "{done:?}");
    }
    assert_eq!(decided(Progress::NotDone), None, "it never reached GitLab");
}

#[test]
fn an_alert_that_keeps_firing_asks_once() {
    let decided = |acted_ago, fires_for| {
        let mut ledger = Ledger::default();
        let mut earlier = failed(3000);
        earlier.job_id = 3;
        let number = ledger.intend(&ask(earlier), Timestamp::of_clock(NOW - acted_ago));
        ledger.note(number, Progress::FailedAgain, None, None);
        let mut ask = ask(failed(400));
        ask.origin = Origin::Caller("alertmanager".into());
        ask.since = Some(Timestamp::of_clock(NOW - fires_for));
        reason_of(&decide(&ask, &listed(), &ledger))
    };
    assert_eq!(decided(500, 1000), Some(Reason::AlreadyDone));
    assert_eq!(decided(1000, 500), None, "it fires anew since then");
}

#[test]
fn while_one_action_in_a_project_is_on_its_way_another_one_waits() {
    let mut ledger = Ledger::default();
    let number = acted(&mut ledger, 50, 7, 1, 5);
    ledger.note(number, Progress::Intended, None, None);
    assert_eq!(
        reason_of(&decide(&ask(failed(400)), &listed(), &ledger)),
        Some(Reason::Busy)
    );
}

#[test]
fn a_project_without_rights_is_left_alone_for_hours_and_an_operator_can_stop_everything() {
    let mut ledger = Ledger::default();
    ledger.stop(7, Timestamp::of_clock(NOW - 21_599));
    assert_eq!(
        reason_of(&decide(&ask(failed(400)), &listed(), &ledger)),
        Some(Reason::NoRights)
    );
    ledger.stop(7, Timestamp::of_clock(NOW - 21_600));
    assert_eq!(
        reason_of(&decide(&ask(failed(400)), &listed(), &ledger)),
        None
    );
    ledger.set_halt(Some(super::super::ledger::Halt {
        by: "ops".into(),
        at: Timestamp::of_clock(NOW),
    }));
    assert_eq!(
        reason_of(&decide(&ask(failed(400)), &listed(), &ledger)),
        Some(Reason::Halted)
    );
}

#[test]
fn a_fallback_is_started_only_where_it_waits() {
    let play = |change: fn(&mut ListedJob)| {
        let mut fallback = listed_job(15, "fallback", "after", Status::Blocked);
        change(&mut fallback);
        reason(|ask, listed| {
            ask.kind = ActionKind::Play;
            ask.play = Some("fallback".into());
            listed.jobs.push(fallback);
        })
    };
    assert_eq!(play(|_| {}), None);
    assert_eq!(
        play(|job| job.status = Status::Running),
        Some(Reason::NothingToPlay)
    );
    assert_eq!(
        play(|job| job.name = "other".into()),
        Some(Reason::NothingToPlay)
    );
    assert_eq!(play(|job| job.deploys = true), Some(Reason::Deployment));
}

#[test]
fn a_new_pipeline_is_started_only_if_there_is_no_newer_one() {
    let restart = |newest, deploys| {
        reason(|ask, listed| {
            ask.kind = ActionKind::Restart;
            listed.newest = Some(newest);
            listed.jobs[0].deploys = deploys;
        })
    };
    assert_eq!(restart(100, false), None);
    assert_eq!(restart(101, false), Some(Reason::NewerPipeline));
    assert_eq!(restart(100, true), Some(Reason::RevivesDeployment));
}

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
