//! The exporter with its state in S3: restarts, outages, and what keeps it from starting.

use std::time::Duration;

use gitlab_simulator::Handle;
use http::Method;

use testkit::daemon::{Daemon, Place, gitlab, holds, minutes, until};
use testkit::fault_proxy::{Proxy, Trouble};
use testkit::s3_servers::{KEY, Rclone, SECRET, TestBucket};
use testkit::samples::Samples;
use testkit::truth::equal;

const WATCH: &str = "projects: [acme/mobile]";
const UNSAVED: &str = "job_failure_exporter_state_unsaved_timelines";
const SAVES: &str = "job_failure_exporter_state_saves_total";
const CONDITIONAL: &str = "job_failure_exporter_state_conditional_writes";

async fn all_is_told(daemon: &Daemon, gitlab: &Handle) -> Samples {
    let truths = gitlab.truth();
    daemon
        .shows("the truth", |samples| equal(samples, &truths))
        .await
}

const JOBS: &str = "GET /projects/:id/pipelines/:pid/jobs";

pub(crate) async fn all_is_saved(daemon: &Daemon) {
    daemon
        .shows("nothing unsaved", |samples| {
            let unsaved = samples.value(UNSAVED, &[]);
            let saves = samples.value(SAVES, &[("result", "success")]);
            let done = unsaved == Some(0.0) && saves.is_some_and(|count| count > 0.0);
            holds(done, format!("{unsaved:?} unsaved, {saves:?} saved"))
        })
        .await;
}

#[tokio::test]
async fn state_survives_a_restart_and_what_it_knows_is_not_asked_again() {
    let bucket = TestBucket::create().await;
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(8));
    let place = Place::on_s3(gitlab.url(), WATCH, bucket.server, &bucket.name);
    let daemon = place.start().await;
    daemon.is_ready().await;
    let before = all_is_told(&daemon, &gitlab).await;
    assert_eq!(before.value(CONDITIONAL, &[]), Some(1.0));
    // Saved at the end, or before.
    daemon.stop().await;
    let keys = bucket.keys().await;
    assert!(
        keys.iter().any(|key| key.ends_with("/main.json")),
        "{keys:?}"
    );

    let read = gitlab.count(JOBS);
    gitlab.forget_requests();
    let daemon = place.start().await;
    daemon.says("loaded 1 timelines").await;
    daemon.is_ready().await;
    all_is_told(&daemon, &gitlab).await;
    // Only what moved in the last minutes before the end is looked at again.
    let read_again = gitlab.count(JOBS);
    assert!(read_again < read, "{read_again} of {read} were read again");
    daemon.kill().await;
}

#[tokio::test]
async fn an_s3_that_is_away_at_the_start_is_waited_for_before_anything_is_polled() {
    let bucket = TestBucket::create().await;
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(8));
    let mut proxy = Proxy::before(bucket.server).await;
    let place = Place::on_s3(gitlab.url(), WATCH, &proxy.url(), &bucket.name);
    let daemon = place.start().await;
    daemon.is_ready().await;
    all_is_told(&daemon, &gitlab).await;
    daemon.stop().await;

    proxy.go().await;
    gitlab.forget_requests();
    let daemon = place.start().await;
    until("the reason", async || {
        let (status, text) = daemon.get("/-/ready").await;
        assert_eq!(status, 503, "{text}");
        let told = text.contains("the saved state cannot be read")
            && text.contains("check store.s3.endpoint_url");
        holds(told, text)
    })
    .await;
    assert_eq!(daemon.get("/-/healthy").await.0, 200);
    let mut asked = gitlab.requests();
    // What concerns no project is asked at once.
    asked.retain(|request| request.target.contains("/projects"));
    assert!(asked.is_empty(), "polled with an empty state: {asked:?}");
    proxy.come_back().await;
    daemon.is_ready().await;
    daemon.says("loaded 1 timelines").await;
    all_is_told(&daemon, &gitlab).await;
    daemon.stop().await;
}

