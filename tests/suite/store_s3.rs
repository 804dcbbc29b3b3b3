//! Documents in S3, on real servers: what is saved, what comes back, and what goes wrong.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use futures_util::future::join_all;
use http::Method;
use job_failure_exporter::model::{
    JobObservation, PipelineObservation, Rules, Status, Timeline, TimelineKey, Timestamp,
};
use job_failure_exporter::store::{Fault, S3, S3Options, Saved, encode};

use crate::fault_proxy::{Proxy, Trouble};
use crate::s3_servers::{KEY, Rclone, SECRET, TestBucket};

fn options(bucket: &str, url: &str) -> S3Options {
    S3Options {
        bucket: bucket.to_owned(),
        prefix: "state/jobs".to_owned(),
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some(url.to_owned()),
        force_path_style: true,
        server_side_encryption: None,
        kms_key_id: None,
        timeout: Duration::from_secs(20),
    }
}

async fn store_of(options: S3Options, secret: &str) -> S3 {
    let credentials = Credentials::new(KEY, secret, None, None, "test");
    let sdk = aws_config::defaults(BehaviorVersion::latest()).credentials_provider(credentials);
    S3::with(options, sdk).await
}

async fn store(bucket: &TestBucket) -> S3 {
    store_of(options(&bucket.name, bucket.server), SECRET).await
}

async fn store_behind(proxy: &Proxy, bucket: &TestBucket) -> S3 {
    store_of(options(&bucket.name, &proxy.url()), SECRET).await
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(1_700_000_000 + seconds.cast_signed()).unwrap()
}

/// A timeline that has seen a failing job in each of these pipelines.
fn saved(ref_name: &str, pipelines: &[u64]) -> Saved {
    let key = TimelineKey {
        project_id: 7,
        ref_name: ref_name.into(),
    };
    let mut timeline = Timeline::new(key, "acme/shop".into(), None);
    for id in pipelines {
        let pipeline = PipelineObservation {
            id: *id,
            ref_name: ref_name.into(),
            sha: format!("commit-{id}").into(),
            status: Status::Failed,
            source: Some("push".into()),
            created_at: Some(at(*id)),
            updated_at: Some(at(id + 9)),
            duration: None,
            web_url: None,
        };
        let job = JobObservation {
            id: id * 10,
            name: "unit".into(),
            stage: "test".into(),
            status: Status::Failed,
            allow_failure: false,
            created_at: Some(at(*id)),
            started_at: Some(at(id + 1)),
            finished_at: Some(at(id + 8)),
            duration: None,
            queued_duration: None,
            moved_at: None,
            failure_reason: Some("script_failure".into()),
            web_url: None,
        };
        timeline.observe(&pipeline, &[job], &rules(), at(id + 10));
    }
    Saved {
        timeline,
        watermark: pipelines.iter().max().map(|id| at(*id)),
    }
}

fn rules() -> Rules {
    Rules::default()
}

async fn load(store: &S3) -> Vec<Saved> {
    let loaded = store.load().await.unwrap();
    assert!(loaded.set_aside.is_empty(), "{:?}", loaded.set_aside);
    loaded.timelines
}

async fn save(store: &S3, saved: &Saved) -> Option<Timeline> {
    store.save(saved.clone(), &rules()).await.unwrap().merged
}

#[tokio::test]
async fn what_is_saved_below_a_prefix_is_loaded_again_and_what_is_removed_is_not() {
    let bucket = TestBucket::create().await;
    let (main, release) = (saved("main", &[1, 2]), saved("release/1.2 é", &[3]));
    let first = store(&bucket).await;
    assert!(load(&first).await.is_empty());
    for timeline in [&main, &release] {
        assert_eq!(save(&first, timeline).await, None);
    }
    let mut keys = bucket.keys().await;
    keys.retain(|key| !key.contains("probe"));
    assert_eq!(
        keys,
        [
            "state/jobs/7/main.json",
            "state/jobs/7/release%2F1.2%20%C3%A9.json"
        ]
    );
    bucket.put("state/jobs/notes.txt", "not ours").await;
    bucket
        .put("state/jobs-of-others/7/main.json", "not ours")
        .await;
    let second = store(&bucket).await;
    assert_eq!(load(&second).await, [main.clone(), release.clone()]);
    second.remove(&main.timeline.key).await.unwrap();
    // A document that is not there is no error.
    second.remove(&main.timeline.key).await.unwrap();
    assert_eq!(load(&second).await, [release]);
}

