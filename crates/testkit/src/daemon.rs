//! The exporter as a process: its folder, configuration, log, metrics and end.

mod place;
mod process;
mod wait;

use std::time::Duration;

use gitlab_simulator::{Handle, Options, Scenario, start};

pub use self::place::{Place, document_paths, folder};
pub use self::process::{Daemon, Ran, program};
pub use self::wait::{PATIENCE, holds, until, until_within};

pub fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// A simulated GitLab with a scenario. Its time stands still at the start.
pub async fn gitlab(scenario: &str) -> Handle {
    let options = Options {
        scenario: Some(Scenario::named(scenario).unwrap()),
        ..Options::default()
    };
    start(options).await.unwrap()
}
