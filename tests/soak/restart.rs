//! What restarts cost: requests, and the time until the exporter is ready. Fails if they exceed the budget.

use std::process::ExitCode;

use testkit::figures::figure;
use testkit::restart::measure;

pub(crate) fn run() -> ExitCode {
    measure(|restart| {
        println!("Restart {restart}");
        let (projects, api) = (restart.projects, restart.api);
        for (news, cost) in [
            ("nothing new", restart.nothing_new),
            ("5 % moved meanwhile", restart.some_moved),
        ] {
            let what = format!("restart of {projects} projects, {api:?}, {news}");
            figure(&what, cost, "-");
        }
        restart.is_within_the_budget();
    });
    ExitCode::SUCCESS
}
