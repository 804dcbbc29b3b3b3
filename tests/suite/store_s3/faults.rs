//! What goes wrong with S3: broken documents, refusals, outages, answers that are cut off.

use std::sync::Arc;
use std::time::Duration;

use ci_history::Shard;
use http::Method;
use job_failure_exporter::base::s3_options::S3Options;
use job_failure_exporter::store::{S3, S3ErrorKind, Store, StoreError, encode};

use super::{load, options, rules, save, saved, store, store_of};
use testkit::fault_proxy::{Proxy, Trouble};
use testkit::s3_servers::{Rclone, SECRET, TestBucket};

async fn store_behind(proxy: &Proxy, bucket: &TestBucket) -> S3 {
    store_of(options(&bucket.name, &proxy.url()), SECRET).await
}

/// rclone serves folders as buckets.
fn rclone() -> (tempfile::TempDir, Rclone) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ci-state")).unwrap();
    let rclone = Rclone::serve(folder.path());
    (folder, rclone)
}

#[tokio::test]
async fn documents_that_cannot_be_read_are_kept_aside_and_the_others_are_loaded() {
    let bucket = TestBucket::create().await;
    let good = saved("main", &[1]);
    save(&store(&bucket).await, &good).await;
    let whole = encode(&saved("cut", &[1, 2]), &rules());
    let cut = whole[..whole.len() / 2].to_vec();
    bucket.put("state/jobs/7/cut.json", cut.clone()).await;
    bucket
        .put("state/jobs/7/cut.json.broken-1", "of last week")
        .await;
    bucket.put("state/jobs/7/text.json", "hello").await;
    let store = store(&bucket).await;
    let loaded = store.load_shard(Shard::WHOLE).await.unwrap();
    assert_eq!(loaded.timelines, std::slice::from_ref(&good));
    let mut told: Vec<String> = loaded
        .quarantined
        .iter()
        .map(|aside| {
            let to = aside.moved_to.as_ref().unwrap().display();
            format!("{} to {to}: {}", aside.path.display(), aside.error)
        })
        .collect();
    told.sort();
    let below = format!("s3://{}/state/jobs/7", bucket.name);
    let from_to = |name: &str, n: u32| format!("{below}/{name} to {below}/{name}.broken-{n}: ");
    assert!(told[0].starts_with(&from_to("cut.json", 2)), "{told:?}");
    assert!(told[1].starts_with(&from_to("text.json", 1)), "{told:?}");
    assert_eq!(
        bucket.get("state/jobs/7/cut.json.broken-2").await,
        Some(cut)
    );
    let kept = bucket.get("state/jobs/7/cut.json.broken-1").await.unwrap();
    assert_eq!(kept, b"of last week");
    assert_eq!(load(&store).await, [good]);
}

