//! The program beside its work: generated files, and what it writes to standard error as JSON.

use std::fs;
use std::process::Command;

use serde_json::Value;
use testkit::daemon::{Place, Ran};

use crate::state_import::{import, offline, v2};

/// Runs the program with these arguments and nothing else.
fn run(args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    Ran::of(&command.args(args).output().unwrap())
}

/// Each line of standard error as JSON.
fn objects(said: &str) -> Vec<Value> {
    let object = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{said}"))
    };
    said.lines().map(object).collect()
}

#[test]
fn every_shell_gets_completions_of_commands_and_flags() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]).done();
        for word in ["check-config", "explain", "prometheus.url"] {
            assert!(script.contains(word), "{word} is not in that of {shell}");
        }
    }
}

#[test]
fn every_command_gets_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("man/man1");
    run(&["man", directory.to_str().unwrap()]).done();
    for command in ["", "-explain", "-state-show", "-check-config", "-replay"] {
        let path = directory.join(format!("job-failure-exporter{command}.1"));
        let page = fs::read_to_string(path).unwrap();
        assert!(
            page.contains(".SH NAME") && page.contains(".SH OPTIONS"),
            "{page}"
        );
    }
    let below_a_file = directory.join("job-failure-exporter.1/man");
    let ran = run(&["man", below_a_file.to_str().unwrap()]);
    assert!(ran.refused().contains("cannot write manual pages to "));
}

#[tokio::test]
async fn with_json_logs_a_refused_start_is_one_object_with_its_problems() {
    let place = Place::new("http://127.0.0.1:9", "projects: [a/b]");
    place.configure("watch: {interval: soon}\ngitlab: {url: gitlab}\n");
    let said = place.refused(&["--log.format", "json"]).await;
    let [object] = &objects(&said)[..] else {
        panic!("{said}");
    };
    assert_eq!(object["level"], "ERROR");
    assert_eq!(object["message"], "the configuration has 3 problems");
    let problems = object["problems"].as_array().unwrap();
    assert!(
        problems[0].as_str().unwrap().contains("watch.interval"),
        "{object}"
    );
    assert_eq!(problems.len(), 3, "{object}");
}

#[tokio::test]
async fn with_json_logs_every_other_line_is_an_object_too() {
    let place = offline();
    import(&place, &v2(5, 3)).await;
    fs::write(place.state().join("100/broken.json"), "{").unwrap();
    let ran = place.run(&["state", "show", "--log.format=json"]).await;
    let said = objects(&ran.err)[0]["message"].as_str().unwrap().to_owned();
    assert!(said.starts_with("left out: "), "{said}");
    for args in [
        &["explain", "acme/app", "biuld", "--log.format=json"][..],
        &["state", "export", "--project", "x", "--log.format", "json"],
    ] {
        let ran = place.run(args).await;
        let last = objects(&ran.err).pop().unwrap();
        assert_eq!((ran.code, &last["level"]), (Some(1), &"ERROR".into()));
    }
    let ran = run(&["--nonsense", "--log.format", "json"]);
    let [object] = &objects(&ran.err)[..] else {
        panic!("{ran:?}");
    };
    assert_eq!(ran.code, Some(2));
    let message = object["message"].as_str().unwrap();
    assert!(
        message.contains("unexpected argument '--nonsense'"),
        "{message}"
    );
}
