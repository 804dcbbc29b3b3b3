//! What nothing was heard of for the retention time goes: series, history, document.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ci_history::{Rules, TimelineKey};
use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use job_failure_exporter::store::{Saved, decode_v2, encode};
use serde_json::Value;

use testkit::daemon::{Daemon, Place, folder, holds, until};
use testkit::samples::{Sample, Samples};

fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

/// Runs a pipeline to its end.
fn runs(gitlab: &Handle, project: &str, branch: &str, jobs: &[&str]) {
    gitlab.with(|world| {
        let id = world.project_by_path(project).unwrap().id;
        let jobs: Vec<_> = jobs.iter().map(|name| JobPlan::fails(*name)).collect();
        world.push_pipeline(id, PipelinePlan::new(jobs).on(branch).instant());
    });
    gitlab.advance(Duration::from_mins(10));
}

async fn gitlab_with(projects: &[&str]) -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    for project in projects {
        gitlab.with(|world| world.create_project(project));
    }
    gitlab
}

/// Every job with a streak, as `project ref job`.
fn jobs(samples: &Samples) -> BTreeSet<String> {
    let found = samples.of("job_consecutive_failures", &[]);
    let name = |sample: &&Sample| {
        let words = ["project", "ref", "job_name"].map(|label| sample.labels[label].as_str());
        words.join(" ")
    };
    found.iter().map(name).collect()
}

async fn shows_exactly(daemon: &Daemon, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|it| (*it).to_owned()).collect();
    let look = |samples: &Samples| {
        let found = jobs(samples);
        holds(found == wanted, format!("{found:?} instead of {wanted:?}"))
    };
    daemon.shows("the jobs", look).await;
}

/// Waits until the documents are those of these refs, each with these jobs: `project ref job`.
async fn saved_are_exactly(place: &Place, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|it| (*it).to_owned()).collect();
    until("the documents", async || {
        let mut found = BTreeSet::new();
        for (_, document) in place.documents() {
            let name = [&document["project"]["path"], &document["ref"]];
            let name = name.map(|text| text.as_str().unwrap()).join(" ");
            for job in document["jobs"].as_object().unwrap().keys() {
                found.insert(format!("{name} {job}"));
            }
        }
        holds(found == wanted, format!("{found:?} instead of {wanted:?}"))
    })
    .await;
}

/// The refs of the documents in the attic.
fn in_attic(place: &Place) -> Vec<String> {
    let projects = folder(&place.state().join("attic")).into_iter();
    let files = projects.flat_map(|project| folder(&project));
    let name = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.split('@').next().unwrap().to_owned()
    };
    files.map(name).collect()
}

