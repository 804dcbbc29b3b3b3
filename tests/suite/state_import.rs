//! `state import` as the real program, and what the exporter makes of an import.

use std::path::{Path, PathBuf};

use ci_history::{Rules, TimelineKey};
use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use job_failure_exporter::store::{Saved, decode, decode_v2, encode, encode_v2};
use proptest::prelude::*;
use serde_json::{Value, json};

use testkit::daemon::{Place, gitlab, minutes};
use testkit::truth::equal;

/// A place whose GitLab cannot be asked for anything.
pub(crate) fn offline() -> Place {
    Place::new("http://127.0.0.1:9", "projects: [acme/app]")
}

pub(crate) fn write(place: &Place, name: &str, text: &str) -> PathBuf {
    let path = place.config().with_file_name(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Imports a document for `acme/app`, ref `main`, without asking GitLab.
pub(crate) async fn import(place: &Place, document: &Value) -> String {
    let file = write(place, "document.json", &document.to_string());
    place.run(&offline_import(&file)).await.done()
}

pub(crate) fn offline_import(file: &Path) -> Vec<&str> {
    let file = file.to_str().unwrap();
    let project = ["--project", "acme/app", "--project-id", "100"];
    let mut args = vec!["state", "import", file, "--ref", "main"];
    args.extend(project);
    args
}

pub(crate) async fn export(place: &Place, format: &str) -> Value {
    let args = ["state", "export", "--format", format];
    serde_json::from_str(&place.run(&args).await.done()).unwrap()
}

fn entry(id: u64, failing: bool) -> Value {
    let commit = format!("c{id}");
    if failing {
        json!({"id": id, "failing": true, "commit": commit})
    } else {
        json!({"id": null, "failing": false, "commit": null})
    }
}

/// Of a job that failed so often in a row, all of it in the window.
pub(crate) fn v2(pipeline: u64, failures: u64) -> Value {
    let entries: Vec<Value> = (1..=failures).map(|id| entry(id, true)).collect();
    json!({"pipeline_id": pipeline, "jobs": {
        "build": {"consecutive_failures": failures, "jobs_info": entries},
    }})
}

#[tokio::test]
async fn every_recorded_document_of_the_original_comes_out_as_it_went_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity");
    let mut documents = Vec::new();
    for path in testkit::daemon::folder(&folder) {
        let run: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        documents.extend(run["initial_state"].as_object().cloned());
        let last = run["expected"].as_array().unwrap().last().unwrap();
        documents.extend(last["state"].as_object().cloned());
    }
    assert!(documents.len() > 10);
    for document in documents {
        let mut document = Value::Object(document);
        let place = offline();
        import(&place, &document).await;
        // The original writes it always, and takes none for 0.
        let fields = document.as_object_mut().unwrap();
        fields.entry("pipeline_id").or_insert(json!(0));
        assert_eq!(export(&place, "datadog-v2").await, document);
    }
}

#[tokio::test]
async fn null_entries_and_windows_longer_than_ours_come_out_as_they_went_in() {
    let window: Vec<Value> = (1..=25).map(|id| entry(id, id % 3 == 0)).collect();
    let document = json!({"pipeline_id": 77, "jobs": {
        "long": {"consecutive_failures": 0, "jobs_info": window},
        "streak longer than its window": {
            "consecutive_failures": 40, "jobs_info": [entry(1, true), entry(2, true)]},
        "nothing": {"consecutive_failures": 0, "jobs_info": []},
        "odd": {"consecutive_failures": 1, "jobs_info": [
            {"id": null, "failing": false, "commit": "kept"},
            {"id": null, "failing": true, "commit": null}]},
    }});
    let place = offline();
    let said = import(&place, &document).await;
    assert!(
        said.contains(
            "imported acme/app (id 100), ref main: 4 jobs, 2 of them failing, up to pipeline 77"
        ),
        "{said}"
    );
    assert_eq!(export(&place, "datadog-v2").await, document);
}

#[tokio::test]
async fn what_is_exported_and_imported_is_the_same_to_the_byte() {
    let gitlab = gitlab("demo").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    gitlab.advance(minutes(30));
    let truths = gitlab.truth();
    daemon.shows("the truth", |now| equal(now, &truths)).await;
    daemon.stop().await;
    let other = offline();
    for (path, document) in place.documents() {
        let project = document["project"]["path"].as_str().unwrap();
        let args = ["state", "export", "--project", project];
        let text = place.run(&args).await.done();
        // The saved document names its GitLab and has a checksum, too.
        let saved = std::fs::read_to_string(path).unwrap();
        let (saved, _) = saved.split_once(",\"gitlab\":").unwrap();
        assert_eq!(text, format!("{saved}}}\n"));
        let file = write(&other, "own.json", &text);
        let args = ["state", "import", file.to_str().unwrap()];
        other.run(&args).await.done();
        let args = ["state", "export", "--project", project];
        assert_eq!(other.run(&args).await.done(), text);
    }
}

/// Entries as the original has ever written them, and some that it has not.
fn entries() -> impl Strategy<Value = Value> {
    let id = prop::option::of(1_u64..1_000_000);
    let commit = prop::option::of("[0-9a-f]{8}");
    let entry = (id, any::<bool>(), commit)
        .prop_map(|(id, failing, commit)| json!({"id": id, "failing": failing, "commit": commit}));
    prop::collection::vec(entry, 0..40).prop_map(Value::Array)
}

proptest! {
    #[test]
    fn a_document_of_the_original_loses_nothing_on_its_way_through_ours(
        pipeline in 1_u64..1_000_000,
        jobs in prop::collection::btree_map("[a-z:\\[\\] é]{1,20}", (0_u64..100, entries()), 0..6),
    ) {
        let jobs = jobs.into_iter().map(|(name, (failures, entries))| {
            (name, json!({"consecutive_failures": failures, "jobs_info": entries}))
        });
        let jobs: serde_json::Map<String, Value> = jobs.collect();
        let document = json!({"pipeline_id": pipeline, "jobs": jobs});
        let rules = Rules::datadog_agent();
        let key = TimelineKey::new(7, "main");
        let text = document.to_string();
        let timeline = decode_v2(text.as_bytes(), key, "a/b".into(), &rules).unwrap();
        let saved = Saved { timeline, watermark: None, has_gap: false, scope: job_failure_exporter::store::SavedScope::default() };
        let read = decode(&encode(&saved, &rules)).unwrap();
        prop_assert_eq!(&read, &saved);
        let out: Value = serde_json::from_slice(&encode_v2(&read.timeline, &rules)).unwrap();
        prop_assert_eq!(out, document);
    }
}

fn push(gitlab: &Handle, job: JobPlan) -> u64 {
    gitlab.with(|world| {
        let project = world.project_by_path("acme/app").unwrap().id;
        world.push_pipeline(project, PipelinePlan::new([job]).instant())
    })
}

async fn gitlab_with_app() -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project("acme/app"));
    gitlab
}

