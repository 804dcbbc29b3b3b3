//! What is read of a ref when it is watched for the first time, or again.

use gitlab_simulator::{Handle, JobPlan, PipelinePlan};
use serde_json::Value;

use testkit::daemon::{Place, gitlab, holds, minutes, until};

use super::{empty_gitlab, failing_days, serves_the_truth, slow};

async fn streak_after_a_first_sight(backfill: &str) -> f64 {
    let gitlab = empty_gitlab().await;
    failing_days(&gitlab, 3);
    let watch = format!("projects: [acme/app], backfill: {backfill}");
    let place = Place::new(gitlab.url(), &watch);
    let daemon = place.start().await;
    daemon.is_ready().await;
    let samples = daemon.scrape().await;
    daemon.stop().await;
    samples
        .value("job_consecutive_failures", &[])
        .unwrap_or(0.0)
}

#[tokio::test]
async fn what_is_new_is_read_back_by_pipelines_or_days_whichever_ends_first() {
    for (backfill, streak) in [
        ("{pipelines: 5}", 5.0),
        ("{days: 2}", 48.0),
        ("{pipelines: 5, days: 2}", 5.0),
        ("{pipelines: 100, days: 1}", 24.0),
    ] {
        let found = streak_after_a_first_sight(backfill).await;
        assert!((found - streak).abs() < 0.5, "{backfill}: {found}");
    }
}

#[tokio::test]
async fn a_first_sight_that_is_broken_off_is_taken_again() {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(40));
    let place = Place::new(
        gitlab.url(),
        "groups: [{path: acme}], backfill: {pipelines: 200}",
    );
    slow(&gitlab, 100);
    let daemon = place.start().await;
    until("a document", async || {
        let there = place.state().join("100/main.json").exists();
        holds(there, daemon.log())
    })
    .await;
    daemon.kill().await;
    assert!(place.documents()[0].1.get("watermark").is_none());
    slow(&gitlab, 0);
    serves_the_truth(&place, &gitlab).await;
}

/// A day of hourly failures on two branches, of which the exporter is to watch one and then both.
async fn two_branches() -> (Handle, Place) {
    let gitlab = empty_gitlab().await;
    for _ in 0..24 {
        gitlab.with(|world| {
            let project = world.project_by_path("acme/app").unwrap().id;
            for branch in ["main", "next"] {
                let plan = PipelinePlan::new([JobPlan::fails("build")]).on(branch);
                world.push_pipeline(project, plan.instant());
            }
        });
        gitlab.advance(minutes(60));
    }
    let place = Place::new(gitlab.url(), "projects: [acme/app], refs: [main]");
    let daemon = place.start().await;
    daemon.is_ready().await;
    daemon.stop().await;
    (gitlab, place)
}

/// Watches both branches and serves all of both.
async fn serves_both(place: &Place) {
    let daemon = place.start().await;
    daemon
        .shows("both streaks", |samples| {
            let streak = |branch| samples.value("job_consecutive_failures", &[("ref", branch)]);
            let found = (streak("main"), streak("next"));
            holds(found == (Some(24.0), Some(24.0)), format!("{found:?}"))
        })
        .await;
    daemon.stop().await;
    for (path, document) in place.documents() {
        assert!(document.get("has_gap").is_none(), "{}", path.display());
    }
}

#[tokio::test]
async fn a_ref_that_is_new_in_a_known_project_and_broken_off_is_read_again() {
    let (gitlab, place) = two_branches().await;
    place.reconfigure("refs: [main]", "refs: [main, next]");
    slow(&gitlab, 100);
    let daemon = place.start().await;
    let next = place.state().join("100/next.json");
    until("a document", async || holds(next.exists(), daemon.log())).await;
    daemon.kill().await;
    let document: Value = serde_json::from_slice(&std::fs::read(next).unwrap()).unwrap();
    assert_eq!(document["has_gap"], true);
    assert_ne!(document["jobs"]["build"]["consecutive_failures"], 24);
    slow(&gitlab, 0);
    serves_both(&place).await;
}

#[tokio::test]
async fn a_ref_that_was_not_watched_for_a_while_is_read_back_when_it_is_again() {
    let (gitlab, place) = two_branches().await;
    place.reconfigure("refs: [main]", "refs: [next]");
    let daemon = place.start().await;
    daemon.is_ready().await;
    daemon.stop().await;
    let main = std::fs::read(place.state().join("100/main.json")).unwrap();
    let main: Value = serde_json::from_slice(&main).unwrap();
    assert_eq!(main["has_gap"], true);
    // What moves later takes the project's listings past what is not watched.
    for branch in ["main", "next"] {
        gitlab.with(|world| {
            let project = world.project_by_path("acme/app").unwrap().id;
            let plan = PipelinePlan::new([JobPlan::passes("build")]).on(branch);
            world.push_pipeline(project, plan.instant());
        });
        gitlab.advance(minutes(60));
    }
    for refs in ["refs: [next]", "refs: [main, next]"] {
        place.reconfigure("refs: [next]", refs);
        let daemon = place.start().await;
        daemon.is_ready().await;
        daemon.stop().await;
    }
    for (path, document) in place.documents() {
        let streak = &document["jobs"]["build"]["consecutive_failures"];
        assert_eq!(*streak, 0, "{}", path.display());
        assert!(document.get("has_gap").is_none(), "{}", path.display());
    }
}
