//! The state over the end of the process, however it ends, and over a disk that cannot be written.

use std::fs;
use std::sync::Arc;

use ci_history::{Rules, TimelineKey};
use gitlab_simulator::{Fault, Handle, JobPlan, PipelinePlan};
use job_failure_exporter::store::decode_v2;
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use testkit::daemon::{Daemon, Place, gitlab, holds, minutes, until};
use testkit::samples::Samples;
use testkit::truth::{equal, polled, project_ids};

const SAVES: &str = "job_failure_exporter_state_saves_total";
const UNSAVED: &str = "job_failure_exporter_state_unsaved_timelines";

fn place(gitlab: &Handle) -> Place {
    Place::new(gitlab.url(), "groups: [{path: acme}]")
}

async fn is_true(daemon: &Daemon, gitlab: &Handle) -> Samples {
    let truths = gitlab.truth();
    let look = |samples: &Samples| equal(samples, &truths);
    daemon.shows("the truth", look).await
}

/// Waits until all of it is served again; loading goes on while it serves already.
async fn shows_again(daemon: &Daemon, before: &str) {
    let same = |samples: &Samples| {
        let now = samples.kept();
        holds(now == before, format!("{now}\ninstead of\n{before}"))
    };
    daemon.shows("what was saved", same).await;
}

/// GitLab answers nothing any more, or again.
fn cut_off(gitlab: &Handle, is_cut_off: bool) {
    gitlab.faults(|faults| faults.outage = is_cut_off.then_some(Fault::Reset));
}

/// Waits until all that was observed so far is saved: a change that came after it is.
async fn saved(gitlab: &Handle, place: &Place, mark: &str) {
    gitlab.with(|world| {
        // Projects are saved in the order of their ids.
        let last = world.project_by_path("acme/zz-last").unwrap().id;
        let plan = PipelinePlan::new([JobPlan::passes(mark)]);
        world.push_pipeline(last, plan.instant());
    });
    until("the mark in a document", async || {
        let documents = place.documents();
        let found = documents
            .iter()
            .any(|(_, doc)| doc["jobs"].get(mark).is_some());
        holds(found, format!("{mark} is in none of {}", documents.len()))
    })
    .await;
}

