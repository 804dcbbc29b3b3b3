//! `replay --remediation`: what rules would have done about the past.

use gitlab_simulator::{Ending, JobPlan, PipelinePlan};
use serde_json::{Value, json};
use testkit::client;
use testkit::daemon::{Place, Ran, gitlab, minutes, program};
use tokio::process::Command;

use super::stage::{BOT, Stage};

const RULES: &str = "circuit: {failures: 3}, rules: [\
     {name: runner, match: {failure_classes: [infrastructure]}, action: recover, delays: [1m, 5m]}, \
     {name: never, match: {jobs: [nothing]}, action: recover}]";

fn fails(reason: &str) -> Ending {
    Ending::Fails(reason.to_owned())
}

/// Five pipelines of one job, whose failures were retried by hand as follows after ten minutes.
async fn past() -> (Stage, Vec<u64>) {
    let stage = Stage::without_daemon("report", RULES).await;
    let runner = || fails("runner_system_failure");
    let mut pipelines = Vec::new();
    for (attempts, retries) in [
        // A hit.
        (vec![runner(), Ending::Passes], 1),
        // Wasted, then a hit; the third failure is one too many for the rule.
        (vec![runner(), runner(), Ending::Passes], 2),
        // Untried.
        (vec![runner()], 0),
        // Missed.
        (vec![fails("script_failure"), Ending::Passes], 1),
        // Rightly left alone.
        (vec![fails("script_failure"), fails("script_failure")], 1),
    ] {
        let pipeline = stage.ended_as(PipelinePlan::new([JobPlan::new("unit", attempts)]));
        for _ in 0..retries {
            stage.gitlab.advance(minutes(8));
            let job = stage.job(pipeline, "unit").id;
            stage.with(|world| world.retry_job(job).unwrap());
            stage.gitlab.advance(minutes(2));
        }
        pipelines.push(pipeline);
    }
    (stage, pipelines)
}

async fn replay(stage: &Stage, input: Option<&Value>) -> Ran {
    let config = stage.place.config();
    let mut command = Command::new(program());
    command.arg("replay").arg("--remediation").arg(&config);
    command
        .current_dir(config.parent().unwrap())
        .env("GITLAB_TOKEN", BOT);
    if let Some(input) = input {
        let file = config.with_file_name("pipelines.json");
        std::fs::write(&file, input.to_string()).unwrap();
        command.arg(file);
    }
    Ran::of(&command.output().await.unwrap())
}

/// What GitLab lists, as `replay` takes it.
async fn recorded(stage: &Stage, pipelines: &[u64]) -> Value {
    let mut records = Vec::new();
    for id in pipelines {
        let get = async |path: &str| -> Value {
            let url = format!(
                "{}/api/v4/projects/{}/{path}",
                stage.gitlab.url(),
                stage.project
            );
            let request = client().get(url).header("private-token", BOT);
            let text = request.send().await.unwrap().text().await.unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let pipeline = get(&format!("pipelines/{id}")).await;
        let jobs = get(&format!(
            "pipelines/{id}/jobs?include_retried=true&per_page=100"
        ))
        .await;
        records.push(json!({"pipeline": pipeline, "jobs": jobs}));
    }
    Value::Array(records)
}

/// The table, its spaces made one.
fn rows(out: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    out.lines().map(words).collect()
}

fn check(out: &str) {
    let rows = rows(out);
    assert!(rows[1].starts_with("runner 4 2 1 1 67 %"), "{out}");
    assert!(
        rows[2].starts_with("never 0 0 0 0 - 0 s matches nothing"),
        "{out}"
    );
    for wanted in [
        "7 failed attempts in all.",
        "No rule covers 1 that passed when they were retried, and 1 that failed again.",
        "Missed by class: script 1.",
    ] {
        assert!(rows.iter().any(|row| row == wanted), "{wanted:?}: {out}");
    }
}

#[tokio::test]
async fn the_table_of_recorded_pipelines_and_of_the_saved_state_have_the_right_numbers() {
    let (stage, pipelines) = past().await;
    let input = recorded(&stage, &pipelines).await;
    let of_records = replay(&stage, Some(&input)).await.done();
    check(&of_records);
    // Hits waited 10 min and the rule 1 min, and 10 min and the rule 5 min.
    let saved = rows(&of_records)[1].clone();
    assert!(saved.ends_with(" s too few retries to tell"), "{saved}");

    stage.start().await;
    stage
        .shows("job_failure_exporter_state_unsaved_timelines", &[], 0.0)
        .await;
    stage.decides("unit", "no_rule", "").await;
    stage.stop().await;
    let of_state = replay(&stage, None).await.done();
    assert_eq!(of_state, of_records);
    assert_eq!(stage.retries(), 0, "evidence changes nothing");
}

/// The rules that the documentation tries on the demo's past.
const TRIED: &str = "remediation: {rules: [\
     {name: runner-trouble, match: {failure_classes: [infrastructure]}, action: recover, delays: [1m, 5m, 15m]}, \
     {name: timeouts, match: {failure_classes: [timeout]}, action: recover, delays: [1m]}]}\n";

#[tokio::test]
async fn the_documented_table_is_that_of_the_demos_past_and_has_hits_wasted_and_missed() {
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(45));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.configure_also(TRIED);
    place.run(&["backfill", "--since", "1d"]).await.done();
    let config = place.config();
    let mut command = Command::new(program());
    command.arg("replay").arg("--remediation").arg(&config);
    command.current_dir(config.parent().unwrap());
    command.env("GITLAB_TOKEN", gitlab.token());
    let table = Ran::of(&command.output().await.unwrap()).done();
    let documented = include_str!("../../../docs/remediation.md");
    assert!(
        documented.contains(&*table),
        "docs/remediation.md lacks\n{table}"
    );
    for rule in ["runner-trouble", "timeouts"] {
        let row = rows(&table).into_iter().find(|row| row.starts_with(rule));
        let row = row.unwrap();
        let cells: Vec<&str> = row.split(' ').collect();
        assert!(
            cells[2] != "0" && cells[3] != "0",
            "{rule} has hits and wasted ones: {row}"
        );
    }
    assert!(table.contains("Missed by class: "), "{table}");
}

#[tokio::test]
async fn without_rules_there_is_nothing_to_say() {
    let stage = Stage::without_daemon("report", "limits: {younger_than: 6h}").await;
    let told = replay(&stage, Some(&json!([]))).await.refused();
    assert!(told.contains("has no remediation.rules"), "{told}");
}
