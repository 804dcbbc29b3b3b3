//! Exporters to measure, and a company with many jobs whose state they start with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gitlab_simulator::Handle;
use testkit::client;
use testkit::daemon::{Place, program};
use testkit::environment::{setting, variable};
use testkit::large_company::{Size, configuration, large_company};

/// Jobs of each project, and its pipelines.
const JOBS: usize = 40;
const PIPELINES: usize = 10;

/// Requests a second while the state is made, and while it is measured.
const QUICKLY: u32 = 1000;
const USUALLY: u32 = 10;

/// An exporter to measure.
pub(crate) struct Exporter {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    /// Whether it is held to the budgets.
    pub(crate) is_ours: bool,
}

/// Another exporter if there is one, then this one.
pub(crate) fn exporters() -> Vec<Exporter> {
    let before = variable("SCALE_BEFORE").map(|path| Exporter {
        name: "before",
        program: path.into(),
        is_ours: false,
    });
    let now = Exporter {
        name: "now",
        program: program(),
        is_ours: true,
    };
    before.into_iter().chain([now]).collect()
}

/// A company on the simulated GitLab, and what the first exporter saved of it.
pub(crate) struct Scene {
    pub(crate) gitlab: Handle,
    pub(crate) projects: usize,
    pub(crate) jobs: usize,
    saved_by: Place,
}

impl Scene {
    /// `SCALE_JOBS=20000` sets the number of jobs.
    pub(crate) async fn build() -> Self {
        let jobs = setting("SCALE_JOBS", 200_000_usize);
        let size = Size {
            projects: jobs.div_ceil(JOBS),
            jobs: JOBS,
            pipelines: PIPELINES,
        };
        let gitlab = large_company(size).await;
        // The later one reads what the earlier one wrote.
        let saved_by = place(&gitlab, &exporters()[0], QUICKLY);
        let begun = Instant::now();
        let daemon = saved_by.start().await;
        while daemon.get("/-/ready").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!(
            "{} jobs of {} projects, first read in {:.0?}",
            size.projects * size.jobs,
            size.projects,
            begun.elapsed()
        );
        daemon.stop().await;
        Self {
            gitlab,
            projects: size.projects,
            jobs: size.projects * size.jobs,
            saved_by,
        }
    }

    /// Documents of the state.
    pub(crate) fn documents(&self) -> Vec<PathBuf> {
        self.saved_by.document_paths()
    }

    /// A place for an exporter with a copy of the state.
    pub(crate) fn place(&self, exporter: &Exporter) -> Place {
        let place = place(&self.gitlab, exporter, USUALLY);
        let mut copy = std::process::Command::new("cp");
        let copy = copy.arg("-r").arg(self.saved_by.state()).arg(place.state());
        assert!(copy.status().unwrap().success());
        place
    }

    /// Waits until all jobs are shown.
    pub(crate) async fn is_shown_by(&self, address: SocketAddr) {
        let mut shown = 0;
        for _ in 0..3000 {
            let answer = client().get(format!("http://{address}/metrics")).send();
            let page = answer.await.unwrap().text().await.unwrap();
            shown = shown_jobs(&page);
            if shown == self.jobs {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("found {shown} jobs, wanted {}", self.jobs);
    }
}

/// Jobs of a scraped page.
pub(crate) fn shown_jobs(page: &str) -> usize {
    page.matches("\njob_consecutive_failures{").count()
}

fn place(gitlab: &Handle, exporter: &Exporter, requests_per_second: u32) -> Place {
    let place =
        Place::new(gitlab.url(), "groups: [{path: acme}]").with_program(exporter.program.clone());
    let store = format!("directory: '{}'", place.state().display());
    place.configure(&configuration(gitlab, requests_per_second, &store));
    place
}
