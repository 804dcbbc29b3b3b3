//! What restarts cost: requests, and the time until the exporter is ready. Fails if they exceed the budget.

use std::process::ExitCode;

use testkit::restart::measure;

pub(crate) fn run() -> ExitCode {
    measure(|restart| {
        println!("Restart {restart}");
        restart.is_within_the_budget();
    });
    ExitCode::SUCCESS
}
