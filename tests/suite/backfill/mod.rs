//! Reading the past: of what is seen for the first time, and by `backfill`, against the simulated truth.

mod blocks;
mod first_sight;
mod past;

use std::path::PathBuf;
use std::time::Duration;

use gitlab_simulator::{Fault, Faults, Handle, JobPlan, Options, PipelinePlan, start};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use testkit::daemon::{Place, Ran, folder, gitlab, holds, minutes, until};
use testkit::s3_servers::TestBucket;
use testkit::truth::{counters_are_true, equal, windows_are_saved};

/// What reads the jobs of one pipeline.
const JOBS: &str = "GET /projects/:id/pipelines/:pid/jobs";

/// Watches everything and reads nothing of the past by itself.
const NO_PAST: &str = "groups: [{path: acme}], backfill: {pipelines: 0}";

/// One project, whose pipelines are pushed by the test.
async fn empty_gitlab() -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project("acme/app"));
    gitlab
}

fn push(gitlab: &Handle, job: JobPlan) {
    gitlab.with(|world| {
        let project = world.project_by_path("acme/app").unwrap().id;
        world.push_pipeline(project, PipelinePlan::new([job]).instant());
    });
}

/// Hourly pipelines that fail.
fn failing_days(gitlab: &Handle, days: u32) {
    for _ in 0..days * 24 {
        push(gitlab, JobPlan::fails("build"));
        gitlab.advance(minutes(60));
    }
}

/// Serves what was saved, compared with everything GitLab has.
async fn serves_the_truth(place: &Place, gitlab: &Handle) {
    let daemon = place.start().await;
    daemon.is_ready().await;
    let truths = gitlab.truth();
    let samples = daemon
        .shows("the truth", |samples| equal(samples, &truths))
        .await;
    counters_are_true(&samples, gitlab);
    daemon.stop().await;
    windows_are_saved(place, &truths);
}

/// What backfills that were not done have left.
fn drafts(place: &Place) -> Vec<PathBuf> {
    let folders = folder(&place.state()).into_iter();
    let drafts = folders.map(|project| project.join(".backfill"));
    drafts.filter(|draft| draft.exists()).collect()
}

#[tokio::test]
async fn what_a_backfill_reads_is_what_an_exporter_would_have_counted() {
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(240));
    let place = Place::new(gitlab.url(), NO_PAST);
    let said = place.run(&["backfill", "--since", "1d"]).await.done();
    assert!(said.contains("projects are in the store"), "{said}");
    assert!(drafts(&place).is_empty());
    serves_the_truth(&place, &gitlab).await;
}

#[tokio::test]
async fn a_backfill_done_twice_changes_nothing() {
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(100));
    let place = Place::new(gitlab.url(), NO_PAST);
    place.run(&["backfill", "--since", "1d"]).await.done();
    let once = place.documents();
    place.run(&["backfill", "--since", "1d"]).await.done();
    assert_eq!(place.documents(), once);
}

#[tokio::test]
async fn what_an_exporter_has_counted_stays_where_it_reaches_further_back() {
    let gitlab = gitlab("demo").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    for _ in 0..4 {
        gitlab.advance(minutes(20));
        let truths = gitlab.truth();
        daemon.shows("the truth", |now| equal(now, &truths)).await;
    }
    daemon.stop().await;
    // The exporter is away for longer than is asked for: no gap may stay.
    gitlab.advance(minutes(120));
    place.run(&["backfill", "--since", "10m"]).await.done();
    serves_the_truth(&place, &gitlab).await;
}

#[tokio::test]
async fn what_began_later_than_what_is_read_gives_way_to_it() {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(200));
    let place = Place::new(
        gitlab.url(),
        "groups: [{path: acme}], backfill: {pipelines: 3}",
    );
    let daemon = place.start().await;
    daemon.is_ready().await;
    daemon.stop().await;
    place.run(&["backfill", "--since", "1d"]).await.done();
    serves_the_truth(&place, &gitlab).await;
}

