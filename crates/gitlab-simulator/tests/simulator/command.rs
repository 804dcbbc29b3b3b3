//! The simulator as a command.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use rustix::process::{Pid, Signal, kill_process};

#[tokio::test]
async fn it_prints_its_address_serves_and_ends_successfully_on_sigterm() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitlab-simulator"));
    let line = ["--listen-address", "127.0.0.1:0"];
    let mut simulator = command
        .args(line)
        .args(["--scenario", "matrix", "--token", "glpat-other"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(simulator.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let url = first.strip_prefix("Simulated GitLab on ").unwrap();
    let project = format!("{url}/api/v4/projects/acme%2Fcompiler");
    let request = reqwest::Client::new().get(project);
    let answer = request.bearer_auth("glpat-other").send().await.unwrap();
    assert_eq!(answer.status(), 200);

    let pid = Pid::from_raw(simulator.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(simulator.wait().await.unwrap().success());
}