#[tokio::test]
async fn a_job_and_a_branch_go_after_the_retention_and_what_lives_stays() {
    let gitlab = gitlab_with(&["acme/shop"]).await;
    let place = Place::new(gitlab.url(), "projects: [acme/shop], refs: ['.*']");
    runs(&gitlab, "acme/shop", "main", &["unit", "old"]);
    runs(&gitlab, "acme/shop", "feature", &["unit"]);
    let daemon = place.start().await;
    let all = [
        "acme/shop feature unit",
        "acme/shop main old",
        "acme/shop main unit",
    ];
    shows_exactly(&daemon, &all).await;
    gitlab.advance(days(29));
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    shows_exactly(&daemon, &all).await;
    saved_are_exactly(&place, &all).await;

    gitlab.advance(days(2));
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    // A job of a ref that lives stays: it may run once a month.
    let left = ["acme/shop main old", "acme/shop main unit"];
    shows_exactly(&daemon, &left).await;
    saved_are_exactly(&place, &left).await;
    let unit = [("job_name", "unit")];
    let streak = daemon.scrape().await.sum("job_consecutive_failures", &unit);
    assert!((streak - 3.0).abs() < 0.5, "{streak}");
    daemon.says("no activity on this ref").await;
    assert_eq!(in_attic(&place), ["feature"]);

    // The last pipelines are looked at once more, and what is over among them stays away.
    daemon.kill().await;
    let daemon = place.start().await;
    daemon.is_ready().await;
    shows_exactly(&daemon, &left).await;
    // Who comes back begins anew.
    runs(&gitlab, "acme/shop", "feature", &["unit"]);
    let back = [
        "acme/shop feature unit",
        "acme/shop main old",
        "acme/shop main unit",
    ];
    shows_exactly(&daemon, &back).await;
    saved_are_exactly(&place, &back).await;

    // Not after four times the retention alone, but if its ref ran often since then.
    gitlab.advance(days(95));
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    shows_exactly(&daemon, &left).await;
    for _ in 0..8 {
        runs(&gitlab, "acme/shop", "main", &["unit"]);
    }
    shows_exactly(&daemon, &["acme/shop main unit"]).await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_watched_no_more_goes_from_the_page_at_once_and_from_the_disk_after_the_retention()
{
    let gitlab = gitlab_with(&["acme/shop", "acme/left"]).await;
    let watch = "projects: [acme/shop, acme/left], refs: ['.*']";
    let place = Place::new(gitlab.url(), watch);
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    runs(&gitlab, "acme/shop", "feature", &["unit"]);
    runs(&gitlab, "acme/left", "main", &["unit"]);
    let all = [
        "acme/left main unit",
        "acme/shop feature unit",
        "acme/shop main unit",
    ];
    let daemon = place.start().await;
    shows_exactly(&daemon, &all).await;
    saved_are_exactly(&place, &all).await;
    daemon.stop().await;

    place.reconfigure(watch, "projects: [acme/shop], refs: ['main']");
    let daemon = place.start().await;
    let left = ["acme/shop main unit"];
    shows_exactly(&daemon, &left).await;
    gitlab.advance(days(29));
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    runs(&gitlab, "acme/shop", "feature", &["unit"]);
    let streak = |samples: &Samples| {
        let streak = samples.sum("job_consecutive_failures", &[]);
        holds((streak - 2.0).abs() < 0.5, streak)
    };
    daemon.shows("the second failure", streak).await;
    saved_are_exactly(&place, &all).await;

    gitlab.advance(days(2));
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    saved_are_exactly(&place, &left).await;
    shows_exactly(&daemon, &left).await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_was_over_before_it_was_first_seen_is_never_shown() {
    let gitlab = gitlab_with(&["acme/shop"]).await;
    runs(&gitlab, "acme/shop", "ancient", &["unit"]);
    // Once a fortnight: the whole history counts, since it goes on.
    for _ in 0..4 {
        runs(&gitlab, "acme/shop", "main", &["unit"]);
        gitlab.advance(days(14));
    }
    let place = Place::new(gitlab.url(), "projects: [acme/shop], refs: ['.*']");
    let daemon = place.start().await;
    daemon.is_ready().await;
    shows_exactly(&daemon, &["acme/shop main unit"]).await;
    let samples = daemon.scrape().await;
    assert_eq!(samples.value("job_consecutive_failures", &[]), Some(4.0));
    daemon.stop().await;
    saved_are_exactly(&place, &["acme/shop main unit"]).await;
}

#[tokio::test]
async fn what_was_imported_without_any_time_goes_too_counted_from_when_it_was_first_seen() {
    let gitlab = gitlab_with(&["acme/shop"]).await;
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    let place = Place::new(gitlab.url(), "projects: [acme/shop]");
    let v2 = br#"{"pipeline_id":7,"jobs":{"unit":{"consecutive_failures":3,"jobs_info":[]}}}"#;
    let key = TimelineKey::new(999, "main");
    let rules = Rules::default();
    let timeline = decode_v2(v2, key, "acme/gone".into(), &rules).unwrap();
    let saved = Saved {
        timeline,
        watermark: None,
        has_gap: false,
        scope: job_failure_exporter::store::SavedScope::default(),
    };
    let folder = place.state().join("999");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("main.json"), encode(&saved, &rules)).unwrap();

    let daemon = place.start().await;
    let all = ["acme/gone main unit", "acme/shop main unit"];
    saved_are_exactly(&place, &all).await;
    until("its first time", async || {
        let documents = place.documents();
        let dated = |(_, it): &(PathBuf, Value)| it["jobs"]["unit"]["first_seen"].is_i64();
        holds(documents.iter().all(dated), "no time yet")
    })
    .await;
    gitlab.advance(days(29));
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    saved_are_exactly(&place, &all).await;
    gitlab.advance(days(2));
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    saved_are_exactly(&place, &["acme/shop main unit"]).await;
    daemon.stop().await;
}

#[tokio::test]
async fn wrong_clocks_of_gitlab_drop_nothing_however_many_answers_they_give() {
    let gitlab = gitlab_with(&["acme/shop"]).await;
    for _ in 0..4 {
        runs(&gitlab, "acme/shop", "main", &["unit"]);
        runs(&gitlab, "acme/shop", "feature", &["unit"]);
    }
    let place = Place::new(gitlab.url(), "projects: [acme/shop], refs: ['.*']");
    place.reconfigure("clock_jump_hold: 100ms", "clock_jump_hold: 30m");
    let daemon = place.start().await;
    let all = ["acme/shop feature unit", "acme/shop main unit"];
    saved_are_exactly(&place, &all).await;
    for every in [3, 1] {
        gitlab.faults(|faults| faults.wrong_date = Some((days(4500), every)));
        for _ in 0..5 {
            runs(&gitlab, "acme/shop", "main", &["unit"]);
            daemon.scrape().await;
        }
        saved_are_exactly(&place, &all).await;
    }
    gitlab.faults(|faults| faults.wrong_date = None);
    shows_exactly(&daemon, &all).await;
    let streak = |samples: &Samples| {
        let streak = samples.sum("job_consecutive_failures", &[("ref", "main")]);
        holds((streak - 14.0).abs() < 0.5, streak)
    };
    daemon.shows("every failure", streak).await;
    daemon.stop().await;
    assert!(!place.state().join("attic").exists());
}

#[tokio::test]
async fn a_document_of_the_attic_is_brought_back_and_goes_on() {
    let gitlab = gitlab_with(&["acme/shop"]).await;
    let place = Place::new(gitlab.url(), "projects: [acme/shop], refs: ['.*']");
    for _ in 0..3 {
        runs(&gitlab, "acme/shop", "feature", &["unit"]);
    }
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    let daemon = place.start().await;
    saved_are_exactly(&place, &["acme/shop feature unit", "acme/shop main unit"]).await;
    gitlab.advance(days(31));
    runs(&gitlab, "acme/shop", "main", &["unit"]);
    saved_are_exactly(&place, &["acme/shop main unit"]).await;
    daemon.stop().await;

    let listed = place.run(&["state", "restore"]).await.done();
    assert!(
        listed.contains("ref feature: 1 job, up to pipeline"),
        "{listed}"
    );
    let wanted = ["state", "restore", "--project", "acme/shop", "--ref"];
    let unknown = place
        .run(&[&wanted[..], &["next"]].concat())
        .await
        .refused();
    assert!(
        unknown.contains("is of that project, ref and track"),
        "{unknown}"
    );
    place
        .run(&[&wanted[..], &["feature"]].concat())
        .await
        .done();
    assert_eq!(in_attic(&place), Vec::<String>::new());

    place.configure_also("retention: 90d\n");
    let daemon = place.start().await;
    runs(&gitlab, "acme/shop", "feature", &["unit"]);
    let streak = |samples: &Samples| {
        let streak = samples.sum("job_consecutive_failures", &[("ref", "feature")]);
        holds((streak - 4.0).abs() < 0.5, streak)
    };
    daemon.shows("the streak goes on", streak).await;
    daemon.stop().await;
}