#[tokio::test]
async fn only_what_moved_since_is_read_and_a_rebuild_forgets_the_rest() {
    let gitlab = empty_gitlab().await;
    failing_days(&gitlab, 3);
    let place = Place::new(gitlab.url(), NO_PAST);
    let streak =
        |place: &Place| place.documents()[0].1["jobs"]["build"]["consecutive_failures"].clone();
    place.run(&["backfill", "--since", "1d"]).await.done();
    assert_eq!(streak(&place), 24);
    place.run(&["backfill", "--since", "2d"]).await.done();
    assert_eq!(streak(&place), 48);
    place.run(&["backfill", "--since", "1d"]).await.done();
    assert_eq!(streak(&place), 48);
    let rebuild = ["backfill", "--since", "12h", "--rebuild"];
    place.run(&rebuild).await.done();
    assert_eq!(streak(&place), 12);
}

/// Lets a backfill read slowly, ends it by a signal when it has kept some, and gives what it said.
async fn broken_off(place: &Place, signal: Signal) -> Ran {
    let mut command = place.tool(&["backfill", "--since", "1d"]);
    let process = command.spawn().unwrap();
    until("some that was read", async || {
        let draft = place.state().join("100/.backfill");
        let text = std::fs::read(draft).map_err(|error| error.to_string())?;
        let draft: Value = serde_json::from_slice(&text).unwrap();
        let done = draft["done"].as_u64().unwrap();
        holds(done > 1010, format!("{done} is the last one"))
    })
    .await;
    let id = i32::try_from(process.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    Ran::of(&process.wait_with_output().await.unwrap())
}

fn slow(gitlab: &Handle, latency: u64) {
    gitlab.faults(|faults| faults.latency = Duration::from_millis(latency));
}

#[tokio::test]
async fn a_backfill_that_is_interrupted_says_how_to_go_on_and_goes_on() {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(240));
    let place = Place::new(gitlab.url(), NO_PAST);
    slow(&gitlab, 100);
    let said = broken_off(&place, Signal::INT).await.refused();
    assert!(
        said.contains("run the same command again to go on"),
        "{said}"
    );
    assert!(said.contains("project 1 of 1"), "{said}");
    assert!(place.documents().is_empty());
    // Meanwhile there is more, and something that was read moves again.
    gitlab.advance(minutes(10));
    slow(&gitlab, 0);
    gitlab.forget_requests();
    let said = place.run(&["backfill", "--since", "1d"]).await;
    let before = said.err.split("pipelines, ").nth(1).unwrap();
    let before: usize = before.split(' ').next().unwrap().parse().unwrap();
    assert!(before >= 10, "{said:?}");
    let all = gitlab.with(|world| world.visible_pipelines(100).count());
    assert_eq!(gitlab.count(JOBS), all - before);
    said.done();
    assert!(drafts(&place).is_empty());
    serves_the_truth(&place, &gitlab).await;
}

#[tokio::test]
async fn a_backfill_that_is_killed_goes_on_too() {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(240));
    let place = Place::new(gitlab.url(), NO_PAST);
    slow(&gitlab, 100);
    assert_eq!(broken_off(&place, Signal::KILL).await.code, None);
    slow(&gitlab, 0);
    gitlab.forget_requests();
    place.run(&["backfill", "--since", "1d"]).await.done();
    let all = gitlab.with(|world| world.visible_pipelines(100).count());
    assert!(gitlab.count(JOBS) < all);
    serves_the_truth(&place, &gitlab).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_the_others_are_done() {
    let gitlab = gitlab("outage").await;
    gitlab.advance(minutes(60));
    let place = Place::new(gitlab.url(), NO_PAST);
    let watch =
        "watch: {groups: [{path: acme}], projects: [acme/nowhere], backfill: {pipelines: 0}}";
    let text = std::fs::read_to_string(place.config()).unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix("watch: ") {
        Some(_) => watch,
        None => line,
    });
    place.configure(&lines.collect::<Vec<_>>().join("\n"));
    let ran = place.run(&["backfill", "--since", "1d"]).await;
    assert!(
        ran.out.contains("5 of 5 projects are in the store"),
        "{ran:?}"
    );
    assert!(ran.refused().contains("acme/nowhere: "));
    assert_eq!(drafts(&place).len(), 5);
    place.configure(&text);
    gitlab.forget_requests();
    place.run(&["backfill", "--since", "1d"]).await.done();
    // Nothing but what may have moved since.
    let all = gitlab.with(|world| world.visible_pipelines(100).count());
    assert!(gitlab.count(JOBS) < 5 * all / 2, "{}", gitlab.count(JOBS));
    serves_the_truth(&place, &gitlab).await;
}