#[tokio::test]
async fn the_exporter_goes_on_from_an_import_and_counts_nothing_twice() {
    let gitlab = gitlab_with_app().await;
    let mut last = 0;
    for _ in 0..12 {
        last = push(&gitlab, JobPlan::fails("build"));
        gitlab.advance(minutes(60));
    }
    // The original has counted these and 18 before them.
    let place = Place::new(gitlab.url(), "projects: [acme/app]");
    let file = write(&place, "v2.json", &v2(last, 30).to_string());
    let args = [
        "state",
        "import",
        file.to_str().unwrap(),
        "--project",
        "acme/app",
    ];
    let said = place.run(&args).await.done();
    assert!(said.contains("acme/app (id 100), ref main"), "{said}");
    // What comes between the import and the start is not to be missed.
    push(&gitlab, JobPlan::fails("build"));
    gitlab.advance(minutes(60));
    let serves = async |streak: f64| {
        let daemon = place.start().await;
        daemon.is_ready().await;
        let samples = daemon.scrape().await;
        let found = samples.value("job_consecutive_failures", &[("job_name", "build")]);
        assert_eq!(found, Some(streak), "{}", daemon.log());
        daemon
    };
    serves(31.0).await.stop().await;
    push(&gitlab, JobPlan::fails("build"));
    let daemon = serves(32.0).await;
    push(&gitlab, JobPlan::passes("build"));
    let zero = |now: &testkit::samples::Samples| {
        let streak = now.value("job_consecutive_failures", &[]);
        (streak == Some(0.0))
            .then_some(())
            .ok_or(format!("{streak:?}"))
    };
    daemon.shows("the end of the streak", zero).await;
}

#[tokio::test]
async fn a_backfill_after_an_import_keeps_what_only_the_import_knows() {
    let gitlab = gitlab_with_app().await;
    let mut pipelines = Vec::new();
    for _ in 0..30 {
        pipelines.push(push(&gitlab, JobPlan::fails("build")));
        gitlab.advance(minutes(60));
    }
    let place = Place::new(gitlab.url(), "projects: [acme/app]");
    // The original ended after 20 of them, and had seen 80 before.
    let file = write(&place, "v2.json", &v2(pipelines[19], 100).to_string());
    place.run(&offline_import(&file)).await.done();
    place.run(&["backfill", "--since", "2d"]).await.done();
    assert_eq!(
        export(&place, "datadog-v2").await["jobs"]["build"]["consecutive_failures"],
        110
    );
}

