//! The directory or bucket of the state. Nothing stays behind.

use std::fs;

use gitlab_simulator::Handle;
use testkit::daemon::{Place, folder};
use testkit::s3_servers::{Rclone, TestBucket};

use super::{Checked, gitlab, place, project};

const WATCH: &str = "projects: [acme/app]";

async fn with_project() -> Handle {
    let gitlab = gitlab().await;
    gitlab.with(|world| project(world, "acme/app", "main", "push"));
    gitlab
}

#[tokio::test]
async fn a_directory_is_looked_at_and_left_as_it_was() {
    let gitlab = with_project().await;
    let place = place(&gitlab, WATCH);
    Checked::of(&place)
        .await
        .passes()
        .says("ok", "store", "will be created");
    fs::create_dir(place.state()).unwrap();
    Checked::of(&place)
        .await
        .passes()
        .says("ok", "store", "can be written");
    assert!(folder(&place.state()).is_empty());
    fs::remove_dir(place.state()).unwrap();
    fs::write(place.state(), "").unwrap();
    let checked = Checked::of(&place).await;
    checked.says("error", "store", "is a file; wanted a directory");
}

#[tokio::test]
async fn a_bucket_is_written_and_cleaned() {
    let gitlab = with_project().await;
    let bucket = TestBucket::create().await;
    let place = Place::on_s3(gitlab.url(), WATCH, bucket.server, &bucket.name);
    Checked::of(&place)
        .await
        .passes()
        .says("ok", "store", "the store honours conditions");
    assert!(bucket.keys().await.is_empty());
    place.reconfigure(&bucket.name, "no-such-bucket");
    let checked = Checked::of(&place).await;
    checked.says("error", "store", "there is no such bucket");
}

#[tokio::test]
async fn a_store_that_ignores_conditions_and_one_that_refuses_the_credentials_are_told() {
    let gitlab = with_project().await;
    let served = tempfile::tempdir().unwrap();
    fs::create_dir(served.path().join("state")).unwrap();
    let rclone = Rclone::serve(served.path());
    let place = Place::on_s3(gitlab.url(), WATCH, &rclone.url, "state");
    let checked = Checked::of(&place).await;
    checked
        .passes()
        .says("warning", "store", "the store ignores conditions");
    let left: Vec<_> = folder(&served.path().join("state"))
        .into_iter()
        .filter(|path| path.is_file())
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let place = place.with_environment(&[
        ("AWS_ACCESS_KEY_ID", "testaccesskey"),
        ("AWS_SECRET_ACCESS_KEY", "wrongsecret0123456789"),
    ]);
    let checked = Checked::of(&place).await;
    checked.says("error", "store", "check AWS_ACCESS_KEY_ID");
    assert!(!checked.all.contains("wrongsecret"), "{}", checked.all);
}