#[tokio::test]
async fn an_outage_ends_a_backfill_that_then_goes_on() {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(60));
    let place = Place::new(gitlab.url(), NO_PAST);
    gitlab.faults(|faults| {
        for _ in 0..20 {
            faults.inject_at("/pipelines/1030/jobs", Fault::InternalError);
        }
    });
    let said = place.run(&["backfill", "--since", "1d"]).await.refused();
    assert!(said.contains("acme/warehouse: "), "{said}");
    gitlab.faults(|faults| *faults = Faults::none(1));
    place.run(&["backfill", "--since", "1d"]).await.done();
    serves_the_truth(&place, &gitlab).await;
}

#[tokio::test]
async fn while_an_exporter_runs_no_backfill_does() {
    let gitlab = gitlab("flaky").await;
    let place = Place::new(gitlab.url(), NO_PAST);
    let daemon = place.start().await;
    let said = place.run(&["backfill", "--since", "1d"]).await.refused();
    assert!(said.contains("is in use by process"), "{said}");
    assert!(said.contains(&daemon.id().to_string()), "{said}");
}

#[tokio::test]
async fn projects_of_the_command_line_are_read_in_place_of_the_watched_ones() {
    let gitlab = gitlab("outage").await;
    gitlab.advance(minutes(10));
    let place = Place::new(gitlab.url(), NO_PAST);
    let one = [
        "backfill",
        "--since",
        "1d",
        "--project",
        "acme/platform/mail",
    ];
    place.run(&one).await.done();
    let documents = place.documents();
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].1["project"]["path"], "acme/platform/mail");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_what_is_wanted() {
    let gitlab = empty_gitlab().await;
    let place = Place::new(gitlab.url(), NO_PAST);
    let ran = place.run(&["backfill", "--since", "yesterday"]).await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("wanted a time such as 30d"), "{ran:?}");
    let unknown = ["backfill", "--since", "1d", "--project", "acme/none"];
    let ran = place.run(&unknown).await;
    assert_eq!(ran.out, "");
    let said = ran.refused();
    assert!(said.contains("none of the projects can be read"), "{said}");
    assert!(said.contains("acme/none does not exist"), "{said}");
    assert!(!said.contains("go on"), "{said}");
}

/// The streak that an exporter serves of a project whose past is three days of failures.
#[tokio::test]
async fn a_backfill_into_a_bucket_goes_on_where_it_was_killed() {
    let bucket = TestBucket::create().await;
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(120));
    let place = Place::on_s3(gitlab.url(), NO_PAST, bucket.server, &bucket.name);
    slow(&gitlab, 100);
    let mut process = place.tool(&["backfill", "--since", "1d"]).spawn().unwrap();
    let drafted = async || {
        bucket
            .keys()
            .await
            .into_iter()
            .find(|key| key.ends_with("100/.backfill"))
    };
    until("some that was read", async || {
        let draft = drafted().await.ok_or("there is no draft")?;
        let draft = bucket.get(&draft).await.ok_or("it is gone")?;
        let draft: Value = serde_json::from_slice(&draft).unwrap();
        let done = draft["done"].as_u64().unwrap();
        holds(done > 1010, format!("{done} is the last one"))
    })
    .await;
    process.kill().await.unwrap();
    slow(&gitlab, 0);
    gitlab.forget_requests();
    place.run(&["backfill", "--since", "1d"]).await.done();
    let all = gitlab.with(|world| world.visible_pipelines(100).count());
    assert!(gitlab.count(JOBS) < all);
    assert_eq!(drafted().await, None);
    let daemon = place.start().await;
    daemon.is_ready().await;
    let truths = gitlab.truth();
    let samples = daemon.shows("the truth", |now| equal(now, &truths)).await;
    counters_are_true(&samples, &gitlab);
    daemon.stop().await;
}