#[tokio::test]
async fn what_is_there_is_only_replaced_by_force() {
    let place = offline();
    import(&place, &v2(5, 3)).await;
    let file = write(&place, "document.json", &v2(6, 1).to_string());
    let said = place.run(&offline_import(&file)).await.refused();
    assert!(
        said.contains("acme/app (id 100), ref main is saved already, with 1 job up to pipeline 5: give --force"),
        "{said}"
    );
    assert_eq!(export(&place, "datadog-v2").await, v2(5, 3));
    let mut args = offline_import(&file);
    args.push("--force");
    let said = place.run(&args).await.done();
    assert!(said.contains("what was saved of it is replaced"), "{said}");
    assert_eq!(export(&place, "datadog-v2").await, v2(6, 1));
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_refused_naming_the_place() {
    let cases = [
        ("", "is empty: wanted a job_executions.v2.json"),
        ("{\"jobs\": {", "EOF while parsing"),
        ("[]", "at `.`: found a list, wanted an object"),
        (
            "{\"jobs\": []}",
            "at `jobs`: invalid type: sequence, expected a map at line 1 column",
        ),
        (
            "{\"jobs\": {\"a\": {\n\"consecutive_failures\": -1, \"jobs_info\": []}}}",
            "at `jobs.a.consecutive_failures`: invalid value: integer `-1`, expected u64 at line 2 column",
        ),
        (
            "{\"jobs\": {\"a\": {\"consecutive_failures\": 1, \"jobs_info\": [{\"id\": 1, \"commit\": null}]}}}",
            "at `jobs.a.jobs_info[0]`: missing field `failing` at line 1 column",
        ),
        (
            "{\"jobs\": {\"a\": {\"consecutive_failures\": 1, \"cumulative_failures\": [1]}}}",
            "at `jobs.a`: missing field `jobs_info`",
        ),
        (
            "{\"version\": 5}",
            "of version 5, this program reads versions up to 4",
        ),
        (
            "{\"version\": 3, \"ref\": 7}",
            "at `ref`: invalid type: integer `7`, expected",
        ),
    ];
    let place = offline();
    for (text, message) in cases {
        let file = write(&place, "bad.json", text);
        let said = place.run(&offline_import(&file)).await.refused();
        assert!(said.contains("bad.json"), "{text}: {said}");
        assert!(said.contains(message), "{text}: {said}");
    }
    assert!(!place.state().exists());
}

#[tokio::test]
async fn an_import_that_does_not_say_of_what_is_refused() {
    let place = offline();
    let file = write(&place, "v2.json", &v2(5, 3).to_string());
    let file = file.to_str().unwrap();
    for (args, message) in [
        (&[][..], "give --project"),
        (
            &["--project", "acme/app", "--project-id", "7"][..],
            "give --ref",
        ),
        (
            &["--project", "7", "--project-id", "7", "--ref", "main"][..],
            "the project's path",
        ),
        (
            &["--project", "acme/app"][..],
            "GitLab does not tell the project's id",
        ),
    ] {
        let args = [&["state", "import", file][..], args].concat();
        let said = place.run(&args).await.refused();
        assert!(said.contains(message), "{args:?}: {said}");
    }
    import(&place, &v2(5, 3)).await;
    let own = export(&place, "own").await;
    let file = write(&place, "own.json", &own.to_string());
    let other = [
        "state",
        "import",
        file.to_str().unwrap(),
        "--project",
        "acme/other",
    ];
    let said = place.run(&other).await.refused();
    assert!(
        said.contains("it is of acme/app (id 100), ref main, not of what"),
        "{said}"
    );
}

#[tokio::test]
async fn a_second_document_of_a_project_takes_both_back_to_the_earlier_watermark() {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(10));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.run(&["backfill", "--since", "1d"]).await.done();
    let mut own = export(&place, "own").await;
    let earlier = own["watermark"].as_i64().unwrap() - 500;
    own["watermark"] = json!(earlier);
    own["ref"] = json!("next");
    let file = write(&place, "next.json", &own.to_string());
    place
        .run(&["state", "import", file.to_str().unwrap()])
        .await
        .done();
    let documents = place.documents();
    assert_eq!(documents.len(), 2);
    for (path, document) in documents {
        assert_eq!(document["watermark"], earlier, "{}", path.display());
    }
}