#[tokio::test]
async fn more_documents_than_one_list_holds_are_all_loaded() {
    let bucket = TestBucket::create().await;
    let all: Vec<Saved> = (0..1_050)
        .map(|n| saved(&format!("branch-{n:04}"), &[1]))
        .collect();
    for some in all.chunks(16) {
        let puts = some.iter().map(|saved| {
            let key = format!("state/jobs/7/{}.json", saved.timeline.key.ref_name);
            let bucket = &bucket;
            async move { bucket.put(&key, encode(saved, &rules())).await }
        });
        join_all(puts).await;
    }
    assert_eq!(load(&store(&bucket).await).await, all);
}

#[tokio::test]
async fn a_document_is_created_only_where_there_is_none_else_the_two_are_merged() {
    let bucket = TestBucket::create().await;
    let (first, second) = (store(&bucket).await, store(&bucket).await);
    assert_eq!(save(&first, &saved("main", &[1, 3])).await, None);
    let merged = save(&second, &saved("main", &[2, 3])).await;
    let both = saved("main", &[1, 2, 3]);
    assert_eq!(merged, Some(both.timeline.clone()));
    assert_eq!(load(&store(&bucket).await).await, [both]);
    assert_eq!(first.conditional_writes(), None, "not asked for yet");
    first.check().await.unwrap();
    assert_eq!(first.conditional_writes(), Some(true));
}

#[tokio::test]
async fn a_document_is_replaced_only_where_it_is_the_one_that_is_known_else_the_two_are_merged() {
    let bucket = TestBucket::create().await;
    let (first, second) = (store(&bucket).await, store(&bucket).await);
    save(&first, &saved("main", &[1])).await;
    assert_eq!(load(&second).await.len(), 1);
    // The one it loaded: nothing to merge with.
    assert_eq!(save(&second, &saved("main", &[1, 2])).await, None);
    let written = first.save(saved("main", &[1, 3]), &rules()).await.unwrap();
    assert_eq!(written.conflicts, 1);
    assert_eq!(written.merged, Some(saved("main", &[1, 2, 3]).timeline));
    // The other has nothing new: it learns of the merged one, and writes nothing.
    let etag = bucket.response("state/jobs/7/main.json").await.headers()["etag"].clone();
    let merged = save(&second, &saved("main", &[1, 2])).await;
    assert_eq!(merged, Some(saved("main", &[1, 2, 3]).timeline));
    let after = bucket.response("state/jobs/7/main.json").await.headers()["etag"].clone();
    assert_eq!(etag, after);
}

#[tokio::test]
async fn a_document_that_somebody_removed_is_written_again() {
    let bucket = TestBucket::create().await;
    let store = store(&bucket).await;
    save(&store, &saved("main", &[1])).await;
    bucket.remove("state/jobs/7/main.json").await;
    assert_eq!(save(&store, &saved("main", &[1, 2])).await, None);
    assert_eq!(load(&store).await, [saved("main", &[1, 2])]);
}

#[tokio::test]
async fn of_many_replicas_that_write_at_once_none_loses_anything() {
    let bucket = TestBucket::create().await;
    let all: Vec<u64> = (1..=6).collect();
    let writes = all.iter().map(|id| {
        let bucket = bucket.clone();
        async move {
            let store = store(&bucket).await;
            let mut last = None;
            while last.is_none() {
                // Who gave way too often tries again, as the daemon does.
                last = store.save(saved("main", &[*id]), &rules()).await.ok();
            }
        }
    });
    join_all(writes).await;
    assert_eq!(load(&store(&bucket).await).await, [saved("main", &all)]);
}

#[tokio::test]
async fn what_another_replica_wrote_anew_is_not_removed() {
    let bucket = TestBucket::create().await;
    let (first, second) = (store(&bucket).await, store(&bucket).await);
    save(&first, &saved("main", &[1])).await;
    load(&second).await;
    save(&second, &saved("main", &[1, 2])).await;
    first.check().await.unwrap();
    first
        .remove(&saved("main", &[]).timeline.key)
        .await
        .unwrap();
    assert_eq!(load(&second).await, [saved("main", &[1, 2])]);
}

