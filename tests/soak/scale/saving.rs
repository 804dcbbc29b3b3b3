//! Saves the timelines of all projects at once to a store that takes its time.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use gitlab_simulator::Handle;
use http::Method;
use testkit::daemon::{Daemon, Place, document_paths};
use testkit::fault_proxy::{Proxy, Trouble};
use testkit::figures::figure_of;
use testkit::large_company::configuration;
use testkit::s3_servers::{KEY, Rclone, SECRET};

use crate::scene::{Exporter, Scene};

/// Time that each write takes longer than the server needs.
const LATE: Duration = Duration::from_millis(20);

/// Writes at a time.
const WRITERS: u32 = 16;

/// The store holds everything by itself if saving takes no longer than so many times as it has to.
const FACTOR: u32 = 3;

/// A first round that takes longer is given up.
const LONGEST: Duration = Duration::from_mins(15);

/// The request that reads jobs. When none came for so long, the past is read.
const JOB_LISTING: &str = "GET /projects/:id/pipelines/:pid/jobs";
const PAST_PAUSE: Duration = Duration::from_secs(5);

/// Budget of memory at rest.
const BYTES_A_JOB: usize = 2048;

pub(super) struct Saved {
    projects: usize,
    jobs: usize,
    first_round: Duration,
    saving: Duration,
    at_rest: usize,
    most: usize,
    later: usize,
}

/// Reads everything, and then saves it.
pub(super) async fn measure(scene: &Scene, exporter: &Exporter) -> Saved {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("bucket");
    std::fs::create_dir_all(&bucket).unwrap();
    let rclone = Rclone::serve(folder.path());
    let proxy = Proxy::before(&rclone.url).await;
    let place = place(&scene.gitlab, exporter, &proxy);
    let begun = Instant::now();
    let daemon = place.start().await;
    // Nothing is written until everything is read.
    proxy.always(Method::PUT, Some(Trouble::Refuse(503, "SlowDown")));
    while daemon.get("/-/ready").await.0 != 200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(begun.elapsed() < LONGEST, "{}", daemon.log());
    }
    let first_round = begun.elapsed();
    has_read_the_past(&scene.gitlab).await;
    let mut saved = Saved {
        projects: scene.projects,
        jobs: scene.jobs,
        first_round,
        saving: Duration::ZERO,
        at_rest: 0,
        most: 0,
        later: 0,
    };
    saved.watch(&daemon, &proxy, &bucket.join("state")).await;
    daemon.stop().await;
    saved
}

fn place(gitlab: &Handle, exporter: &Exporter, proxy: &Proxy) -> Place {
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]")
        .with_program(exporter.program.clone())
        .with_environment(&[
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ]);
    let store = format!(
        "s3: {{bucket: bucket, prefix: state, endpoint_url: '{}', force_path_style: true}}",
        proxy.url()
    );
    place.configure(&configuration(gitlab, 1000, &store));
    place
}

impl Saved {
    /// From before the first document is written until a minute after the last one.
    async fn watch(&mut self, daemon: &Daemon, proxy: &Proxy, state: &Path) {
        let before = in_a_pause(proxy).await;
        self.at_rest = daemon.resident_bytes();
        proxy.always(Method::PUT, Some(Trouble::Late(LATE)));
        while proxy.count(&Method::PUT) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let begun = Instant::now();
        loop {
            for _ in 0..10 {
                self.most = self.most.max(daemon.resident_bytes());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if document_paths(state).len() >= self.projects {
                break;
            }
        }
        self.saving = begun.elapsed();
        tokio::time::sleep(Duration::from_mins(1)).await;
        self.later = daemon.resident_bytes();
    }

    /// Time that so many writes take by so many writers.
    fn fastest(&self) -> Duration {
        LATE * u32::try_from(self.projects).unwrap() / WRITERS
    }

    fn bytes_a_job(&self) -> usize {
        self.at_rest / self.jobs
    }

    fn more(&self, memory: usize) -> f64 {
        100.0 * (memory as f64 / self.at_rest as f64 - 1.0)
    }

    pub(super) fn report(&self, exporter: &str) {
        let bytes = format!("{} bytes", self.bytes_a_job());
        figure_of(
            exporter,
            "memory a job at rest",
            bytes,
            format!("{BYTES_A_JOB} bytes"),
        );
        let measured = format!("{:.1?}; {:.1?} at least", self.saving, self.fastest());
        let what = format!("saving {} documents, each write {LATE:.0?}", self.projects);
        figure_of(
            exporter,
            &what,
            measured,
            format!("{:.1?}", self.fastest() * FACTOR),
        );
        let more = format!("{:+.1} %", self.more(self.most));
        figure_of(
            exporter,
            "more memory while saving everything",
            more,
            "+10 %",
        );
    }

    pub(super) fn is_within_budget(&self) -> bool {
        let is_large = self.jobs >= 100_000;
        self.saving < self.fastest() * FACTOR + Duration::from_secs(1)
            && (!is_large || (self.bytes_a_job() <= BYTES_A_JOB && self.more(self.most) <= 10.0))
    }
}

/// Waits until the past of all projects is read, too.
async fn has_read_the_past(gitlab: &Handle) {
    let mut before = None;
    loop {
        let read = gitlab.count(JOB_LISTING);
        if before == Some(read) {
            return;
        }
        before = Some(read);
        tokio::time::sleep(PAST_PAUSE).await;
    }
}

/// Waits until the exporter waits before it tries to save again. Returns the number of writes so far.
async fn in_a_pause(proxy: &Proxy) -> usize {
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let count = proxy.count(&Method::PUT);
        if count == before {
            return count;
        }
        before = count;
    }
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0?} | {} bytes | {:.1?} ({:.1?} by {WRITERS} writers) | {:+.1} % | {:+.1} %",
            self.first_round,
            self.bytes_a_job(),
            self.saving,
            self.fastest(),
            self.more(self.most),
            self.more(self.later),
        )
    }
}
