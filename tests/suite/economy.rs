//! The requests of an hour of 200 projects stay within the budget.

use job_failure_exporter::config::Api;
use testkit::economy::hour;

#[tokio::test(start_paused = true)]
async fn an_hour_of_two_hundred_projects_costs_what_the_budget_says() {
    let hour = hour(Api::Rest).await;
    // Past the capture of tests' output: the numbers are to be seen.
    std::io::Write::write_all(&mut std::io::stdout(), hour.table().as_bytes()).unwrap();
    hour.is_within_the_budget();
}