#[tokio::test]
async fn encryption_is_asked_for_with_its_key() {
    let bucket = TestBucket::create().await;
    let store = S3Options {
        server_side_encryption: Some("aws:kms".to_owned()),
        kms_key_id: Some("key-of-ours".to_owned()),
        ..options(&bucket.name, bucket.server)
    };
    save(&store_of(store, SECRET).await, &saved("main", &[1])).await;
    let answer = bucket.response("state/jobs/7/main.json").await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap();
    assert_eq!(header("x-amz-server-side-encryption"), "aws:kms");
    let key = header("x-amz-server-side-encryption-aws-kms-key-id");
    assert_eq!(key, "key-of-ours");
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
    bucket
        .put("state/jobs/7/newer.json", r#"{"version": 9}"#)
        .await;
    bucket.put("state/jobs/7/text.json", "hello").await;
    let store = store(&bucket).await;
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.timelines, std::slice::from_ref(&good));
    let mut told: Vec<String> = loaded
        .set_aside
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
    assert!(told[1].starts_with(&from_to("newer.json", 1)), "{told:?}");
    assert!(told[1].contains("is of version 9"), "{told:?}");
    assert!(told[2].starts_with(&from_to("text.json", 1)), "{told:?}");
    assert_eq!(
        bucket.get("state/jobs/7/cut.json.broken-2").await,
        Some(cut)
    );
    let kept = bucket.get("state/jobs/7/cut.json.broken-1").await.unwrap();
    assert_eq!(kept, b"of last week");
    assert_eq!(load(&store).await, [good]);
}

#[tokio::test]
async fn a_document_of_a_newer_version_in_the_way_of_a_save_is_not_overwritten() {
    let bucket = TestBucket::create().await;
    let store = store(&bucket).await;
    bucket
        .put("state/jobs/7/main.json", r#"{"version": 9}"#)
        .await;
    let error = store.save(saved("main", &[1]), &rules()).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Newer(_)), "{error}");
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
    let error = store.load().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write s3://no-such-bucket/state/jobs/.conditional-write-probe: there is no such bucket: \
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
        let error = job_failure_exporter::store::StoreError::from(error);
        assert!(error.is_lasting(), "{error}");
    }
}

/// rclone serves folders as buckets.
fn rclone() -> (tempfile::TempDir, Rclone) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ci-state")).unwrap();
    let rclone = Rclone::serve(folder.path());
    (folder, rclone)
}

#[tokio::test]
async fn a_server_that_checks_credentials_takes_the_right_ones_and_refuses_others() {
    let (_folder, rclone) = rclone();
    let wrong = store_of(options("ci-state", &rclone.url), "not-the-secret").await;
    let error = wrong.check().await.unwrap_err();
    assert!(
        matches!(error.fault(), Fault::BadCredentials { .. }),
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
    assert!(matches!(error.fault(), Fault::Unreachable(_)), "{error}");
    let error = job_failure_exporter::store::StoreError::from(error);
    assert!(error.is_outage() && !error.is_lasting(), "{error}");
    proxy.come_back().await;
    assert_eq!(save(&store, &saved("main", &[1, 2])).await, None);
    assert_eq!(load(&store).await, [saved("main", &[1, 2])]);
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
        matches!(error.fault(), Fault::Unavailable { .. }),
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
    assert_eq!(written.merged, Some(ours.timeline));
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_read_again_and_never_taken_for_a_broken_document() {
    let bucket = TestBucket::create().await;
    let proxy = Proxy::before(bucket.server).await;
    let store = store_behind(&proxy, &bucket).await;
    save(&store, &saved("main", &[1])).await;
    // The list, twice, and the document.
    proxy.next(Method::GET, &[Trouble::CutBody; 2]);
    assert_eq!(load(&store).await, [saved("main", &[1])]);
    proxy.always(Method::GET, Some(Trouble::CutBody));
    let error = store.load().await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Cut(_)), "{error}");
    proxy.always(Method::GET, None);
    assert_eq!(load(&store).await, [saved("main", &[1])]);
}