#[tokio::test]
async fn while_s3_is_away_polls_and_scrapes_go_on_and_changes_are_saved_afterwards() {
    let bucket = TestBucket::create().await;
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(3));
    let mut proxy = Proxy::before(bucket.server).await;
    let place = Place::on_s3(gitlab.url(), WATCH, &proxy.url(), &bucket.name);
    let daemon = place.start().await;
    daemon.is_ready().await;
    all_is_saved(&daemon).await;

    proxy.go().await;
    gitlab.advance(minutes(3));
    all_is_told(&daemon, &gitlab).await;
    daemon
        .shows("the outage", |samples| {
            let unsaved = samples.value(UNSAVED, &[]);
            let failed = samples.value(SAVES, &[("result", "failure")]);
            let told = unsaved > Some(0.0) && failed >= Some(2.0);
            holds(told, format!("{unsaved:?} unsaved, {failed:?} failed"))
        })
        .await;
    gitlab.advance(minutes(3));
    all_is_told(&daemon, &gitlab).await;
    let log = daemon.log();
    assert_eq!(
        log.matches("saver: cannot write s3://").count(),
        1,
        "said once: {log}"
    );

    proxy.come_back().await;
    daemon.says("saved again").await;
    all_is_saved(&daemon).await;
    daemon.kill().await;
    let daemon = place.start().await;
    daemon.is_ready().await;
    all_is_told(&daemon, &gitlab).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_document_that_cannot_be_written_is_tried_again_in_time_while_others_are_saved() {
    let bucket = TestBucket::create().await;
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(3));
    let proxy = Proxy::before(bucket.server).await;
    let watch = "projects: [acme/shop, acme/mobile]";
    let place = Place::on_s3(gitlab.url(), watch, &proxy.url(), &bucket.name);
    let daemon = place.start().await;
    daemon.is_ready().await;
    all_is_saved(&daemon).await;
    proxy.always_at("/102/main.json", Trouble::Refuse(403, "AccessDenied"));
    // In as many failures of everything the pauses would have grown to a minute.
    until("attempts", async || {
        gitlab.advance(Duration::from_secs(5));
        let failed = daemon.scrape().await.value(SAVES, &[("result", "failure")]);
        holds(failed >= Some(15.0), format!("{failed:?} failed"))
    })
    .await;
    proxy.always(Method::PUT, None);
    all_is_saved(&daemon).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_stop_while_s3_is_away_ends_in_time_and_says_what_is_not_saved() {
    let bucket = TestBucket::create().await;
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(3));
    let mut proxy = Proxy::before(bucket.server).await;
    let place = Place::on_s3(gitlab.url(), WATCH, &proxy.url(), &bucket.name);
    let daemon = place.start().await;
    daemon.is_ready().await;
    all_is_saved(&daemon).await;
    proxy.go().await;
    gitlab.advance(minutes(2));
    daemon.says("changes wait").await;
    daemon.signal(rustix::process::Signal::TERM);
    let ended = tokio::time::timeout(Duration::from_secs(25), daemon.ended());
    let (status, log) = ended
        .await
        .expect("it ends within the time that orchestrators give");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("the last changes are not saved"), "{log}");
    assert!(proxy.count(&Method::PUT) > 0);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_keeps_it_from_starting() {
    let bucket = TestBucket::create().await;
    let place = Place::on_s3("http://127.0.0.1:1", WATCH, bucket.server, "no-such-bucket");
    let said = place.refused(&[]).await;
    assert!(said.contains("there is no such bucket"), "{said}");
    assert!(said.contains("store.s3.bucket"), "{said}");
}

#[tokio::test]
async fn without_credentials_it_does_not_start_and_says_where_they_are_looked_for() {
    let bucket = TestBucket::create().await;
    let place = Place::on_s3("http://127.0.0.1:1", WATCH, bucket.server, &bucket.name)
        .with_environment(&[("AWS_EC2_METADATA_DISABLED", "true")]);
    let said = place.refused(&[]).await;
    assert!(said.contains("no credentials were found"), "{said}");
    for place in [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ] {
        assert!(said.contains(place), "{said}");
    }
}

#[tokio::test]
async fn credentials_of_a_profile_are_taken_and_wrong_ones_are_refused_without_showing_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ci-state")).unwrap();
    let rclone = Rclone::serve(folder.path());
    let file = folder.path().join("credentials");
    let gitlab = gitlab("flaky").await;
    for (secret, accepted) in [(SECRET, true), ("not-the-secret", false)] {
        let profile =
            format!("[ci]\naws_access_key_id = {KEY}\naws_secret_access_key = {secret}\n");
        std::fs::write(&file, profile).unwrap();
        let place = Place::on_s3(gitlab.url(), WATCH, &rclone.url, "ci-state").with_environment(&[
            ("AWS_PROFILE", "ci"),
            ("AWS_SHARED_CREDENTIALS_FILE", &file.to_string_lossy()),
            ("AWS_CONFIG_FILE", "/dev/null"),
        ]);
        if accepted {
            let daemon = place.start().await;
            daemon.is_ready().await;
            // rclone ignores conditions.
            daemon
                .says("of two replicas on one bucket and prefix the last to write wins")
                .await;
            assert_eq!(daemon.scrape().await.value(CONDITIONAL, &[]), Some(0.0));
            daemon.stop().await;
        } else {
            let said = place.refused(&[]).await;
            assert!(said.contains("the credentials are not accepted"), "{said}");
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[tokio::test]
async fn a_directory_given_as_a_flag_goes_over_the_bucket() {
    let place = Place::on_s3(
        "http://127.0.0.1:1",
        WATCH,
        "http://127.0.0.1:1",
        "ci-state",
    );
    // Below a file nobody can create anything, not even root.
    let below = place.config().join("state").to_string_lossy().into_owned();
    let said = place.refused(&["--store.directory", &below]).await;
    assert!(said.contains(&below), "{said}");
}
