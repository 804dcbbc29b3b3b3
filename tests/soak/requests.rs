//! Requests of polling 200 projects in a simulated hour. Fails if they exceed the budget.

use std::process::ExitCode;

use testkit::economy;

pub(crate) async fn run() -> ExitCode {
    let hour = economy::hour().await;
    print!("{}", hour.table());
    hour.is_within_the_budget();
    ExitCode::SUCCESS
}
