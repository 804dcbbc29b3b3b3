//! One exporter of the chaos.

use std::collections::BTreeMap;
use std::time::Duration;

use ci_history::Shard;
use gitlab_simulator::truth::JobTruth;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::time::{Instant, sleep};

use testkit::daemon::{Daemon, Place};
use testkit::truth;

/// How long it may take until all is well again: an exporter that could not save waits ever longer
/// before it tries again.
const PATIENCE: Duration = Duration::from_mins(3);

/// Lets a limit on the size of files fail the write and not end the process.
const UNDER: [&str; 3] = ["/bin/sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];

/// An exporter, running or not.
pub(crate) struct Exporter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) shard: Shard,
    pub(crate) on_disk: bool,
    pub(crate) running: Option<Daemon>,
    /// The newest pipeline that was seen saved, by document: none ever goes back.
    pub(crate) saved: BTreeMap<(u64, String), u64>,
}

impl Exporter {
    pub(crate) async fn start(&mut self) {
        if self.running.is_none() {
            self.running = Some(self.place.start_under(&UNDER).await);
        }
    }

    /// Waits until it serves the truth and has saved it; gives how much is wrong in the end.
    pub(crate) async fn becomes_true(&self, truths: &[JobTruth]) -> usize {
        let daemon = self.running.as_ref().unwrap();
        let end = Instant::now() + PATIENCE;
        let mut found = loop {
            let samples = daemon.scrape().await;
            let mut found = truth::differences(&samples, truths);
            let unsaved = samples.value("job_failure_exporter_state_unsaved_timelines", &[]);
            if unsaved != Some(0.0) {
                found.push(format!("timelines that are not saved: {unsaved:?}"));
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
                "{} is not as it should be, such as:\n{}",
                self.name,
                found.join("\n")
            );
            let log = daemon.log();
            let last: Vec<_> = log.lines().rev().take(20).collect();
            println!("its last words, newest first:\n{}", last.join("\n"));
        }
        count
    }

    /// Sets how large the exporter's files may become.
    pub(crate) fn limit_files(&self, current: Option<u64>) {
        if let Some(daemon) = &self.running {
            let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap());
            let maximum = getrlimit(Resource::Fsize).maximum;
            prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
        }
    }
}
