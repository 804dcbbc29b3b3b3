//! Documents in S3, on real servers: what is saved, what comes back, and what goes wrong.

mod faults;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use ci_history::{
    JobObservation, PipelineObservation, Rules, Shard, Status, Timeline, TimelineKey, Timestamp,
};
use futures_util::future::join_all;
use job_failure_exporter::base::s3_options::{Encryption, S3Options};
use job_failure_exporter::store::{S3, Saved, encode};

use testkit::s3_servers::{KEY, SECRET, TestBucket};

fn options(bucket: &str, url: &str) -> S3Options {
    S3Options {
        bucket: bucket.to_owned(),
        prefix: "state/jobs".to_owned(),
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some(url.parse().unwrap()),
        force_path_style: true,
        encryption: None,
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

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(1_700_000_000 + seconds.cast_signed()).unwrap()
}

/// A timeline that has seen a failing job in each of these pipelines.
fn saved(ref_name: &str, pipelines: &[u64]) -> Saved {
    let key = TimelineKey::new(7, ref_name);
    let mut timeline = Timeline::new(key, "acme/shop".into(), None);
    for id in pipelines {
        let pipeline = PipelineObservation {
            id: *id,
            ref_name: ref_name.into(),
            tag: false,
            sha: format!("commit-{id}").into(),
            status: Status::Failed,
            source: Some("push".into()),
            created_at: Some(at(*id)),
            updated_at: Some(at(id + 9)),
            duration: None,
            failure_reason: None,
            has_other_jobs: false,
            web_url: None,
            commit_info: None,
            is_partial: false,
        };
        let job = JobObservation {
            id: id * 10,
            name: "unit".into(),
            stage: "test".into(),
            tags: "".into(),
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
        has_gap: false,
        scope: job_failure_exporter::store::SavedScope::default(),
    }
}

fn rules() -> Rules {
    Rules::default()
}

async fn load(store: &S3) -> Vec<Saved> {
    let loaded = store.load_shard(Shard::WHOLE).await.unwrap();
    assert!(loaded.quarantined.is_empty(), "{:?}", loaded.quarantined);
    loaded.timelines
}

async fn save(store: &S3, saved: &Saved) -> Option<Timeline> {
    store
        .save(saved.clone(), &rules())
        .await
        .unwrap()
        .merged
        .map(|saved| saved.timeline)
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
async fn a_list_of_more_than_1000_objects_is_read_to_its_end() {
    let bucket = TestBucket::create().await;
    let documents: Vec<Saved> = (0..30).map(|n| saved(&format!("v{n:02}"), &[1])).collect();
    let mut objects: Vec<(String, Vec<u8>)> = (0..1_000)
        .map(|n| (format!("state/jobs/7/a{n:03}.json.broken-1"), b"{".to_vec()))
        .collect();
    for saved in &documents {
        let key = format!("state/jobs/7/{}.json", saved.timeline.key.ref_name);
        objects.push((key, encode(saved, &rules())));
    }
    for some in objects.chunks(16) {
        let puts = some.iter().map(|(key, body)| bucket.put(key, body.clone()));
        join_all(puts).await;
    }
    assert_eq!(load(&store(&bucket).await).await, documents);
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
    let merged = written.merged.map(|saved| saved.timeline);
    assert_eq!(merged, Some(saved("main", &[1, 2, 3]).timeline));
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
        encryption: Some(Encryption::Kms),
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
