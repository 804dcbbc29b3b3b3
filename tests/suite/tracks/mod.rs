//! Tracks, tags and merge requests: which pipelines share a history, from GitLab to the page.

mod migration;

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use serde_json::Value;

use testkit::daemon::{Daemon, Place, holds, minutes};
use testkit::samples::{Sample, Samples};

const PROJECT: &str = "acme/shop";
const STREAK: &str = "job_consecutive_failures";
const NIGHTLY: &str = "tracks: [{name: nightly, sources: [schedule]}]";

/// A GitLab with one project.
struct Stage {
    gitlab: Handle,
    project: u64,
}

impl Stage {
    async fn new() -> Self {
        let gitlab = start(Options::default()).await.unwrap();
        let project = gitlab.with(|world| world.create_project(PROJECT));
        Self { gitlab, project }
    }

    fn place(&self, watch: &str) -> Place {
        Place::new(
            self.gitlab.url(),
            &format!("projects: [{PROJECT}], {watch}"),
        )
    }

    fn run(&self, plan: PipelinePlan) {
        let project = self.project;
        self.gitlab
            .with(|world| world.push_pipeline(project, plan.instant()));
        self.gitlab.advance(minutes(1));
    }

    /// Runs `e2e` in a pipeline of this source on the default branch.
    fn e2e(&self, source: &str, passes: bool) {
        self.run(PipelinePlan::new([e2e(passes)]).from_source(source));
    }

    /// Runs `e2e` in a pipeline of a merge request.
    fn merge_request(&self, number: u64, passes: bool) {
        let ref_name = format!("refs/merge-requests/{number}/head");
        let plan = PipelinePlan::new([e2e(passes)]).on(&ref_name);
        self.run(plan.from_source("merge_request_event"));
    }

    fn tag(&self, name: &str, passes: bool) {
        let mut plan = PipelinePlan::new([e2e(passes)]).on(name);
        plan.tag = true;
        self.run(plan);
    }
}

fn e2e(passes: bool) -> JobPlan {
    if passes {
        JobPlan::passes("e2e")
    } else {
        JobPlan::fails("e2e")
    }
}

/// The streaks of `e2e` by ref and track, as `main`, `main nightly`.
fn streaks(samples: &Samples) -> Vec<(String, f64)> {
    let place = |sample: &Sample| {
        let track = sample.labels.get("track");
        let track = track.map(|track| format!(" {track}")).unwrap_or_default();
        format!("{}{track}", sample.labels["ref"])
    };
    let of_job = samples.of(STREAK, &[("job_name", "e2e")]);
    let mut streaks: Vec<_> = of_job.iter().map(|it| (place(it), it.value)).collect();
    streaks.sort_by(|a, b| a.0.cmp(&b.0));
    streaks
}

/// Waits until these and no other streaks are shown.
async fn shows(daemon: &Daemon, wanted: &[(&str, f64)]) -> Samples {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(place, streak)| ((*place).to_owned(), *streak))
        .collect();
    daemon
        .shows("the streaks", |samples| {
            let found = streaks(samples);
            holds(found == wanted, format!("{found:?}, not {wanted:?}"))
        })
        .await
}

#[tokio::test]
async fn a_tag_and_a_branch_of_one_name_are_counted_apart() {
    let stage = Stage::new().await;
    for _ in 0..2 {
        stage.run(PipelinePlan::new([e2e(false)]).on("v1"));
    }
    stage.tag("v1", true);
    // A tag that has the name of the default branch is not the default branch.
    stage.e2e("push", false);
    stage.tag("main", true);
    let place = stage.place("refs: [default, v1]");
    let daemon = place.start().await;
    shows(&daemon, &[("main", 1.0), ("v1", 2.0), ("v1 tag", 0.0)]).await;
    stage.tag("v1", false);
    let expected = [("main", 1.0), ("v1", 2.0), ("v1 tag", 1.0)];
    shows(&daemon, &expected).await;
    daemon.stop().await;
    let daemon = place.start().await;
    shows(&daemon, &expected).await;
    daemon.stop().await;
}

