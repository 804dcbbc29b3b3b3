//! `assets`: what it writes is what Prometheus, Alertmanager and Kubernetes take, and nothing that was edited is lost.

mod output;
mod rules;

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use testkit::daemon::Ran;

/// Addresses in the written files, and in the shipped ones.
const RUNBOOKS: &str = "https://wiki.company.test/runbooks/";
const SHIPPED_RUNBOOKS: &str =
    "https://github.com/example/job-failure-exporter/blob/main/alert-rules/runbooks/";
const GRAFANA: &str = "https://grafana.company.test/";
const SHIPPED_GRAFANA: &str = "https://grafana.example.com/";

/// Runs `assets` with these arguments.
pub(crate) fn assets(args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    Ran::of(&command.arg("assets").args(args).output().unwrap())
}

/// A folder to write to.
struct Target(TempDir);

impl Target {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, below: &str) -> String {
        self.0.path().join(below).to_str().unwrap().to_owned()
    }

    fn read(&self, path: &str) -> String {
        let path = self.0.path().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// All written files, one after the other.
    fn texts(&self) -> String {
        let files = files(self.0.path(), "").into_iter();
        files
            .map(|path| fs::read_to_string(path).unwrap())
            .collect()
    }

    fn put(&self, path: &str, text: &str) -> String {
        fs::write(self.0.path().join(path), text).unwrap();
        self.path(path)
    }

    /// Runs `assets` with `--to` this folder.
    fn write(&self, what: &str, args: &[&str]) -> Ran {
        let folder = self.path("");
        let mut all = vec![what, "--to", &folder];
        all.extend(args);
        assets(&all)
    }
}

/// The files of a folder with one of these endings.
fn files(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| path.to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(ending))
        .collect();
    files.sort();
    files
}
