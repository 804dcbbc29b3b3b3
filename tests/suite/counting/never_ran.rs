//! Jobs and pipelines that never ran: outdated deployments, and what datadog-agent's task never saw.

use ci_history::{JobObservation, Outcome, OutdatedDeployments, Rules, Status};

use Status::{Canceled, Failed, Running, Skipped, Success};

use super::{at, figures, job, pipeline, timeline};

fn outdated(id: u64, reason: &str) -> JobObservation {
    JobObservation {
        started_at: None,
        duration: None,
        failure_reason: Some(reason.into()),
        ..job(id, "deploy", Failed)
    }
}

#[test]
fn an_outdated_deployment_is_no_outcome() {
    let rules = Rules::default();
    for reason in [
        "failed_outdated_deployment_job",
        "forward_deployment_failure",
    ] {
        let mut timeline = timeline();
        let deployed = [job(10, "deploy", Success)];
        timeline.observe(&pipeline(1, Success), &deployed, &rules, at(0));
        for id in 2..6 {
            let jobs = [outdated(id * 10, reason)];
            timeline.observe(&pipeline(id, Failed), &jobs, &rules, at(0));
        }
        let deploy = figures(&timeline, "deploy", &rules);
        assert_eq!(
            (deploy.consecutive_failures, deploy.window_executions),
            (0, 1)
        );
        assert_eq!(deploy.executions.total(), 1);
        assert_eq!(deploy.last_failure, None);
        assert!(deploy.duration.is_some(), "of the deployment that ran");
    }
}

#[test]
fn an_outdated_retry_leaves_the_outcome_of_the_attempt_that_ran() {
    let rules = Rules::default();
    for (ran, streak) in [(Success, 0), (Failed, 1)] {
        let jobs = [
            job(10, "deploy", ran),
            outdated(11, "failed_outdated_deployment_job"),
        ];
        let mut timeline = timeline();
        timeline.observe(&pipeline(1, Failed), &jobs, &rules, at(0));
        let deploy = figures(&timeline, "deploy", &rules);
        assert_eq!(deploy.consecutive_failures, streak);
        assert_eq!(deploy.window_executions, 1);
    }
}

#[test]
fn an_outdated_deployment_counts_where_the_rules_say_so() {
    let rules = Rules {
        outdated_deployments: OutdatedDeployments::Count,
        ..Rules::default()
    };
    let mut timeline = timeline();
    let jobs = [outdated(10, "failed_outdated_deployment_job")];
    timeline.observe(&pipeline(1, Failed), &jobs, &rules, at(0));
    let deploy = figures(&timeline, "deploy", &rules);
    assert_eq!(deploy.executions.get(Outcome::Failed), 1);
}

#[test]
fn under_the_preset_pipelines_in_which_the_original_could_not_run_change_nothing() {
    let rules = Rules::datadog_agent();
    let ends: [(&str, Status, Vec<JobObservation>); 4] = [
        ("skipped", Skipped, vec![]),
        ("without jobs", Failed, vec![]),
        ("canceled", Canceled, vec![job(50, "unit", Canceled)]),
        (
            "canceled after a failure",
            Canceled,
            vec![job(50, "unit", Failed)],
        ),
    ];
    for (what, status, jobs) in ends {
        let mut timeline = timeline();
        for id in 1..=4 {
            let failed = [job(id * 10, "unit", Failed)];
            timeline.observe(&pipeline(id, Failed), &failed, &rules, at(0));
        }
        let before = figures(&timeline, "unit", &rules);
        timeline.observe(&pipeline(5, Running), &jobs, &rules, at(0));
        timeline.observe(&pipeline(5, status), &jobs, &rules, at(0));
        let after = figures(&timeline, "unit", &rules);
        assert_eq!(after.consecutive_failures, 4, "{what}");
        assert_eq!(after.window, before.window, "{what}");
        assert_eq!(timeline.newest_finished(), 4, "{what}");
        // The next pipeline goes on where the fourth left off.
        let failed = [job(60, "unit", Failed)];
        timeline.observe(&pipeline(6, Failed), &failed, &rules, at(0));
        assert_eq!(figures(&timeline, "unit", &rules).consecutive_failures, 5);
    }
}

#[test]
fn a_job_with_an_empty_list_of_entries_gets_its_passing_entry() {
    let rules = Rules::datadog_agent();
    let mut timeline = timeline();
    timeline.import_job("absent".into(), 0, 0, Vec::new(), &rules);
    for id in 1..=2 {
        let failed = [job(id * 10, "unit", Failed)];
        timeline.observe(&pipeline(id, Failed), &failed, &rules, at(0));
        let absent = figures(&timeline, "absent", &rules);
        assert_eq!(absent.window_executions as u64, id);
        assert_eq!(absent.consecutive_failures, 0);
    }
}
