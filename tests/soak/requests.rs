//! Requests of a simulated hour of 200 projects, by what happens in them. Fails where the budget is not kept.

use std::process::ExitCode;

use testkit::economy;

pub(crate) async fn run() -> ExitCode {
    let hour = economy::hour().await;
    print!("{}", hour.table());
    hour.is_within_the_budget();
    ExitCode::SUCCESS
}
