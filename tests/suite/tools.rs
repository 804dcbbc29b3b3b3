//! Runs promtool, amtool and the like; a tool that is missing fails the test, nothing is skipped.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file or folder of the project.
pub(crate) fn at_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a tool said.
pub(crate) struct Answer {
    pub(crate) passed: bool,
    /// What it printed to standard output.
    pub(crate) printed: String,
    /// The command and all it printed, for a person.
    pub(crate) output: String,
}

impl Answer {
    /// Fails the test with what the tool printed.
    #[track_caller]
    pub(crate) fn must_pass(&self) {
        assert!(self.passed, "{}", self.output);
    }
}

/// Runs a tool to its end.
#[track_caller]
pub(crate) fn run<A: AsRef<OsStr>>(tool: &str, args: impl IntoIterator<Item = A>) -> Answer {
    let mut command = Command::new(tool);
    command.args(args).stdin(Stdio::null());
    match command.output() {
        Ok(done) => Answer {
            passed: done.status.success(),
            printed: String::from_utf8_lossy(&done.stdout).into_owned(),
            output: format!(
                "{command:?}\n{}{}",
                String::from_utf8_lossy(&done.stdout),
                String::from_utf8_lossy(&done.stderr)
            ),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("{tool} was not found in PATH; run: make install-tools")
        }
        Err(error) => panic!("{tool} did not start: {error}"),
    }
}

/// Runs a tool of the project's folder, which must succeed, with this text as its input. Returns what it printed.
#[track_caller]
pub(crate) fn piped(tool: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new(at_root(tool))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{tool}: {error}; run: make install-tools"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let done = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{tool}: {errors}");
    writing.join().unwrap().unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Alertmanager's program: Debian calls it otherwise than everybody else.
#[track_caller]
pub(crate) fn alertmanager() -> &'static str {
    let found = ["prometheus-alertmanager", "alertmanager"]
        .into_iter()
        .find(|name| {
            let version = Command::new(name)
                .arg("--version")
                .stdin(Stdio::null())
                .output();
            version.is_ok_and(|done| done.status.success())
        });
    found.unwrap_or_else(|| panic!("no Alertmanager was found in PATH; run: make install-tools"))
}
