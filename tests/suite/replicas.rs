//! Two replicas on one bucket, killed and restarted at random: they lose nothing and count nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ci_history::{Rules, Timeline};
use fastrand::Rng;
use gitlab_simulator::Handle;
use gitlab_simulator::truth::JobTruth;
use http_body_util::BodyExt as _;
use job_failure_exporter::store::{Saved, decode, encode};
use tokio::time::sleep;

use crate::metrics_rows::exposition;
use testkit::daemon::{Daemon, Place, gitlab, holds, until};
use testkit::s3_servers::TestBucket;
use testkit::samples::Samples;
use testkit::truth::equal;

const SEED: u64 = 3;
const STEPS: usize = 20;
/// With flaky jobs, retries that pass and retries that fail, skipped, allowed and many jobs.
const WATCH: &str =
    "projects: [acme/mobile, acme/api, acme/billing, acme/docs, acme/compiler, acme/website]";
const PROJECTS: usize = 6;
const POLLS: &str = "job_failure_exporter_polls_total";

/// Documents by project and ref; without the watermark, which is bookkeeping.
type Timelines = BTreeMap<(u64, String), Timeline>;

fn timelines(documents: impl IntoIterator<Item = Vec<u8>>) -> Timelines {
    let entry = |text: Vec<u8>| {
        let timeline = decode(&text).unwrap().timeline;
        let key = (timeline.key.project_id, timeline.key.ref_name.to_string());
        (key, timeline)
    };
    documents.into_iter().map(entry).collect()
}

async fn in_bucket(bucket: &TestBucket) -> Timelines {
    let mut documents = Vec::new();
    for key in bucket.keys().await {
        assert!(!key.contains(".broken"), "{key}");
        if !key.contains("probe")
            && [".project", ".sights"]
                .iter()
                .all(|name| !key.ends_with(name))
        {
            documents.push(bucket.get(&key).await.unwrap());
        }
    }
    timelines(documents)
}

fn in_directory(place: &Place) -> Timelines {
    let documents = place.documents();
    timelines(
        documents
            .iter()
            .map(|(path, _)| std::fs::read(path).unwrap()),
    )
}

/// As in a document, one value a line.
fn shown(timeline: &Timeline) -> Vec<String> {
    let saved = Saved {
        timeline: timeline.clone(),
        watermark: None,
        has_gap: false,
        scope: job_failure_exporter::store::SavedScope::default(),
    };
    let text = encode(&saved, &Rules::default());
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let text = serde_json::to_string_pretty(&value).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Where the replicas' documents are not those of a single one.
fn differences(replicas: &Timelines, single: &Timelines) -> Vec<String> {
    let mut found = Vec::new();
    for key in replicas.keys().chain(single.keys()) {
        match (replicas.get(key), single.get(key)) {
            (Some(ours), Some(theirs)) if ours == theirs => {}
            (Some(ours), Some(theirs)) => {
                let (ours, theirs) = (shown(ours), shown(theirs));
                let lines = ours.iter().zip(&theirs);
                let first = lines.take_while(|(a, b)| a == b).count();
                let part = |lines: &[String]| {
                    lines[first.saturating_sub(12)..lines.len().min(first + 6)].join("\n")
                };
                found.push(format!("{key:?}:\n{}\nbut\n{}", part(&ours), part(&theirs)));
            }
            (ours, _) => found.push(format!(
                "{key:?}: only in {}",
                ours.map_or("single", |_| "replicas")
            )),
        }
    }
    found.dedup();
    found
}

fn watched(gitlab: &Handle) -> Vec<JobTruth> {
    let mut truths = gitlab.truth();
    truths.retain(|job| WATCH.contains(&job.project));
    truths
}

/// What documents say, as it is served.
async fn rendered(timelines: &Timelines) -> Samples {
    let exposition = exposition();
    for timeline in timelines.values() {
        let rows = timeline.rows(&Rules::default());
        exposition.publish(timeline.key.clone(), &rows, &|_, _| None);
    }
    let page = exposition.snapshot().identity().collect().await.unwrap();
    Samples::parse(&String::from_utf8_lossy(&page.to_bytes()))
}

/// Every series of jobs and pipelines, counters included.
fn series(samples: &Samples) -> BTreeSet<String> {
    let others = ["job_failure_exporter_", "process_", "project_"];
    samples
        .iter()
        .filter(|sample| !others.iter().any(|prefix| sample.name.starts_with(prefix)))
        .map(|sample| format!("{sample:?}"))
        .collect()
}

/// Waits until everything that the single one counted is in the bucket: what is only seen, a kill takes
/// with it, and later nobody can tell that a job was skipped before it was retried.
async fn is_saved(single: &Daemon, bucket: &TestBucket, gitlab: &Handle) {
    let polls = |samples: &Samples| samples.value(POLLS, &[("result", "success")]).unwrap();
    // A cycle under way may have begun before GitLab's time moved: every project is to see some more.
    let cycles = polls(&single.scrape().await) + 3.0 * PROJECTS as f64;
    let truths = watched(gitlab);
    until("the same in the bucket", async || {
        let counted = single.scrape().await;
        holds(polls(&counted) >= cycles, "too few polls")?;
        equal(&counted, &truths)?;
        let (counted, saved) = (series(&counted), rendered(&in_bucket(bucket).await).await);
        let missing: Vec<_> = counted.difference(&series(&saved)).cloned().collect();
        holds(missing.is_empty(), missing.join("\n"))
    })
    .await;
}

#[tokio::test]
async fn after_kills_and_restarts_every_document_is_the_one_a_single_replica_writes() {
    let mut random = Rng::with_seed(SEED);
    let gitlab = gitlab("demo").await;
    let bucket = TestBucket::create().await;
    let place = || Place::on_s3(gitlab.url(), WATCH, bucket.server, &bucket.name);
    let places = [place(), place()];
    let single_place = Place::new(gitlab.url(), WATCH);
    // Only the log of the newest failure is read: which ones that are is a matter of time.
    for place in places.iter().chain([&single_place]) {
        place.configure_also("classification: {read_logs: false}\n");
    }
    for place in &places {
        // One S3 serves all tests, and is slow where the machine is.
        place.reconfigure(
            "force_path_style: true",
            "force_path_style: true, timeout: 20s",
        );
    }
    let single = single_place.start().await;
    let mut running = [Some(places[0].start().await), Some(places[1].start().await)];
    let mut kills = 0;
    for _ in 0..STEPS {
        gitlab.advance(Duration::from_secs(random.u64(5..90)));
        // The moment of the kill is what is drawn here.
        sleep(Duration::from_millis(random.u64(..300))).await;
        let which = random.usize(..2);
        match running[which].take() {
            None => running[which] = Some(places[which].start().await),
            Some(daemon) if random.u8(..4) == 0 => daemon.stop().await,
            Some(daemon) => {
                daemon.kill().await;
                kills += 1;
            }
        }
        if running.iter().all(Option::is_none) {
            running[which] = Some(places[which].start().await);
        }
        is_saved(&single, &bucket, &gitlab).await;
    }
    let truths = watched(&gitlab);
    for daemon in running.into_iter().flatten().chain([single]) {
        daemon
            .shows("the truth", |samples| equal(samples, &truths))
            .await;
        daemon.stop().await;
    }
    let (replicas, single) = (in_bucket(&bucket).await, in_directory(&single_place));
    let found = differences(&replicas, &single);
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    assert!(
        single.len() == PROJECTS && kills > 5,
        "{} documents, {kills} kills",
        single.len()
    );
}
