//! One exporter of the chaos.

use std::collections::BTreeMap;
use std::time::Duration;

use ci_history::Shard;
use gitlab_simulator::truth::JobTruth;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::time::{Instant, sleep};

use testkit::daemon::{Daemon, Place};
use testkit::truth;

use super::own_clock::OwnClock;

/// Maximum time to recover. An exporter that failed to save backs off before it tries again.
const PATIENCE: Duration = Duration::from_mins(3);

/// Ignores SIGXFSZ, so that exceeding a file size limit fails the write and does not end the process.
const UNDER: [&str; 4] = [
    "/bin/sh",
    "-c",
    "trap '' XFSZ; exec \"$0\" \"$@\"",
    "/usr/bin/env",
];

/// An exporter, running or not.
pub(crate) struct Exporter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) shard: Shard,
    pub(crate) on_disk: bool,
    pub(crate) running: Option<Daemon>,
    pub(crate) own_clock: OwnClock,
    /// The newest saved pipeline by document. It must never decrease.
    pub(crate) saved: BTreeMap<(u64, String), u64>,
}

impl Exporter {
    pub(crate) async fn start(&mut self) {
        if self.running.is_none() {
            let environment = self.own_clock.environment();
            let environment = environment.iter().map(String::as_str);
            let under: Vec<_> = UNDER.into_iter().chain(environment).collect();
            self.running = Some(self.place.start_under(&under).await);
        }
    }

    /// Waits until the exporter serves and has saved the truth. Returns the number of remaining differences.
    pub(crate) async fn becomes_true(&self, truths: &[JobTruth]) -> usize {
        let daemon = self.running.as_ref().unwrap();
        let end = Instant::now() + PATIENCE;
        let mut found = loop {
            let samples = daemon.scrape().await;
            let mut found = truth::differences(&samples, truths);
            let unsaved = samples.value("job_failure_exporter_state_unsaved_timelines", &[]);
            if unsaved != Some(0.0) {
                found.push(format!("unsaved timelines: {unsaved:?}"));
            }
            if found.is_empty() || Instant::now() > end {
                break found;
            }
            sleep(Duration::from_millis(50)).await;
        };
        let count = found.len();
        if count > 0 {
            found.truncate(3);
            println!(
                "{} differs from the truth, for example:\n{}",
                self.name,
                found.join("\n")
            );
            let log = daemon.log();
            let last: Vec<_> = log.lines().rev().take(20).collect();
            println!("the end of its log, newest first:\n{}", last.join("\n"));
        }
        count
    }

    /// Limits the size of the exporter's files, in bytes.
    pub(crate) fn limit_files(&self, current: Option<u64>) {
        if let Some(daemon) = &self.running {
            let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap());
            let maximum = getrlimit(Resource::Fsize).maximum;
            prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
        }
    }
}
