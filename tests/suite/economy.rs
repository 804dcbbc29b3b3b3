//! The requests of an hour of 200 projects stay within the budget.

use std::time::Duration;

use gitlab_simulator::{JobPlan, PipelinePlan};
use job_failure_exporter::config::Api;
use testkit::economy::hour;
use testkit::hooked_project::{Fate, listings, lost_end};
use testkit::usual_hour::{Way, usual_hour};

const JOBS: &str = "GET /projects/:id/pipelines/:pid/jobs";

#[tokio::test(start_paused = true)]
async fn an_hour_of_two_hundred_projects_costs_what_the_budget_says() {
    let hour = hour(Api::Rest).await;
    // Past the capture of tests' output: the numbers are to be seen.
    std::io::Write::write_all(&mut std::io::stdout(), hour.table().as_bytes()).unwrap();
    hour.is_within_the_budget();
}

/// Each pipeline has 20 webhooks.
#[tokio::test(start_paused = true)]
async fn webhooks_of_many_projects_share_their_requests() {
    let hour = usual_hour(Way::Hooks, true, 400).await;
    let pipelines = 400 / 20 * 6;
    let by_rest = hour.by_endpoint[JOBS];
    assert!(by_rest < 8 * pipelines, "{hour:?}");
    // Five seconds for others, one for what is read meanwhile, and what passes between two looks.
    assert!(hour.latest.pipeline <= 8, "{hour:?}");
    assert!(hour.latest.job <= 8, "{hour:?}");
}

/// The first hour earns the trust.
#[tokio::test(start_paused = true)]
async fn a_project_whose_webhooks_come_is_polled_seldom_until_one_is_missing() {
    use Fate::{Delivered, Lost};
    let listed = listings(&[Delivered, Delivered, Lost, Lost, Delivered]).await;
    // Once while each of its two pipelines runs, and once when nothing does.
    assert!(listed[1] <= 6, "{listed:?}");
    // The first lost pipeline is found, at the latest after an hour, and polling is what it is without webhooks.
    assert!(listed[3] >= 12, "{listed:?}");
    // One webhook that comes again is no sign that all do.
    assert!(listed[4] >= 12, "{listed:?}");
}

#[tokio::test(start_paused = true)]
async fn forged_webhooks_do_not_make_a_project_be_polled_less() {
    use Fate::{Forged, Lost};
    let forged = listings(&[Lost, Forged, Forged]).await;
    assert!(forged[1..].iter().all(|count| *count >= 12), "{forged:?}");
}

fn taking(name: &str, time: Duration) -> JobPlan {
    JobPlan::passes(name).taking(Duration::from_secs(5), time)
}

#[tokio::test(start_paused = true)]
async fn an_end_of_which_no_webhook_tells_is_known_after_a_minute_for_few_requests() {
    let look = Duration::from_secs(5);
    let single = PipelinePlan::new([taking("unit", Duration::from_secs(200))]);
    let child = PipelinePlan::new([taking("inner", Duration::from_secs(200))]);
    let family = PipelinePlan::new([JobPlan::passes("build"), JobPlan::triggers("child", child)]);
    for (plan, most) in [(single, 12), (family, 30)] {
        let end = lost_end(plan, look, 120).await;
        assert!(end.late <= Duration::from_secs(75), "{end:?}");
        assert!(end.requests <= most, "{end:?}");
    }
}

/// A pipeline that goes on for so long does not keep its project at the pace of running ones.
#[tokio::test(start_paused = true)]
async fn an_end_after_many_hours_is_not_left_to_the_hourly_poll() {
    let look = Duration::from_mins(1);
    let plan = PipelinePlan::new([taking("soak", Duration::from_mins(8 * 60 + 2))]);
    let end = lost_end(plan, look, 600).await;
    assert!(end.late <= Duration::from_mins(33), "{end:?}");
}
