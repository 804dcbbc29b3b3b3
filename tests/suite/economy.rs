//! The requests of an hour of 200 projects stay within the budget.

use job_failure_exporter::config::Api;
use testkit::economy::hour;
use testkit::hooked_project::{Fate, listings};

#[tokio::test(start_paused = true)]
async fn an_hour_of_two_hundred_projects_costs_what_the_budget_says() {
    let hour = hour(Api::Rest).await;
    // Past the capture of tests' output: the numbers are to be seen.
    std::io::Write::write_all(&mut std::io::stdout(), hour.table().as_bytes()).unwrap();
    hour.is_within_the_budget();
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
