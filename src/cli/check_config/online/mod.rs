//! `check-config --online`: asks the servers of the configuration whether everything is as it needs. Only reads, but for a
//! probe in the bucket, which is removed again.
//!
//! | file | asks |
//! | --- | --- |
//! | `gitlab` | GitLab's version and APIs, then the following files |
//! | `token`, `groups`, `projects`, `refs`, `rate`, `remediation` | what watching needs of GitLab |
//! | `store` | the state directory or the bucket |
//! | `monitoring` | Prometheus and Alertmanager |

mod finding;
mod gitlab;
mod groups;
mod monitoring;
mod progress;
mod projects;
mod rate;
mod refs;
mod remediation;
mod server_clock;
mod store;
mod token;

use std::io::{self, Write};
use std::time::Duration;

use ci_history::duration;
use serde::Serialize;
use tokio::time::timeout;

use self::finding::{Finding, Findings, Level, Part};
use self::progress::Progress;
use super::super::table::counted;
use crate::config::{Config, Problems};

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Online {
    /// Whether every check came to its end.
    complete: bool,
    errors: usize,
    warnings: usize,
    findings: Vec<Finding>,
}

/// Asks all servers at a time, for `longest` at the most. `unreadable` has the secrets that could not be read.
pub(super) async fn check(
    config: &Config,
    unreadable: Option<&Problems>,
    longest: Duration,
) -> Online {
    let progress = Progress::start();
    let mut problems = unreadable.into_iter().flat_map(Problems::iter);
    let no_token = problems.find(|problem| problem.path == "gitlab.token_file");
    let no_token = no_token.map(|problem| problem.message.as_str());
    let of_gitlab = Findings::about(Part::Gitlab);
    let of_store = Findings::about(Part::Store);
    let of_servers = Findings::about(Part::Prometheus);
    let (gitlab, store, servers) = tokio::join!(
        timeout(
            longest,
            Box::pin(gitlab::check(config, no_token, &progress, &of_gitlab))
        ),
        timeout(longest, Box::pin(store::check(config, &of_store))),
        timeout(longest, Box::pin(monitoring::check(config, &of_servers))),
    );
    let late = [
        (gitlab.is_err(), &of_gitlab),
        (store.is_err(), &of_store),
        (servers.is_err(), &of_servers),
    ];
    for (is_late, findings) in late {
        if is_late {
            findings.error(format!(
                "not everything was asked within {}: raise --timeout, or see why it answers slowly",
                duration::format(longest)
            ));
        }
    }
    let lists = [of_gitlab.list(), of_store.list(), of_servers.list()];
    Online::of(lists.concat(), late.iter().all(|(is_late, _)| !is_late))
}

impl Online {
    fn of(findings: Vec<Finding>, complete: bool) -> Self {
        let count = |level| findings.iter().filter(|it| it.level() == level).count();
        Self {
            complete,
            errors: count(Level::Error),
            warnings: count(Level::Warning),
            findings,
        }
    }

    /// Whether there is an error.
    pub(super) fn has_failed(&self) -> bool {
        self.errors > 0
    }

    /// Writes a line for each finding, and one that counts them.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out)?;
        for finding in &self.findings {
            finding.write(out)?;
        }
        let (errors, warnings) = (self.errors, self.warnings);
        writeln!(
            out,
            "\n{}, {}",
            counted(errors, "error"),
            counted(warnings, "warning")
        )
    }
}
