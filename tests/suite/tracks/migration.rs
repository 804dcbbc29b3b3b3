//! A state that was saved with other tracks than are configured now: nothing is lost.

use std::path::{Path, PathBuf};

use gitlab_simulator::{JobPlan, PipelinePlan};

use testkit::daemon::{Place, holds};
use testkit::samples::Samples;
use testkit::truth::polled;

use super::{NIGHTLY, Stage, shows};

/// Without sources in the keys `watch`: the preset is at the top level.
const PRESET: &str = "counting: {preset: datadog-agent}\n";

/// What must not change: executions of jobs, and of pipelines, over all tracks.
fn sums(samples: &Samples) -> Vec<(&'static str, f64)> {
    let names = [
        "job_executions_total",
        "job_failures_total",
        "job_retries_total",
        "job_flaky_executions_total",
        "pipeline_executions_total",
    ];
    names.map(|name| (name, samples.sum(name, &[]))).into()
}

/// Pushes that pass and nights that fail, with a job of the nights alone.
fn fill(stage: &Stage, nights: usize) {
    for _ in 0..nights {
        stage.e2e("push", true);
        let jobs = [JobPlan::fails("e2e"), JobPlan::fails("soak")];
        stage.run(PipelinePlan::new(jobs).from_source("schedule"));
        stage.e2e("push", true);
    }
}

fn soak(samples: &Samples) -> Vec<(Option<String>, f64)> {
    let found = samples.of("job_consecutive_failures", &[("job_name", "soak")]);
    let track = |sample: &&testkit::samples::Sample| sample.labels.get("track").cloned();
    found.iter().map(|it| (track(it), it.value)).collect()
}

/// What a new exporter of this place counts once it has read everything.
async fn counted(stage: &Stage, place: &Place, wanted: &[(&str, f64)]) -> Samples {
    let daemon = place.start().await;
    shows(&daemon, wanted).await;
    polled(&stage.gitlab, &daemon, &[stage.project].into()).await;
    let samples = shows(&daemon, wanted).await;
    daemon.stop().await;
    samples
}

#[tokio::test]
async fn introducing_changing_and_removing_tracks_keeps_every_execution_and_streak() {
    for (rules, before) in [("", 0.0), (PRESET, 0.0)] {
        let stage = Stage::new().await;
        let place = stage.place(NIGHTLY);
        place.configure_also(rules);
        place.reconfigure(&format!(", {NIGHTLY}"), "");
        fill(&stage, 4);
        let first = counted(&stage, &place, &[("main", before)]).await;

        place.reconfigure(
            "projects: [acme/shop]",
            &format!("projects: [acme/shop], {NIGHTLY}"),
        );
        let apart = [("main", 0.0), ("main nightly", 4.0)];
        let split = counted(&stage, &place, &apart).await;
        assert_eq!(sums(&split), sums(&first), "{rules}");

        place.reconfigure("name: nightly", "name: night");
        let renamed = [("main", 0.0), ("main night", 4.0)];
        let changed = counted(&stage, &place, &renamed).await;
        assert_eq!(sums(&changed), sums(&first), "{rules}");

        place.reconfigure(", tracks: [{name: night, sources: [schedule]}]", "");
        let back = counted(&stage, &place, &[("main", before)]).await;
        assert_eq!(sums(&back), sums(&first), "{rules}");
        assert_eq!(place.document_paths().len(), 1);
    }
}

#[tokio::test]
async fn a_job_of_one_track_alone_takes_its_whole_streak_along() {
    let stage = Stage::new().await;
    // Only what happens while it runs.
    let place = stage.place("backfill: {pipelines: 0}");
    stage.e2e("push", true);
    let daemon = place.start().await;
    daemon.is_ready().await;
    fill(&stage, 40);
    let is = |track: Option<&str>| {
        let wanted = vec![(track.map(str::to_owned), 40.0)];
        move |samples: &Samples| {
            let found = soak(samples);
            holds(found == wanted, format!("{found:?}"))
        }
    };
    let first = daemon.shows("40 nights", is(None)).await;
    daemon.stop().await;
    let mut watch = "backfill: {pipelines: 0}".to_owned();
    for (tracks, track) in [
        (NIGHTLY, Some("nightly")),
        (
            "tracks: [{name: night, sources: [schedule]}]",
            Some("night"),
        ),
        ("tracks: [{name: other, sources: [web]}]", None),
    ] {
        let next = format!("backfill: {{pipelines: 0}}, {tracks}");
        place.reconfigure(&watch, &next);
        watch = next;
        let daemon = place.start().await;
        let samples = daemon.shows("40 nights", is(track)).await;
        daemon.is_ready().await;
        assert_eq!(sums(&samples), sums(&first), "{tracks}");
        daemon.stop().await;
    }
}

fn document(place: &Place, name: &str) -> PathBuf {
    let paths = place.document_paths();
    let found = paths.into_iter().find(|path| path.ends_with(name));
    found.unwrap_or_else(|| panic!("no document {name}"))
}

fn copied(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn an_exporter_that_is_killed_between_two_documents_counts_nothing_twice() {
    let stage = Stage::new().await;
    let place = stage.place("backfill: {pipelines: 200}, refs: [default]");
    fill(&stage, 30);
    let daemon = place.start().await;
    daemon.is_ready().await;
    let first = daemon.scrape().await;
    daemon.stop().await;
    let mixed = copied(&document(&place, "main.json"));

    place.reconfigure("refs: [default]", NIGHTLY);
    let apart = counted(&stage, &place, &[("main", 0.0), ("main nightly", 30.0)]).await;
    // The track was saved, the rest of the ref was not.
    std::fs::write(document(&place, "main.json"), &mixed).unwrap();
    let again = counted(&stage, &place, &[("main", 0.0), ("main nightly", 30.0)]).await;
    assert_eq!(sums(&again), sums(&apart));
    assert_eq!(sums(&again), sums(&first));

    // The ref was saved with what it takes over, the former document is still there.
    let name = "main~track-nightly.json";
    let (path, nights) = (document(&place, name), copied(&document(&place, name)));
    place.reconfigure(NIGHTLY, "refs: [default]");
    let joined = counted(&stage, &place, &[("main", 0.0)]).await;
    assert_eq!(sums(&joined), sums(&first));
    std::fs::write(path, nights).unwrap();
    let again = counted(&stage, &place, &[("main", 0.0)]).await;
    assert_eq!(sums(&again), sums(&first));
}

#[tokio::test]
async fn a_backfill_takes_over_what_was_saved_with_other_tracks() {
    let stage = Stage::new().await;
    let place = stage.place("refs: [default]");
    fill(&stage, 4);
    let first = counted(&stage, &place, &[("main", 0.0)]).await;
    let backfill = ["backfill", "--since", "1d"];
    place.reconfigure("refs: [default]", NIGHTLY);
    place.run(&backfill).await.done();
    assert_eq!(place.document_paths().len(), 2);
    let split = counted(&stage, &place, &[("main", 0.0), ("main nightly", 4.0)]).await;
    assert_eq!(sums(&split), sums(&first));

    place.reconfigure(NIGHTLY, "refs: [default]");
    place.run(&backfill).await.done();
    assert_eq!(place.document_paths().len(), 1);
    let joined = counted(&stage, &place, &[("main", 0.0)]).await;
    assert_eq!(sums(&joined), sums(&first));
}
