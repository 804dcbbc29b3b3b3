//! Requests of polling 200 projects in a simulated hour. Fails if they exceed the budget.

use std::process::ExitCode;

use job_failure_exporter::config::Api;
use testkit::economy;

pub(crate) async fn run() -> ExitCode {
    let by_rest = economy::hour(Api::Rest).await;
    print!("By REST:\n\n{}", by_rest.table());
    let by_graphql = economy::hour(Api::Auto).await;
    print!("\nWith sweeps by GraphQL:\n\n{}", by_graphql.table());
    by_rest.is_within_the_budget();
    by_graphql.is_swept();
    ExitCode::SUCCESS
}