#[tokio::test]
async fn a_document_of_a_newer_version_is_an_error_of_the_load_and_stays() {
    let bucket = TestBucket::create().await;
    let name = "state/jobs/7/newer.json";
    bucket.put(name, r#"{"version": 9}"#).await;
    let store = Store::S3(Arc::new(store(&bucket).await));
    let error = store
        .load_shard(Shard::WHOLE)
        .await
        .unwrap_err()
        .to_string();
    let wanted = format!("s3://{}/{name}: the document is of version 9", bucket.name);
    assert!(error.starts_with(&wanted), "{error}");
    let kept = bucket.get(name).await.unwrap();
    assert_eq!(kept, br#"{"version": 9}"#);
}

#[tokio::test]
async fn a_document_of_a_newer_version_in_the_way_of_a_save_is_not_overwritten() {
    let bucket = TestBucket::create().await;
    let store = store(&bucket).await;
    bucket
        .put("state/jobs/7/main.json", r#"{"version": 9}"#)
        .await;
    let error = store.save(saved("main", &[1]), &rules()).await.unwrap_err();
    assert!(matches!(error.kind(), S3ErrorKind::Newer(_)), "{error}");
    assert!(
        error.to_string().contains("run the version that wrote it"),
        "{error}"
    );
    let kept = bucket.get("state/jobs/7/main.json").await.unwrap();
    assert_eq!(kept, br#"{"version": 9}"#);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told() {
    let bucket = TestBucket::create().await;
    let store = store_of(options("no-such-bucket", bucket.server), SECRET).await;
    let error = store.load_shard(Shard::WHOLE).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot list s3://no-such-bucket/state/jobs/: there is no such bucket: \
         create it, or correct store.s3.bucket"
    );
}

#[tokio::test]
async fn wrong_credentials_and_denied_access_and_another_region_are_told_with_what_to_do() {
    let bucket = TestBucket::create().await;
    let proxy = Proxy::before(bucket.server).await;
    for (status, code, wanted) in [
        (403, "SignatureDoesNotMatch", "check AWS_ACCESS_KEY_ID"),
        (403, "AccessDenied", "allow s3:ListBucket"),
        (
            301,
            "PermanentRedirect",
            "set store.s3.region to eu-north-1",
        ),
    ] {
        proxy.always(Method::PUT, Some(Trouble::Refuse(status, code)));
        let error = store_behind(&proxy, &bucket)
            .await
            .check()
            .await
            .unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
        let error = StoreError::from(error);
        assert!(error.is_lasting(), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_checks_credentials_takes_the_right_ones_and_refuses_others() {
    let (_folder, rclone) = rclone();
    let wrong = store_of(options("ci-state", &rclone.url), "not-the-secret").await;
    let error = wrong.check().await.unwrap_err();
    assert!(
        matches!(error.kind(), S3ErrorKind::BadCredentials { .. }),
        "{error}"
    );
    assert!(!error.to_string().contains("not-the-secret"), "{error}");
    let right = store_of(options("ci-state", &rclone.url), SECRET).await;
    right.check().await.unwrap();
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_told_apart_and_works() {
    let (_folder, rclone) = rclone();
    let store = store_of(options("ci-state", &rclone.url), SECRET).await;
    assert!(load(&store).await.is_empty());
    assert_eq!(store.conditional_writes(), Some(false));
    save(&store, &saved("main", &[1])).await;
    save(&store, &saved("main", &[1, 2])).await;
    assert_eq!(load(&store).await, [saved("main", &[1, 2])]);
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_outage_and_is_written_to_when_it_is_back() {
    let bucket = TestBucket::create().await;
    let mut proxy = Proxy::before(bucket.server).await;
    let store = store_behind(&proxy, &bucket).await;
    save(&store, &saved("main", &[1])).await;
    proxy.go().await;
    let error = store
        .save(saved("main", &[1, 2]), &rules())
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), S3ErrorKind::Unreachable(_)),
        "{error}"
    );
    let error = StoreError::from(error);
    assert!(error.is_outage() && !error.is_lasting(), "{error}");
    proxy.come_back().await;
    assert_eq!(save(&store, &saved("main", &[1, 2])).await, None);
    assert_eq!(load(&store).await, [saved("main", &[1, 2])]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_after_the_configured_time() {
    let bucket = TestBucket::create().await;
    let proxy = Proxy::before(bucket.server).await;
    let patient = store(&bucket).await;
    save(&patient, &saved("main", &[1])).await;
    let hasty = S3Options {
        timeout: Duration::from_millis(100),
        ..options(&bucket.name, &proxy.url())
    };
    let hasty = store_of(hasty, SECRET).await;
    for method in [Method::PUT, Method::GET] {
        proxy.always(method.clone(), Some(Trouble::Silence));
        let error = match method {
            Method::PUT => hasty.save(saved("main", &[1, 2]), &rules()).await.err(),
            _ => hasty.load_shard(Shard::WHOLE).await.err(),
        };
        let error = error.unwrap();
        assert!(matches!(error.kind(), S3ErrorKind::Timeout), "{error}");
        assert!(error.to_string().contains("store.s3.timeout"), "{error}");
        let error = StoreError::from(error);
        assert!(error.is_outage() && !error.is_lasting(), "{error}");
    }
    assert_eq!(load(&patient).await, [saved("main", &[1])]);
}

#[tokio::test]
async fn one_answer_of_500_or_slow_down_is_tried_again_and_many_are_told() {
    let bucket = TestBucket::create().await;
    let proxy = Proxy::before(bucket.server).await;
    let store = store_behind(&proxy, &bucket).await;
    let troubles = [
        Trouble::Refuse(500, "InternalError"),
        Trouble::Refuse(503, "SlowDown"),
    ];
    proxy.next(Method::PUT, &troubles);
    assert_eq!(save(&store, &saved("main", &[1])).await, None);
    assert_eq!(proxy.count(&Method::PUT), 3);
    proxy.always(Method::PUT, Some(troubles[1]));
    let error = store
        .save(saved("main", &[1, 2]), &rules())
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), S3ErrorKind::Unavailable { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .ends_with("S3 is not available (status 503, SlowDown)"),
        "{error}"
    );
    assert_eq!(proxy.count(&Method::PUT), 6, "three attempts, no more");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_recognized_as_ones_own() {
    let bucket = TestBucket::create().await;
    let store = store(&bucket).await;
    let ours = saved("main", &[1]);
    // As if it had been written, and the answer had not come.
    bucket
        .put("state/jobs/7/main.json", encode(&ours, &rules()))
        .await;
    let written = store.save(ours.clone(), &rules()).await.unwrap();
    assert_eq!(written.merged, Some(ours));
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_read_again_and_never_taken_for_a_broken_document() {
    let bucket = TestBucket::create().await;
    let proxy = Proxy::before(bucket.server).await;
    let store = store_behind(&proxy, &bucket).await;
    save(&store, &saved("main", &[1])).await;
    proxy.next(Method::GET, &[Trouble::CutBody; 2]);
    assert_eq!(load(&store).await, [saved("main", &[1])]);
    proxy.always(Method::GET, Some(Trouble::CutBody));
    let error = store.load_shard(Shard::WHOLE).await.unwrap_err();
    assert!(matches!(error.kind(), S3ErrorKind::Cut(_)), "{error}");
    proxy.always(Method::GET, None);
    assert_eq!(load(&store).await, [saved("main", &[1])]);
}