#[tokio::test]
async fn nightlies_are_counted_apart_from_pushes_and_each_has_its_own_page() {
    let stage = Stage::new().await;
    let place = stage.place(NIGHTLY);
    for _ in 0..3 {
        stage.e2e("schedule", false);
        stage.e2e("push", true);
    }
    let daemon = place.start().await;
    let samples = shows(&daemon, &[("main", 0.0), ("main nightly", 3.0)]).await;
    let pipelines = [("track", "nightly")];
    let failures = samples.value("pipeline_consecutive_failures", &pipelines);
    assert_eq!(failures, Some(3.0));

    let jobs = async |query: &str| -> Value {
        let (status, text) = daemon.get(&format!("/api/v1/jobs{query}")).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let nights = jobs("?track=nightly").await;
    assert_eq!(nights["matching"], 1);
    assert_eq!(nights["jobs"][0]["consecutive_failures"], 3);
    assert_eq!(nights["jobs"][0]["track"], "nightly");
    let pushes = jobs("?ref=main&track=").await;
    assert_eq!(pushes["matching"], 1);
    assert_eq!(pushes["jobs"][0]["consecutive_failures"], 0);
    assert_eq!(jobs("?ref=main").await["matching"], 2);
    let page = nights["jobs"][0]["page"].as_str().unwrap();
    assert!(page.ends_with("?track=nightly"), "{page}");
    let (status, text) = daemon.get(page).await;
    assert!(status == 200 && text.contains("nightly"), "{text}");
    for query in ["", "?track="] {
        let page = page.replace("?track=nightly", query);
        let (status, text) = daemon.get(&page).await;
        assert!(status == 200 && !text.contains("nightly"), "{text}");
    }
    let (_, text) = daemon.get("/?q=nightly").await;
    assert!(text.contains("1 of 2") || text.contains(page), "{text}");
    daemon.says("track=\"nightly\"").await;

    stage.e2e("schedule", true);
    stage.e2e("push", false);
    shows(&daemon, &[("main", 1.0), ("main nightly", 0.0)]).await;
    daemon.stop().await;

    let shown = place.run(&["state", "show", "--track", "nightly", "--json"]);
    let shown: Value = serde_json::from_str(&shown.await.done()).unwrap();
    assert_eq!(shown.as_array().unwrap().len(), 1);
    assert_eq!(shown[0]["track"], "nightly");
    let explained = place.run(&["explain", PROJECT, "e2e", "--track", ""]).await;
    let explained = explained.done();
    assert!(explained.contains("ref main\n"), "{explained}");
    assert!(!explained.contains("nightly"), "{explained}");
    let exported = place.run(&["state", "export", "--track", "nightly"]).await;
    assert!(exported.done().contains("\"track\""));
}

#[tokio::test]
async fn merge_requests_together_have_one_streak() {
    let stage = Stage::new().await;
    let sources = "sources: [push, merge_request_event]";
    let place = stage.place(&format!("{sources}, merge_requests: together"));
    for number in 1..=3 {
        stage.merge_request(number, false);
    }
    stage.e2e("push", true);
    let daemon = place.start().await;
    let together = "refs/merge-requests/*";
    shows(&daemon, &[("main", 0.0), (together, 3.0)]).await;
    stage.merge_request(4, false);
    shows(&daemon, &[("main", 0.0), (together, 4.0)]).await;
    stage.merge_request(2, true);
    shows(&daemon, &[("main", 0.0), (together, 0.0)]).await;
    daemon.stop().await;
}

#[tokio::test]
async fn tags_tracks_and_merge_requests_go_together() {
    let stage = Stage::new().await;
    stage.e2e("schedule", false);
    stage.e2e("schedule", false);
    stage.e2e("push", true);
    stage.tag("v1", false);
    stage.merge_request(1, false);
    stage.merge_request(2, false);
    stage.merge_request(3, false);
    let place = stage.place(
        "refs: [default, 'v.*'], sources: [push, schedule, merge_request_event], merge_requests: together, \
         tracks: [{name: nightly, sources: [schedule]}, {name: review, sources: [merge_request_event]}]",
    );
    let daemon = place.start().await;
    let mut expected = [
        ("main", 0.0),
        ("main nightly", 2.0),
        ("refs/merge-requests/* review", 3.0),
        ("v1 tag", 1.0),
    ];
    shows(&daemon, &expected).await;
    stage.e2e("push", false);
    stage.e2e("schedule", true);
    stage.merge_request(1, true);
    stage.tag("v1", false);
    for (expected, streak) in expected.iter_mut().zip([1.0, 0.0, 0.0, 2.0]) {
        expected.1 = streak;
    }
    shows(&daemon, &expected).await;
    daemon.kill().await;
    let daemon = place.start().await;
    shows(&daemon, &expected).await;
    daemon.stop().await;
}
