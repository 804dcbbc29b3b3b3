//! Tests of the guard: each condition by itself.

mod bounds;
mod properties;

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
