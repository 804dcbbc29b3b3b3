//! Requests of polling 200 projects in a simulated hour, of first starts and of restarts. Fails if they exceed the budget.

use std::process::ExitCode;

use job_failure_exporter::config::Api;
use testkit::economy;
use testkit::first_start::first_start;

/// Most seconds until the newest pipelines of 1,000 projects are read.
const LONGEST_START: u64 = 240;

pub(crate) async fn run() -> ExitCode {
    for projects in [200, 1000] {
        for (api, name) in [(Api::Auto, "with GraphQL"), (Api::Rest, "by REST")] {
            let start = first_start(api, projects).await;
            println!("First start {name}, {start}");
            if api == Api::Auto {
                assert!(start.seconds < LONGEST_START, "{start}");
            }
            assert_eq!(start.shown, projects);
        }
    }
    super::restart::run();
    let by_rest = economy::hour(Api::Rest).await;
    print!("By REST:\n\n{}", by_rest.table());
    let by_graphql = economy::hour(Api::Auto).await;
    print!("\nWith sweeps by GraphQL:\n\n{}", by_graphql.table());
    by_rest.is_within_the_budget();
    by_graphql.is_swept();
    ExitCode::SUCCESS
}
