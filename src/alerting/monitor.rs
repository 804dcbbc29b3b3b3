//! The servers for many readers: each page asks, and few requests go out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::cached::{Cached, FRESH};
use super::labels::JobLabels;
use super::report::{Overview, Report};
use super::servers::Servers;

/// Jobs whose reports are kept or asked for at a time.
const MOST_JOBS: usize = 256;

/// Project, ref, track and job.
type JobKey = [String; 4];

/// The report of a job, and when it was last wanted.
struct Wanted {
    at: Instant,
    report: Arc<Cached<Report>>,
}

/// See the module.
pub struct Monitor {
    servers: Servers,
    overview: Cached<Overview>,
    jobs: Mutex<HashMap<JobKey, Wanted>>,
}

impl Monitor {
    /// Asks these servers.
    pub fn new(servers: Servers) -> Self {
        Self {
            servers,
            overview: Cached::default(),
            jobs: Mutex::default(),
        }
    }

    /// All alerts, some seconds old at most.
    pub async fn overview(&self) -> Arc<Overview> {
        self.overview.get(self.servers.overview()).await
    }

    /// Everything about a job on a ref and track, some seconds old at most. `None` while too many others are asked for.
    pub async fn job(&self, job: JobLabels<'_>, now: i64) -> Option<Arc<Report>> {
        let report = self.wanted(job)?;
        Some(report.get(self.servers.ask(job, now)).await)
    }

    fn wanted(&self, job: JobLabels<'_>) -> Option<Arc<Cached<Report>>> {
        let parts = [
            job.project,
            job.ref_name.unwrap_or_default(),
            job.track.unwrap_or_default(),
            job.job_name,
        ];
        let at = Instant::now();
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        // A report that somebody waits for is held by him, too.
        jobs.retain(|_, it| it.at.elapsed() < FRESH || Arc::strong_count(&it.report) > 1);
        let key = parts.map(str::to_owned);
        if jobs.len() >= MOST_JOBS && !jobs.contains_key(&key) {
            return None;
        }
        let report = Arc::default();
        let wanted = jobs.entry(key).or_insert(Wanted { at, report });
        wanted.at = at;
        Some(wanted.report.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::asker::Asker;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_reports_of_few_jobs_are_kept_and_not_for_long() {
        let servers = Servers::new(None, None, Asker::Exporter).unwrap();
        let monitor = Monitor::new(servers);
        let ask = async |name: &str| {
            let job = JobLabels {
                project: "acme/app",
                ref_name: Some("main"),
                track: Some(""),
                job_name: name,
            };
            monitor.job(job, 0).await.is_some()
        };
        for number in 0..MOST_JOBS {
            assert!(ask(&number.to_string()).await, "{number}");
        }
        assert!(!ask("one more").await);
        assert!(ask("0").await, "it is known");
        tokio::time::advance(FRESH + Duration::from_secs(1)).await;
        assert!(ask("one more").await);
    }
}
