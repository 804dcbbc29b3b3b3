//! A simulated year of branches and jobs that come and go: what is kept does not grow.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use gitlab_simulator::{JobPlan, Options, PipelinePlan, start};

use crate::daemon::{Daemon, Place};
use crate::truth::polled;

/// Jobs that every pipeline has.
const JOBS: [&str; 5] = ["build", "unit", "lint", "package", "deploy"];

/// As the configuration's default has it.
const RETENTION_DAYS: u64 = 30;

/// What is kept at the end of a day.
#[derive(Debug)]
pub struct Kept {
    pub day: u64,
    pub timelines: u64,
    pub jobs: u64,
    pub series: u64,
    pub documents: u64,
    /// Resident memory of the exporter.
    pub kibibytes: u64,
}

/// Every `step` days each project has a pipeline of its default branch, with one job that comes only
/// once, and a branch that has one pipeline and no more.
pub async fn lived(projects: u64, step: u64) -> Vec<Kept> {
    let gitlab = start(Options::default()).await.unwrap();
    let ids: BTreeSet<u64> = (0..projects)
        .map(|n| gitlab.with(|world| world.create_project(&format!("acme/app-{n}"))))
        .collect();
    let place = Place::new(gitlab.url(), "groups: [{path: acme}], refs: ['.*']");
    let daemon = place.start().await;
    daemon.is_ready().await;
    let mut kept = Vec::new();
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
        kept.push(look(day, &daemon, &place).await);
    }
    daemon.stop().await;
    kept
}

async fn look(day: u64, daemon: &Daemon, place: &Place) -> Kept {
    let samples = daemon.scrape().await;
    let gauge = |name: &str| {
        let found = samples.value(&format!("job_failure_exporter_{name}"), &[]);
        format!("{}", found.unwrap()).parse().unwrap()
    };
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|line| line.split_whitespace().next());
    Kept {
        day,
        timelines: gauge("timelines"),
        jobs: gauge("jobs"),
        series: gauge("series"),
        documents: place.document_paths().len() as u64,
        kibibytes: resident.unwrap().parse().unwrap(),
    }
}

/// The most of a figure in a span of days.
pub fn most(kept: &[Kept], days: (u64, u64), figure: impl Fn(&Kept) -> u64) -> u64 {
    let in_span = kept.iter().filter(|it| (days.0..=days.1).contains(&it.day));
    in_span.map(figure).max().unwrap()
}

/// Fails unless no more is kept than what lived within the retention.
#[track_caller]
pub fn is_bounded(kept: &[Kept], projects: u64, step: u64) {
    // What was pushed on the last day of the retention, and what is just about to go.
    let young = RETENTION_DAYS / step + 2;
    let timelines = projects * (1 + young);
    let jobs = timelines * JOBS.len() as u64 + projects * young;
    let year = (0, 365);
    let most_timelines = most(kept, year, |it| it.timelines);
    assert!(most_timelines <= timelines, "{most_timelines} {timelines}");
    let most_jobs = most(kept, year, |it| it.jobs);
    assert!(most_jobs <= jobs, "{most_jobs} {jobs}");
    let most_documents = most(kept, year, |it| it.documents);
    assert!(most_documents <= timelines, "{most_documents} {timelines}");
    // And it is no less than what lives: the year was lived.
    let least = projects * RETENTION_DAYS / step;
    assert!(most_timelines >= least, "{most_timelines} {least}");
    let (first, second) = ((RETENTION_DAYS * 2, 180), (181, 365));
    let (before, after) = (
        most(kept, first, |it| it.series),
        most(kept, second, |it| it.series),
    );
    assert!(
        after <= before + before / 10,
        "{before} series, then {after}"
    );
    let memory = |days| most(kept, days, |it| it.kibibytes);
    let (before, after) = (memory(first), memory(second));
    assert!(after <= before + before / 5, "{before} KiB, then {after}");
}
