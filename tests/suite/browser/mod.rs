//! The pages in a real browser: headless Chromium, driven by Playwright.

mod keys;
mod pages;
mod prefix;
mod scene;
mod tls;

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::s3_servers::tool;

use crate::tools::at_root;

/// Runs a script of this folder with its task. It fails with the problems that it prints.
fn drive(script: &str, mut task: Value) {
    task["chromium"] = "/usr/bin/chromium".into();
    task["password"] = scene::OPS.into();
    let mut driver = Command::new(tool("python"))
        .arg(at_root("tests/suite/browser").join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = driver.stdin.take().unwrap();
    input.write_all(task.to_string().as_bytes()).unwrap();
    drop(input);
    let done = driver.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script}:\n{printed}");
}
