//! Two replicas on one bucket act once.

use std::time::Duration;

use gitlab_simulator::JobPlan;
use serde_json::{Value, json};
use testkit::client;
use testkit::daemon::{Daemon, Place, holds, minutes, until};
use testkit::s3_servers::{Rclone, TestBucket};

use super::stage::{BOT, OPS, RULES, SHOP, Stage, flaky_runner, results_of};

/// Configures an exporter in this place to act.
fn acts(place: Place) -> Place {
    let beside = |name| place.config().with_file_name(name);
    std::fs::write(beside("bot-token"), BOT).unwrap();
    std::fs::write(beside("ops-token"), OPS).unwrap();
    place.configure_also(&format!(
        "classification: {{read_logs: false}}\n\
         remediation: {{mode: act, token_file: bot-token, limits: {{per_project_per_hour: 100}}, \
         callers: [{{name: ops, token_file: ops-token}}], {RULES}}}\n"
    ));
    place
}

/// Of two replicas that share a bucket.
fn two_places(stage: &Stage, bucket: &TestBucket) -> [Place; 2] {
    let (gitlab, watch) = (stage.gitlab.url(), format!("projects: [{SHOP}]"));
    let place = || acts(Place::on_s3(gitlab, &watch, bucket.server, &bucket.name));
    [place(), place()]
}

async fn record(daemon: &Daemon) -> Value {
    let (_, text) = daemon.get("/api/v1/remediations").await;
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn two_replicas_retry_each_failure_once() {
    let stage = Stage::without_daemon("act", RULES).await;
    let bucket = TestBucket::create().await;
    let places = two_places(&stage, &bucket);
    let replicas = [places[0].start().await, places[1].start().await];
    for replica in &replicas {
        replica.is_ready().await;
    }
    // Both would succeed if both asked.
    let window = Duration::from_millis(300);
    stage
        .gitlab
        .faults(|faults| faults.writes.race_window = window);
    let names = ["a", "b", "c", "d", "e"];
    // Enough others that this is no outage.
    let others = (0..20).map(|index| JobPlan::passes(format!("other-{index}")));
    stage.ended(
        names
            .map(flaky_runner)
            .into_iter()
            .chain(others)
            .collect::<Vec<_>>(),
    );
    until("all to come back", async || {
        stage.gitlab.advance(Duration::from_secs(1));
        let records = [record(&replicas[0]).await, record(&replicas[1]).await];
        let results = results_of(&records[0]);
        holds(results == ["recovered"; 5], format!("{records:#?}"))
    })
    .await;
    assert_eq!(stage.gitlab.retried_twice(), []);
    assert_eq!(stage.retries(), 5);
}

#[tokio::test]
async fn a_stop_at_one_replica_holds_at_the_other_and_the_other_takes_over_what_was_left() {
    let stage = Stage::without_daemon("act", RULES).await;
    let bucket = TestBucket::create().await;
    let places = two_places(&stage, &bucket);
    let [one, other] = [places[0].start().await, places[1].start().await];
    one.is_ready().await;
    other.is_ready().await;
    let halt = async |halted: bool| {
        let url = format!("http://{}/api/v1/remediations/halt", one.address());
        let request = client().post(url).bearer_auth(OPS);
        let answer = request
            .body(json!({"halted": halted}).to_string())
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), 200);
    };
    halt(true).await;
    stage.ended([flaky_runner("unit")]);
    until("both to hold still", async || {
        let held = |record: Value| record["decisions"][0]["reason"] == "halted";
        let both = [held(record(&one).await), held(record(&other).await)];
        holds(both == [true, true], format!("{both:?}"))
    })
    .await;
    halt(false).await;
    one.kill().await;
    until("the other to act", async || {
        stage.gitlab.advance(Duration::from_secs(1));
        let record = record(&other).await;
        holds(results_of(&record) == ["recovered"], format!("{record:#}"))
    })
    .await;
    assert_eq!(stage.retries(), 1);
}

#[tokio::test]
async fn a_store_without_conditional_writes_is_not_good_enough_to_act() {
    let stage = Stage::without_daemon("act", RULES).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bucket")).unwrap();
    let server = Rclone::serve(folder.path());
    let watch = format!("projects: [{SHOP}]");
    let place = acts(Place::on_s3(
        stage.gitlab.url(),
        &watch,
        &server.url,
        "bucket",
    ));
    let daemon = place.start().await;
    daemon.is_ready().await;
    stage.ended([flaky_runner("unit")]);
    until("a decision", async || {
        let record = record(&daemon).await;
        let reason = &record["decisions"][0]["reason"];
        holds(reason == "not_saved", format!("{record:#}"))
    })
    .await;
    daemon.says("does not honour conditional writes").await;
    stage.gitlab.advance(minutes(1));
    assert_eq!(stage.sent(), 0);
}
