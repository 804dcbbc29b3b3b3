//! `retry` asks in a terminal before more than one action.

use std::process::Stdio;

use testkit::daemon::PATIENCE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::stage::{Stage, flaky_runner};

const ALL: [&str; 3] = ["retry", "--failed", "--project=acme/**"];
const QUESTION: &str = "Start 2 actions? [y/N] ";

async fn failing() -> Stage {
    let stage = Stage::new("act", "limits: {younger_than: 6h}").await;
    stage.ended([flaky_runner("lint"), flaky_runner("unit")]);
    for job in ["lint", "unit"] {
        stage.decides(job, "no_rule", "").await;
    }
    stage
}

/// Runs a subcommand in a terminal, types the answer once it asks, and returns its exit code and what the terminal showed.
async fn in_terminal(stage: &Stage, args: &[&str], typed: &[u8]) -> (Option<i32>, String) {
    let command = stage.command(args);
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| format!("'{}'", word.to_str().unwrap()));
    let line = quoted.collect::<Vec<_>>().join(" ");
    let mut terminal = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &line,
            "/dev/null",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("script of util-linux: {error}"));
    let mut keys = terminal.stdin.take().unwrap();
    let mut screen = terminal.stdout.take().unwrap();
    let work = async {
        let mut shown = Vec::new();
        let mut has_typed = false;
        while screen.read_buf(&mut shown).await.unwrap() > 0 {
            if !has_typed && String::from_utf8_lossy(&shown).contains(QUESTION) {
                keys.write_all(typed).await.unwrap();
                has_typed = true;
            }
        }
        let code = terminal.wait().await.unwrap().code();
        (code, String::from_utf8_lossy(&shown).into_owned())
    };
    timeout(PATIENCE, work).await.expect("the command ends")
}

#[tokio::test]
async fn whoever_says_no_or_nothing_starts_nothing() {
    let stage = failing().await;
    let end_of_input = b"\x04";
    for typed in [&b"n\n"[..], b"\n", b"Yes, please\n", end_of_input] {
        let (code, shown) = in_terminal(&stage, &ALL, typed).await;
        assert_eq!(code, Some(1), "{shown}");
        let (listed, after) = shown.split_once(QUESTION).expect(&shown);
        assert_eq!(listed.matches("would start").count(), 2, "{shown}");
        assert!(!after.contains("started"), "{shown}");
    }
    assert_eq!(stage.sent(), 0);
}

#[tokio::test]
async fn whoever_says_yes_starts_what_was_listed() {
    let stage = failing().await;
    let (code, shown) = in_terminal(&stage, &ALL, b"y\n").await;
    assert_eq!(code, Some(0), "{shown}");
    let (_, after) = shown.split_once(QUESTION).expect(&shown);
    assert_eq!(after.matches("started").count(), 2, "{shown}");
    stage.results_in_time(&["recovered", "recovered"]).await;
    assert_eq!(stage.retries(), 2);
}

#[tokio::test]
async fn one_action_a_yes_or_a_trial_need_no_question() {
    let one = ["retry", "acme/shop", "unit"];
    let with = |option| [&ALL[..], &[option]].concat();
    for (args, actions) in [
        (with("--dry-run"), 0),
        (one.to_vec(), 1),
        (with("--yes"), 2),
    ] {
        let stage = failing().await;
        let (code, shown) = in_terminal(&stage, &args, b"").await;
        assert_eq!(code, Some(0), "{shown}");
        assert!(!shown.contains("[y/N]"), "{shown}");
        assert_eq!(stage.retries(), actions, "{shown}");
    }
}
