//! `replay`: recorded runs of datadog-agent's task are reproduced, and the table says what was crossed.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn recorded() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files
}

fn load(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs `replay` with `input` on standard input.
fn replay(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"))
        .arg("replay")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

/// The states that `replay` prints for a recorded run.
fn states(run: &Value) -> Vec<Value> {
    let mut args = vec![
        "--counting.preset",
        "datadog-agent",
        "--output",
        "datadog-v2",
    ];
    let initial = tempfile::NamedTempFile::new().unwrap();
    if !run["initial_state"].is_null() {
        fs::write(&initial, run["initial_state"].to_string()).unwrap();
        args.extend(["--initial-state", initial.path().to_str().unwrap()]);
    }
    let output = replay(&args, &run["pipelines"].to_string());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How the original names a job's history; written here again, from its description.
fn short_name(job: &str) -> String {
    if job.starts_with("kmt_run_") && job["kmt_run_".len()..].contains("_tests_") {
        return job.to_owned();
    }
    job.split(':').next().unwrap().chars().take(48).collect()
}

/// Takes the ids out of entries whose name several jobs of some pipeline share: which of them the
/// original took is chance.
fn without_shared_ids(state: &Value, run: &Value) -> Value {
    let shared = |name: &str| {
        run["pipelines"].as_array().unwrap().iter().any(|record| {
            let mut names: Vec<&str> = record["jobs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|job| job["name"].as_str().unwrap())
                .filter(|job| short_name(job) == name)
                .collect();
            names.sort_unstable();
            names.dedup();
            names.len() > 1
        })
    };
    let mut state = state.clone();
    for (name, job) in state["jobs"].as_object_mut().unwrap() {
        if shared(name) {
            for entry in job["jobs_info"].as_array_mut().unwrap() {
                entry["id"] = Value::Null;
            }
        }
    }
    state
}

#[test]
fn recorded_runs_of_the_original_are_reproduced_state_by_state() {
    let files = recorded();
    assert!(files.len() >= 10, "recorded runs are missing");
    for file in files {
        let run = load(&file);
        let states = states(&run);
        let expected = run["expected"].as_array().unwrap();
        assert_eq!(states.len(), expected.len(), "{}", file.display());
        for (found, expected) in states.iter().zip(expected) {
            assert_eq!(
                without_shared_ids(found, &run),
                without_shared_ids(&expected["state"], &run),
                "{}, pipeline {}",
                file.display(),
                expected["pipeline_id"]
            );
        }
    }
}

#[test]
fn one_object_a_line_counts_like_an_array() {
    let run = load(&recorded()[0]);
    let records = run["pipelines"].as_array().unwrap();
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let args = ["--output", "datadog-v2"];
    let of_lines = replay(&args, &lines.join("\n"));
    let of_array = replay(&args, &run["pipelines"].to_string());
    assert!(of_lines.status.success());
    assert_eq!(of_lines.stdout, of_array.stdout);
}

fn record(pipeline: u64, job: &str, status: &str) -> String {
    format!(
        r#"{{"pipeline": {{"id": {pipeline}, "ref": "main", "sha": "c{pipeline}", "status": "failed"}},
            "jobs": [{{"id": {pipeline}0, "name": "{job}", "status": "{status}", "stage": "test"}}]}}"#
    )
}

#[test]
fn the_table_tells_streaks_and_where_a_threshold_was_crossed() {
    let statuses = [
        "success", "failed", "failed", "failed", "failed", "failed", "success",
    ];
    let records: Vec<String> = (1..)
        .zip(statuses)
        .map(|(id, status)| record(id, "unit", status))
        .collect();
    let output = replay(&[], &records.join("\n"));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "\
7 pipelines, 1 job

STREAK  RATIO  FAILED  FLAKY  LAST EXECUTIONS  JOB
0       0.71   5/7     0      +xxxxx+          unit

Last executions, oldest first: + passed, x failed, a allowed failure, f flaky.

Shipped thresholds crossed:
  pipeline 4: unit: CIJobFailingRepeatedly (warning) fires: 3 in a row (from 3)
  pipeline 6: unit: CIJobFailureRatioHigh (warning) fires: 5 of 6 failed (from 50 %, at least 5)
  pipeline 7: unit: CIJobFailingRepeatedly (warning) ends: 0 in a row (from 3)
"
    );
}

#[test]
fn the_preset_counts_a_pipeline_again_that_is_given_again() {
    let records = [record(1, "unit", "failed"), record(1, "unit", "failed")].join("\n");
    let output = replay(
        &[
            "--counting.preset",
            "datadog-agent",
            "--output",
            "datadog-v2",
        ],
        &records,
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["jobs"]["unit"]["consecutive_failures"], 2);
    assert_eq!(
        last["jobs"]["unit"]["jobs_info"].as_array().unwrap().len(),
        2
    );
    let own = replay(&["--output", "datadog-v2"], &records);
    let text = String::from_utf8(own.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["jobs"]["unit"]["consecutive_failures"], 1);
}

#[test]
fn input_that_cannot_be_read_is_refused_naming_the_record() {
    for (input, message) in [
        ("", "the input is empty"),
        ("{\"pipeline\": ", "the input is no JSON"),
        ("[1, 2", "the input is no JSON array"),
        (
            "{\"jobs\": []}",
            "record 1 of the input: wanted an object with `pipeline` and `jobs`",
        ),
        (
            "{\"pipeline\": {\"ref\": \"main\"}, \"jobs\": []}",
            "record 1 of the input: its pipeline cannot be read",
        ),
        (
            "{\"pipeline\": {\"id\": 1, \"ref\": \"m\", \"status\": \"failed\"}, \"jobs\": 3}",
            "record 1 of the input: `jobs` is no array",
        ),
    ] {
        let output = replay(&[], input);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{input}: {error}");
        assert!(error.contains(message), "{input}: {error}");
    }
}

#[test]
fn a_job_without_an_id_is_left_out_and_the_others_count() {
    let input = r#"[{"pipeline": {"id": 1, "ref": "main", "sha": "c", "status": "failed"}, "jobs": [
        {"name": "a", "status": "failed"}, {"id": 2, "name": "b", "status": "failed"}]}]"#;
    let output = replay(&["--output", "datadog-v2"], input);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("left out: pipeline 1: job"), "{error}");
    let state: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(state["jobs"]["b"]["consecutive_failures"], 1);
    assert!(state["jobs"].get("a").is_none());
}
