//! The demo as a command: it delivers alerts and leaves no program running.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.env_remove("DEMO_FOR").kill_on_drop(true);
    command
}

/// The host and port of the URL in a line.
fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("http://")?;
    rest.split('/').next().map(str::to_owned)
}

#[tokio::test]
async fn alerts_of_five_kinds_are_delivered_and_one_ends_a_job_comes_back_and_after_an_interrupt_nothing_listens()
 {
    let mut command = demo();
    let mut running = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let mut addresses = Vec::new();
    let (mut fired, mut over) = (BTreeSet::new(), BTreeSet::new());
    let mut has_recovered = false;
    let wanted = ["CIJobFailingRepeatedly", "CIRetryCircuitOpen"];
    let alerts = async {
        while fired.len() < 5
            || over.is_empty()
            || !has_recovered
            || !wanted.iter().all(|name| fired.contains(*name))
        {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("the demo runs until it is interrupted");
            if let Some(rest) = line.strip_prefix("=== ") {
                let mut words = rest.split(' ').map(str::to_owned);
                match (words.next().as_deref(), words.next()) {
                    (Some("FIRING"), Some(name)) => fired.insert(name),
                    (Some("RESOLVED"), Some(name)) => over.insert(name),
                    _ => panic!("{line}"),
                };
            }
            has_recovered |= line.starts_with(">>> recover: ") && line.ends_with(": recovered");
            // The addresses come first, one per line.
            if line.starts_with("  ") && addresses.len() < 4 {
                addresses.extend(address(&line));
            }
        }
    };
    timeout(Duration::from_mins(4), alerts)
        .await
        .expect("the alerts arrive within four minutes");
    assert_eq!(addresses.len(), 4, "{addresses:?}");
    for address in &addresses {
        TcpStream::connect(address).await.unwrap();
    }

    let pid = Pid::from_raw(running.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert!(running.wait().await.unwrap().success());
    for address in &addresses {
        assert!(
            TcpStream::connect(address).await.is_err(),
            "{address} still listens"
        );
    }
}

#[tokio::test]
async fn without_prometheus_it_says_what_to_install() {
    let ended = demo().env("PATH", "/nowhere").output().await.unwrap();
    assert!(!ended.status.success());
    let complaint = String::from_utf8(ended.stderr).unwrap();
    assert!(
        complaint.contains("prometheus was not found in PATH"),
        "{complaint}"
    );
}

#[tokio::test]
async fn when_its_time_is_up_without_the_alert_it_fails() {
    let ended = demo().env("DEMO_FOR", "1s").output().await.unwrap();
    assert!(!ended.status.success());
    let complaint = String::from_utf8(ended.stderr).unwrap();
    let wanted = "CIJobFailingRepeatedly was not delivered within 1s";
    assert!(complaint.contains(wanted), "{complaint}");
}

#[tokio::test]
async fn a_directory_with_something_in_it_is_refused() {
    let used = tempfile::tempdir().unwrap();
    std::fs::write(used.path().join("notes"), "mine").unwrap();
    let mut command = demo();
    let ended = command.arg("--directory").arg(used.path()).output();
    let complaint = String::from_utf8(ended.await.unwrap().stderr).unwrap();
    assert!(
        complaint.contains("is not empty; name a new directory"),
        "{complaint}"
    );
}
