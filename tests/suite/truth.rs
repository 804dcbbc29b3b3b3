//! The served gauges of every job against the truth of the simulated GitLab, step by step.

use std::time::Duration;

use testkit::daemon::gitlab;
use testkit::truth::{
    counters_are_true, differences, equal, place, polled, project_ids, windows_are_saved,
};

/// Goes through so many simulated minutes, and compares every gauge after each step.
async fn is_true_at_every_step(scenario: &str, step: Duration, minutes: u64) {
    let gitlab = gitlab(scenario).await;
    let place = place(&gitlab);
    let daemon = place.start().await;
    daemon.is_ready().await;
    let projects = project_ids(&gitlab);
    let end = Duration::from_mins(minutes);
    let mut passed = Duration::ZERO;
    while passed < end {
        gitlab.advance(step);
        passed += step;
        polled(&gitlab, &daemon, &projects).await;
        let found = differences(&daemon.scrape().await, &gitlab.truth());
        assert!(found.is_empty(), "after {passed:?}:\n{}", found.join("\n"));
    }
    counters_are_true(&daemon.scrape().await, &gitlab);
    daemon.stop().await;
    windows_are_saved(&place, &gitlab.truth());
}

#[tokio::test]
async fn every_gauge_is_true_at_every_quarter_of_twelve_minutes_of_all_scenarios() {
    is_true_at_every_step("demo", Duration::from_secs(15), 12).await;
}

#[tokio::test]
async fn child_pipelines_and_their_bridges_are_true_at_every_step() {
    is_true_at_every_step("child-pipelines", Duration::from_secs(15), 6).await;
}

#[tokio::test]
async fn every_gauge_becomes_true_although_a_tenth_of_the_requests_fail_and_the_exporter_is_killed()
{
    let gitlab = gitlab("demo").await;
    gitlab.faults(|faults| {
        faults.probability = 0.1;
        faults.retry_after = 0;
    });
    let place = place(&gitlab);
    let mut daemon = place.start().await;
    for minute in 1..=11 {
        gitlab.advance(Duration::from_mins(1));
        if minute % 3 == 0 {
            // In the middle of whatever it is doing.
            daemon.kill().await;
            daemon = place.start().await;
        }
        let truths = gitlab.truth();
        let what = format!("the truth of minute {minute}");
        daemon.shows(&what, |samples| equal(samples, &truths)).await;
    }
    counters_are_true(&daemon.scrape().await, &gitlab);
    daemon.stop().await;
    windows_are_saved(&place, &gitlab.truth());
}