#[tokio::test]
async fn the_last_changes_are_saved_on_sigterm_and_served_again_without_gitlab() {
    let gitlab = gitlab("demo").await;
    let place = place(&gitlab);
    // After the first time, which comes before anything is known, only the end saves.
    place.reconfigure("save_interval: 100ms", "save_interval: 1h");
    let daemon = place.start().await;
    daemon.is_ready().await;
    gitlab.advance(minutes(5));
    polled(&gitlab, &daemon, &project_ids(&gitlab)).await;
    let before = is_true(&daemon, &gitlab).await.kept();
    assert!(place.documents().is_empty());
    daemon.signal(Signal::TERM);
    let (status, log) = daemon.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("everything is saved (16 timelines"), "{log}");

    cut_off(&gitlab, true);
    let daemon = place.start().await;
    shows_again(&daemon, &before).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_saved_and_nothing_counts_twice_after_it() {
    let gitlab = gitlab("demo").await;
    gitlab.with(|world| world.create_project("acme/zz-last"));
    let place = place(&gitlab);
    let mut daemon = place.start().await;
    daemon.is_ready().await;
    // In each of them pipelines run; retries have been counted, and late ones inserted.
    for (minute, mark) in [(2, "first"), (5, "second"), (8, "third"), (10, "fourth")] {
        let now = gitlab.with(|world| world.now().seconds_since(world.started()));
        let target = minutes(minute).as_secs_f64() + 15.0;
        gitlab.advance(std::time::Duration::from_secs_f64(target - now));
        polled(&gitlab, &daemon, &project_ids(&gitlab)).await;
        saved(&gitlab, &place, mark).await;
        let before = is_true(&daemon, &gitlab).await.kept();
        daemon.kill().await;

        cut_off(&gitlab, true);
        daemon = place.start().await;
        shows_again(&daemon, &before).await;
        cut_off(&gitlab, false);
        daemon.is_ready().await;
        polled(&gitlab, &daemon, &project_ids(&gitlab)).await;
        assert_eq!(daemon.scrape().await.kept(), before, "polled, at {mark}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_second_signal_waits_for_nothing() {
    let gitlab = gitlab("flaky").await;
    let place = place(&gitlab);
    let daemon = place.start().await;
    daemon.is_ready().await;
    // A request whose head has begun is waited for at an orderly end.
    let mut slow = TcpStream::connect(daemon.address()).await.unwrap();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost")
        .await
        .unwrap();
    for _ in 0..2 {
        daemon.scrape().await;
    }
    daemon.signal(Signal::TERM);
    daemon
        .says("SIGTERM: no more polling, saving the state")
        .await;
    daemon.signal(Signal::INT);
    let (status, log) = daemon.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("SIGINT again: not waiting any longer"),
        "{log}"
    );
    drop(slow);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told_and_saved_into_as_soon_as_it_can_be() {
    let gitlab = gitlab("outage").await;
    let place = place(&gitlab);
    let daemon = place.start().await;
    daemon.is_ready().await;
    gitlab.advance(minutes(2));
    is_true(&daemon, &gitlab).await;
    let (path, _) = until("a document", async || {
        place.documents().pop().ok_or_else(|| "none".to_owned())
    })
    .await;
    // A file in place of the folder stops root, too.
    let folder = path.parent().unwrap();
    let moved = place.state().with_file_name("moved");
    fs::rename(folder, &moved).unwrap();
    fs::write(folder, "").unwrap();

    gitlab.advance(minutes(2));
    is_true(&daemon, &gitlab).await;
    let failure = [("result", "failure")];
    let waits = |samples: &Samples| {
        let failed = samples.value(SAVES, &failure);
        let waiting = samples.value(UNSAVED, &[]);
        let told = failed.is_some_and(|count| count >= 1.0) && waiting == Some(1.0);
        holds(told, format!("failed {failed:?}, waiting {waiting:?}"))
    };
    let samples = daemon.shows("a save that failed", waits).await;
    let wanted = format!("cannot save {}", path.display());
    daemon.says(&wanted).await;
    let success = samples.value(SAVES, &[("result", "success")]);
    assert!(success.is_some_and(|count| count >= 5.0), "{success:?}");

    // It goes on serving what it cannot save.
    gitlab.advance(minutes(1));
    is_true(&daemon, &gitlab).await;
    assert_eq!(daemon.get("/-/ready").await.0, 200);
    fs::remove_file(folder).unwrap();
    fs::rename(&moved, folder).unwrap();
    let none_waits = |samples: &Samples| {
        let waiting = samples.value(UNSAVED, &[]);
        holds(waiting == Some(0.0), format!("waiting {waiting:?}"))
    };
    daemon.shows("nothing left to be saved", none_waits).await;
    daemon.says("saved again").await;
    let log = daemon.log();
    assert_eq!(log.matches("cannot save").count(), 1, "told once: {log}");
    let before = is_true(&daemon, &gitlab).await.kept();
    daemon.stop().await;

    cut_off(&gitlab, true);
    let daemon = place.start().await;
    shows_again(&daemon, &before).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_document_reads_as_a_job_executions_v2_json() {
    let gitlab = gitlab("breaks-and-is-fixed").await;
    gitlab.advance(minutes(5));
    let place = place(&gitlab);
    let daemon = place.start().await;
    daemon.is_ready().await;
    is_true(&daemon, &gitlab).await;
    daemon.stop().await;
    let (path, document) = place.documents().pop().unwrap();
    let truth = gitlab.truth_of("acme/shop", "unit-tests").unwrap();
    assert_eq!(truth.consecutive_failures, 3, "the scenario is another one");

    let (newest_ended, wanted) = gitlab.with(|world| {
        let project = world.project_by_path("acme/shop").unwrap().id;
        let pipelines = world.visible_pipelines(project);
        let ended = pipelines.filter(|pipeline| pipeline.status.is_terminal());
        let ended: Vec<_> = ended.collect();
        let entry = |pipeline: &&gitlab_simulator::Pipeline| {
            let job = world.latest(pipeline.id, "unit-tests").unwrap();
            let failing = job.failure_reason.is_some();
            (job.id, failing, pipeline.sha.clone())
        };
        let entries: Vec<_> = ended.iter().map(entry).collect();
        (ended.last().unwrap().id, entries)
    });
    assert_eq!(document["pipeline_id"], newest_ended);
    let job = &document["jobs"]["unit-tests"];
    assert_eq!(job["consecutive_failures"], 3);
    let entry = |entry: &Value| {
        let id = entry["id"].as_u64().unwrap();
        let commit = entry["commit"].as_str().unwrap().to_owned();
        (id, entry["failing"].as_bool().unwrap(), commit)
    };
    let entries: Vec<_> = job["jobs_info"]
        .as_array()
        .unwrap()
        .iter()
        .map(entry)
        .collect();
    assert_eq!(entries, wanted);

    let key = TimelineKey::new(1, Arc::from("main"));
    let text = fs::read(path).unwrap();
    let read = decode_v2(&text, key, "acme/shop".into(), &Rules::datadog_agent()).unwrap();
    let rows = read.rows(&Rules::datadog_agent());
    let unit = rows.jobs.iter().find(|row| &*row.name == "unit-tests");
    assert_eq!(unit.unwrap().figures.consecutive_failures, 3);
}
