//! Several exporters that share the projects of one GitLab: together they serve exactly all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ci_history::Shard;
use gitlab_simulator::{Fault, Handle};
use serde_json::Value;

use testkit::daemon::{Daemon, Place, folder, gitlab, minutes};
use testkit::s3_servers::TestBucket;

fn place(gitlab: &Handle, number: usize, count: usize) -> Place {
    let watch = format!("groups: [{{path: acme}}], shard: {number}/{count}");
    Place::new(gitlab.url(), &watch)
}

/// The series of jobs and pipelines that a daemon serves.
async fn series(daemon: &Daemon) -> BTreeSet<String> {
    let kept = daemon.scrape().await.kept();
    kept.lines().map(str::to_owned).collect()
}

/// The shards' series, and whose each is; one that two serve fails the test.
async fn of_all(daemons: &[Daemon]) -> BTreeMap<String, usize> {
    let mut owners = BTreeMap::new();
    for (number, daemon) in daemons.iter().enumerate() {
        for line in series(daemon).await {
            let other = owners.insert(line.clone(), number);
            assert_eq!(other, None, "{line} is served by {number}, too");
        }
    }
    owners
}

async fn start(places: &[Place]) -> Vec<Daemon> {
    let mut daemons = Vec::new();
    for place in places {
        daemons.push(place.start().await);
    }
    daemons
}

async fn stop(daemons: Vec<Daemon>) {
    for daemon in daemons {
        daemon.stop().await;
    }
}

/// The projects of which a place has documents.
fn saved(place: &Place) -> BTreeSet<u64> {
    let documents = place.documents();
    let id = |(_, document): &(_, Value)| document["project"]["id"].as_u64().unwrap();
    documents.iter().map(id).collect()
}

/// Copies the documents of a state directory into another.
fn copy(from: &Path, to: &Path) {
    for project in folder(from).into_iter().filter(|path| path.is_dir()) {
        let target = to.join(project.file_name().unwrap());
        fs::create_dir_all(&target).unwrap();
        for document in folder(&project) {
            fs::copy(&document, target.join(document.file_name().unwrap())).unwrap();
        }
    }
}

#[tokio::test]
async fn shards_serve_and_save_exactly_what_one_exporter_would_and_a_new_one_takes_its_part_over() {
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(6));
    let alone = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let whole = alone.start().await;
    whole.is_ready().await;
    let wanted = series(&whole).await;
    assert!(wanted.len() > 100, "{wanted:?}");

    let three: Vec<_> = (1..=3).map(|number| place(&gitlab, number, 3)).collect();
    let daemons = start(&three).await;
    for daemon in &daemons {
        daemon.is_ready().await;
        assert!(!series(daemon).await.is_empty());
    }
    let before = of_all(&daemons).await;
    let served: BTreeSet<_> = before.keys().cloned().collect();
    assert_eq!(served, wanted);
    stop(daemons).await;
    whole.stop().await;
    let mut owned = BTreeSet::new();
    for place in &three {
        let saved = saved(place);
        assert!(owned.is_disjoint(&saved), "{owned:?} {saved:?}");
        owned.extend(saved);
    }
    assert_eq!(owned, saved(&alone));

    // A fourth comes; what all have saved is at hand for each, and GitLab is not.
    let four: Vec<_> = (1..=4).map(|number| place(&gitlab, number, 4)).collect();
    for (from, to) in three
        .iter()
        .flat_map(|from| four.iter().map(move |to| (from, to)))
    {
        copy(&from.state(), &to.state());
    }
    gitlab.faults(|faults| faults.outage = Some(Fault::Reset));
    let daemons = start(&four).await;
    for daemon in &daemons {
        daemon.says("loaded").await;
    }
    let after = of_all(&daemons).await;
    let served: BTreeSet<_> = after.keys().cloned().collect();
    assert_eq!(served, wanted);
    for (line, owner) in after {
        assert!(
            owner == before[&line] || owner == 3,
            "{line} went to {owner}"
        );
    }
    stop(daemons).await;
}

#[tokio::test]
async fn shards_on_one_bucket_save_and_load_each_only_its_own() {
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(6));
    let bucket = TestBucket::create().await;
    let shard = |number, count| Shard::parse(&format!("{number}/{count}")).unwrap();
    let places = ["1/2", "2/2"].map(|shard| {
        let watch = format!("groups: [{{path: acme}}], shard: {shard}");
        Place::on_s3(gitlab.url(), &watch, bucket.server, &bucket.name)
    });
    let daemons = start(&places).await;
    let mut counts = Vec::new();
    for daemon in &daemons {
        daemon.is_ready().await;
        let samples = daemon.scrape().await;
        counts.push(
            samples
                .value("job_failure_exporter_timelines", &[])
                .unwrap(),
        );
    }
    let before = of_all(&daemons).await;
    stop(daemons).await;
    let keys = bucket.keys().await;
    let mut documents = [0, 0];
    for key in keys.iter().filter(|key| key.contains("/main.json")) {
        let id = key.split('/').rev().nth(1).unwrap().parse().unwrap();
        let owner = (1..=2).find(|number| shard(*number, 2).owns(id));
        documents[owner.unwrap() - 1] += 1;
    }
    assert!(documents.iter().all(|count| *count > 0), "{keys:?}");
    gitlab.faults(|faults| faults.outage = Some(Fault::Reset));
    let daemons = start(&places).await;
    for (daemon, count) in daemons.iter().zip(documents) {
        daemon.says(&format!("loaded {count} timelines")).await;
    }
    assert_eq!(of_all(&daemons).await, before);
    stop(daemons).await;
}

#[tokio::test]
async fn a_shard_without_any_project_is_ready_and_serves_no_job() {
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(2));
    let places: Vec<_> = (1..=3).map(|number| place(&gitlab, number, 3)).collect();
    let daemons = start(&places).await;
    let mut sizes = Vec::new();
    for daemon in &daemons {
        daemon.is_ready().await;
        sizes.push(series(daemon).await.len());
    }
    sizes.sort_unstable();
    assert_eq!(sizes[..2], [0, 0], "one project has one owner");
    assert!(sizes[2] > 0);
    stop(daemons).await;
}
