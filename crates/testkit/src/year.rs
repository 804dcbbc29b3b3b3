//! A simulated year in which branches and jobs come and go, to show that the state stays bounded.

use std::collections::BTreeSet;
use std::time::Duration;

use gitlab_simulator::{JobPlan, Options, PipelinePlan, start};

use crate::daemon::{Daemon, Place, holds};
use crate::samples::Samples;
use crate::truth::polled;

/// Jobs of every pipeline.
const JOBS: [&str; 5] = ["build", "unit", "lint", "package", "deploy"];

const CLOCK_SUSPECT: &str = "job_failure_exporter_clock_suspect";

/// Default of `retention`.
const RETENTION_DAYS: u64 = 30;

/// Size of the exporter's state at the end of a day.
#[derive(Debug)]
pub struct Size {
    pub day: u64,
    pub timelines: u64,
    pub jobs: u64,
    pub series: u64,
    pub documents: u64,
    /// Resident memory of the exporter.
    pub kibibytes: u64,
}

/// Plays a year and returns the sizes after every `step` days.
///
/// At each step every project gets a pipeline of its default branch with a job that never returns, and a new
/// branch with a single pipeline.
pub async fn play(projects: u64, step: u64) -> Vec<Size> {
    let gitlab = start(Options::default()).await.unwrap();
    let ids: BTreeSet<u64> = (0..projects)
        .map(|n| gitlab.with(|world| world.create_project(&format!("acme/app-{n}"))))
        .collect();
    let place = Place::new(gitlab.url(), "groups: [{path: acme}], refs: ['.*']");
    let daemon = place.start().await;
    daemon.is_ready().await;
    // The simulated year is not this one: until the difference is proved, nothing expires.
    daemon.says("GitLab's clock has held").await;
    let mut sizes = Vec::new();
    for day in (step..=365).step_by(usize::try_from(step).unwrap()) {
        for id in &ids {
            let once = format!("once-{day}");
            let names = JOBS.into_iter().chain([once.as_str()]);
            let main = PipelinePlan::new(names.map(JobPlan::fails).collect::<Vec<_>>());
            let branch = PipelinePlan::new(JOBS.map(JobPlan::fails)).on(&format!("branch-{day}"));
            gitlab.with(|world| {
                world.push_pipeline(*id, main.instant());
                world.push_pipeline(*id, branch.instant());
            });
        }
        gitlab.advance(Duration::from_hours(24 * step));
        polled(&gitlab, &daemon, &ids).await;
        let proved = |samples: &Samples| {
            let suspect = samples.value(CLOCK_SUSPECT, &[("clock", "gitlab")]);
            holds(suspect == Some(0.0), "the clock has jumped")
        };
        daemon.shows("a proved clock", proved).await;
        // Meanwhile the saver applies the retention.
        polled(&gitlab, &daemon, &ids).await;
        sizes.push(measure(day, &daemon, &place).await);
    }
    daemon.stop().await;
    sizes
}

async fn measure(day: u64, daemon: &Daemon, place: &Place) -> Size {
    let samples = daemon.scrape().await;
    let gauge = |name: &str| {
        let found = samples.value(&format!("job_failure_exporter_{name}"), &[]);
        format!("{}", found.unwrap()).parse().unwrap()
    };
    Size {
        day,
        timelines: gauge("timelines"),
        jobs: gauge("jobs"),
        series: gauge("series"),
        documents: place.document_paths().len() as u64,
        kibibytes: daemon.resident_bytes() as u64 / 1024,
    }
}

/// The maximum of a figure in a span of days.
pub fn max(sizes: &[Size], days: (u64, u64), figure: impl Fn(&Size) -> u64) -> u64 {
    let in_span = sizes
        .iter()
        .filter(|it| (days.0..=days.1).contains(&it.day));
    in_span.map(figure).max().unwrap()
}

/// Asserts that the state contains only branches and jobs of the retention time.
#[track_caller]
pub fn assert_bounded(sizes: &[Size], projects: u64, step: u64) {
    // Two more steps: the pushes on the last day of the retention, and those about to expire.
    let young = RETENTION_DAYS / step + 2;
    let timelines = projects * (1 + young);
    // A job of a ref that lives stays four times as long.
    let seldom = 4 * RETENTION_DAYS / step + 2;
    let jobs = timelines * JOBS.len() as u64 + projects * seldom;
    let year = (0, 365);
    let max_timelines = max(sizes, year, |it| it.timelines);
    assert!(
        max_timelines <= timelines,
        "{max_timelines} timelines, at most {timelines} expected"
    );
    let max_jobs = max(sizes, year, |it| it.jobs);
    assert!(max_jobs <= jobs, "{max_jobs} jobs, at most {jobs} expected");
    let max_documents = max(sizes, year, |it| it.documents);
    assert!(
        max_documents <= timelines,
        "{max_documents} documents, at most {timelines} expected"
    );
    // All living branches are there: the year was really played.
    let least = projects * RETENTION_DAYS / step;
    assert!(
        max_timelines >= least,
        "{max_timelines} timelines, at least {least} expected"
    );
    let (first, second) = ((RETENTION_DAYS * 5, 250), (251, 365));
    let (before, after) = (
        max(sizes, first, |it| it.series),
        max(sizes, second, |it| it.series),
    );
    assert!(
        after <= before + before / 10,
        "{before} series, then {after}"
    );
    let memory = |days| max(sizes, days, |it| it.kibibytes);
    let (before, after) = (memory(first), memory(second));
    assert!(after <= before + before / 5, "{before} KiB, then {after}");
}
