//! State at rest in a bucket of a real S3 server: the attic, what is brought back, and the state of another GitLab or version.

use std::fs;
use std::time::Duration;

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};

use crate::state_on_s3::all_is_saved;
use testkit::daemon::{Daemon, Place, holds, until};
use testkit::s3_servers::{Rclone, TestBucket};
use testkit::samples::Samples;

const STREAK: &str = "job_consecutive_failures";
const ASIDE: &str = "job_failure_exporter_state_documents_set_aside_total";

fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

fn fails(gitlab: &Handle, branch: &str) {
    gitlab.with(|world| {
        let id = world.project_by_path("acme/shop").unwrap().id;
        let plan = PipelinePlan::new([JobPlan::fails("unit")]).on(branch);
        world.push_pipeline(id, plan.instant());
    });
    gitlab.advance(Duration::from_mins(10));
}

async fn gitlab() -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project("acme/shop"));
    gitlab
}

fn streaks(samples: &Samples) -> Vec<(String, f64)> {
    let found = samples.of(STREAK, &[]);
    let mut streaks: Vec<_> = found
        .iter()
        .map(|sample| (sample.labels["ref"].clone(), sample.value))
        .collect();
    streaks.sort_by(|a, b| a.0.cmp(&b.0));
    streaks
}

async fn shows(daemon: &Daemon, wanted: &[(&str, f64)]) {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(name, streak)| ((*name).to_owned(), *streak))
        .collect();
    daemon
        .shows("the streaks", |samples| {
            let found = streaks(samples);
            holds(found == wanted, format!("{found:?}, not {wanted:?}"))
        })
        .await;
}

/// The history of a branch goes to the attic and comes back. `keys` lists the objects.
async fn goes_and_comes_back(place: &Place, keys: impl AsyncFn() -> Vec<String>) {
    let gitlab = gitlab().await;
    place.reconfigure("http://gitlab.invalid", gitlab.url());
    fails(&gitlab, "main");
    fails(&gitlab, "feature");
    let daemon = place.start().await;
    shows(&daemon, &[("feature", 1.0), ("main", 1.0)]).await;
    all_is_saved(&daemon).await;
    gitlab.advance(days(31));
    fails(&gitlab, "main");
    shows(&daemon, &[("main", 2.0)]).await;
    until("the attic", async || {
        let keys = keys().await;
        let in_attic = |key: &String| key.contains("/attic/") && key.contains("/feature@");
        let stays = keys.iter().any(|key| key.ends_with("/feature.json"));
        holds(keys.iter().any(in_attic) && !stays, format!("{keys:?}"))
    })
    .await;
    daemon.stop().await;

    let listed = place.run(&["state", "restore"]).await.done();
    assert!(listed.contains("ref feature: 1 job"), "{listed}");
    let restore = [
        "state",
        "restore",
        "--project",
        "acme/shop",
        "--ref",
        "feature",
    ];
    let said = place.run(&restore).await.done();
    assert!(said.contains("brought back acme/shop"), "{said}");
    assert!(said.contains("s3://"), "{said}");
    let found = keys().await;
    assert!(
        !found.iter().any(|key| key.contains("/attic/")),
        "{found:?}"
    );
    place.configure_also("retention: 90d\n");
    let daemon = place.start().await;
    shows(&daemon, &[("feature", 1.0), ("main", 2.0)]).await;
    fails(&gitlab, "feature");
    shows(&daemon, &[("feature", 2.0), ("main", 2.0)]).await;
    daemon.stop().await;
    let said = place.run(&restore).await.refused();
    assert!(said.contains("nothing is in the attic"), "{said}");
}

fn place_on(endpoint: &str, bucket: &str) -> Place {
    let watch = "projects: [acme/shop], refs: ['.*']";
    Place::on_s3("http://gitlab.invalid", watch, endpoint, bucket)
}

#[tokio::test]
async fn what_falls_to_the_retention_goes_to_the_attic_of_the_bucket_and_comes_back() {
    let bucket = TestBucket::create().await;
    let place = place_on(bucket.server, &bucket.name);
    goes_and_comes_back(&place, async || bucket.keys().await).await;
}

#[tokio::test]
async fn the_same_on_a_store_without_conditional_writes() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("ci-state")).unwrap();
    let rclone = Rclone::serve(folder.path());
    let place = place_on(&rclone.url, "ci-state");
    let place = place.with_environment(&[
        ("AWS_ACCESS_KEY_ID", testkit::s3_servers::KEY),
        ("AWS_SECRET_ACCESS_KEY", testkit::s3_servers::SECRET),
        ("AWS_REGION", "eu-central-1"),
    ]);
    let root = folder.path().join("ci-state");
    goes_and_comes_back(&place, async || {
        let mut keys = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(next) = folders.pop() {
            for path in testkit::daemon::folder(&next) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    keys.push(path.to_string_lossy().into_owned());
                }
            }
        }
        keys
    })
    .await;
}

