//! What holds for more than one job: outages, limits, one action for each failure, missing rights.

use super::*;

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
pub(super) fn acted(
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
fn an_alert_that_keeps_firing_is_followed_once() {
    let alert = |id: &str| Origin::Alert {
        caller: "alertmanager".into(),
        id: id.into(),
    };
    let mut ledger = Ledger::default();
    let mut earlier = failed(3000);
    earlier.job_id = 3;
    let mut followed = ask(earlier);
    followed.origin = alert("a");
    let number = ledger.intend(&followed, Timestamp::of_clock(NOW - 500));
    ledger.note(number, Progress::FailedAgain, None, None);
    let decided = |id| {
        let mut ask = ask(failed(400));
        ask.origin = alert(id);
        reason_of(&decide(&ask, &listed(), &ledger))
    };
    assert_eq!(decided("a"), Some(Reason::AlreadyDone));
    assert_eq!(decided("b"), None, "another one, or one that fires anew");
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
    ledger.set_halt(Some(crate::remediation::Halt {
        by: "ops".into(),
        at: Timestamp::of_clock(NOW),
    }));
    assert_eq!(
        reason_of(&decide(&ask(failed(400)), &listed(), &ledger)),
        Some(Reason::Halted)
    );
}