/// A bucket with the state of two failures on `main`, and the place of its exporter.
async fn saved() -> (Handle, TestBucket, Place) {
    let gitlab = gitlab().await;
    for _ in 0..2 {
        fails(&gitlab, "main");
    }
    let bucket = TestBucket::create().await;
    let place = Place::on_s3(
        gitlab.url(),
        "projects: [acme/shop]",
        bucket.server,
        &bucket.name,
    );
    let daemon = place.start().await;
    shows(&daemon, &[("main", 2.0)]).await;
    all_is_saved(&daemon).await;
    daemon.stop().await;
    (gitlab, bucket, place)
}

#[tokio::test]
async fn the_state_of_another_gitlab_in_a_bucket_is_refused_until_it_is_adopted() {
    let (gitlab, bucket, place) = saved().await;
    let mut keys = bucket.keys().await.into_iter();
    let key = keys.find(|key| key.ends_with("/main.json")).unwrap();
    let text = bucket.get(&key).await.unwrap();
    let other = gitlab.url().replace("127.0.0.1", "localhost");
    place.reconfigure(gitlab.url(), &other);
    let said = place.refused(&[]).await;
    assert!(
        said.contains("it is of another GitLab, 127.0.0.1"),
        "{said}"
    );
    assert!(said.contains("run `state adopt`"), "{said}");
    assert_eq!(bucket.get(&key).await.unwrap(), text);
    let done = place.run(&["state", "adopt"]).await.done();
    assert!(done.contains("1 document in s3://"), "{done}");
    let daemon = place.start().await;
    shows(&daemon, &[("main", 2.0)]).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_copy_and_a_changed_object_are_set_aside_and_told() {
    let (_gitlab, bucket, place) = saved().await;
    let keys = bucket.keys().await;
    let key = keys.iter().find(|key| key.ends_with("/main.json")).unwrap();
    let text = String::from_utf8(bucket.get(key).await.unwrap()).unwrap();
    let copy = key.replace("main.json", "main_backup.json");
    bucket.put(&copy, text.clone()).await;
    let changed = text.replacen("\"failing\":true", "\"failing\":false", 1);
    assert_ne!(changed, text);
    bucket.put(key, changed.clone()).await;
    let daemon = place.start().await;
    daemon.says("its name is not that of the document").await;
    daemon.says("it was changed since it was saved").await;
    shows(&daemon, &[("main", 2.0)]).await;
    assert_eq!(daemon.scrape().await.value(ASIDE, &[]), Some(2.0));
    daemon.stop().await;
    let kept = bucket.get(&format!("{key}.broken-1")).await.unwrap();
    assert_eq!(String::from_utf8(kept).unwrap(), changed);
    assert!(bucket.get(&format!("{copy}.broken-1")).await.is_some());
}

#[tokio::test]
async fn a_replica_of_an_earlier_version_never_overwrites_what_a_newer_one_saved() {
    let (gitlab, bucket, place) = saved().await;
    let keys = bucket.keys().await;
    let key = keys.iter().find(|key| key.ends_with("/main.json")).unwrap();
    let daemon = place.start().await;
    shows(&daemon, &[("main", 2.0)]).await;
    let newer = r#"{"version": 5, "of": "the future"}"#;
    bucket.put(key, newer).await;
    fails(&gitlab, "main");
    shows(&daemon, &[("main", 3.0)]).await;
    daemon
        .says("it is not overwritten: the document is of version 5")
        .await;
    fails(&gitlab, "main");
    shows(&daemon, &[("main", 4.0)]).await;
    assert_eq!(bucket.get(key).await.unwrap(), newer.as_bytes());
    daemon.kill().await;
    let said = place.refused(&[]).await;
    assert!(
        said.contains("run the version that wrote it, or a newer one"),
        "{said}"
    );
    assert_eq!(bucket.get(key).await.unwrap(), newer.as_bytes());
}

#[tokio::test]
async fn a_replica_joins_what_one_of_an_earlier_version_saved() {
    let (gitlab, bucket, place) = saved().await;
    let keys = bucket.keys().await;
    let key = keys.iter().find(|key| key.ends_with("/main.json")).unwrap();
    let text = String::from_utf8(bucket.get(key).await.unwrap()).unwrap();
    let daemon = place.start().await;
    shows(&daemon, &[("main", 2.0)]).await;
    let (bare, _) = text.split_once(",\"gitlab\":").unwrap();
    let earlier = bare.replacen("\"version\":4", "\"version\":3", 1) + "}";
    bucket.put(key, earlier).await;
    fails(&gitlab, "main");
    shows(&daemon, &[("main", 3.0)]).await;
    all_is_saved(&daemon).await;
    daemon.stop().await;
    let text = String::from_utf8(bucket.get(key).await.unwrap()).unwrap();
    assert!(text.starts_with("{\"version\":4,"), "{text}");
    let daemon = place.start().await;
    shows(&daemon, &[("main", 3.0)]).await;
    daemon.stop().await;
}
