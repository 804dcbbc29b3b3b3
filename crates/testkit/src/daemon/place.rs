//! The folder, configuration and commands of an exporter.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gitlab_simulator::DEFAULT_TOKEN;
use tempfile::TempDir;
use tokio::process::Command;

use super::process::{Daemon, Ran, program};
use super::wait::PATIENCE;
use crate::s3_servers::{KEY, SECRET};

/// A folder with a configuration and a state directory, for consecutive exporters.
pub struct Place {
    folder: TempDir,
    program: PathBuf,
    token: String,
    environment: Vec<(&'static str, String)>,
}

impl Place {
    /// A configuration that polls by REST and saves every 100 ms. `watch` has further keys of its section, in one line.
    pub fn new(gitlab: &str, watch: &str) -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            program: program(),
            token: DEFAULT_TOKEN.to_owned(),
            environment: Vec::new(),
        };
        place.configure(&format!(
            "gitlab: {{url: '{gitlab}', requests_per_second: 1000, timeout: 5s, api: rest}}\n\
             watch: {{interval: 100ms, idle_interval: 100ms, hooked_interval: 100ms, {watch}}}\n\
             store: {{directory: '{}', save_interval: 100ms}}\n\
             clock_jump_hold: 100ms\n\
             web: {{listen_address: '127.0.0.1:0'}}\n",
            place.state().display()
        ));
        place
    }

    /// Like [`Self::new`], with the state in a bucket of the S3 server at `endpoint`.
    pub fn on_s3(gitlab: &str, watch: &str, endpoint: &str, bucket: &str) -> Self {
        let mut place = Self::new(gitlab, watch);
        let config = std::fs::read_to_string(place.config()).unwrap();
        let s3 = format!(
            "store: {{s3: {{bucket: {bucket}, prefix: state, endpoint_url: '{endpoint}', \
             force_path_style: true}}, "
        );
        let directory = format!("store: {{directory: '{}', ", place.state().display());
        assert!(config.contains(&directory), "{config}");
        place.configure(&config.replace(&directory, &s3));
        place.environment = vec![
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ];
        place
    }

    /// Replaces the environment variables except the token.
    pub fn with_environment(mut self, variables: &[(&'static str, &str)]) -> Self {
        let own = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        self.environment = variables.iter().map(own).collect();
        self
    }

    /// Runs another exporter than the one that was built with the tests.
    pub fn with_program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    pub fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Replaces the configuration.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.config(), text).unwrap();
    }

    /// Replaces a part of the configuration.
    pub fn reconfigure(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "{text}");
        self.configure(&text.replace(from, to));
    }

    /// Appends sections to the configuration.
    pub fn configure_also(&self, sections: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        self.configure(&format!("{text}{sections}"));
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.yml")
    }

    /// The state directory. The first exporter creates it.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Every saved document with its path.
    pub fn documents(&self) -> Vec<(PathBuf, serde_json::Value)> {
        let mut found = Vec::new();
        for path in self.document_paths() {
            match std::fs::read(&path) {
                Ok(text) => found.push((path, serde_json::from_slice(&text).unwrap())),
                // A running exporter may have removed it meanwhile.
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
            }
        }
        found
    }

    pub fn document_paths(&self) -> Vec<PathBuf> {
        document_paths(&self.state())
    }

    /// The daemon with this configuration and further flags. `under` is a program that executes it.
    fn command(&self, under: &[&str], flags: &[&str]) -> Command {
        let mut command = self.program(under);
        command.arg("--config.file").arg(self.config()).args(flags);
        command
    }

    /// A subcommand with this configuration, not started yet.
    pub fn tool(&self, args: &[&str]) -> Command {
        let mut command = self.program(&[]);
        let file = self.config();
        command.args(args).arg("--config.file").arg(file);
        command.stdout(Stdio::piped());
        command
    }

    /// Runs a subcommand with this configuration to its end.
    pub async fn run(&self, args: &[&str]) -> Ran {
        let output = tokio::time::timeout(PATIENCE, self.tool(args).output()).await;
        Ran::of(&output.expect("the command ends in time").unwrap())
    }

    fn program(&self, under: &[&str]) -> Command {
        let program = self.program.as_os_str();
        let mut words = under.iter().map(OsStr::new).chain([program]);
        let mut command = Command::new(words.next().unwrap_or(program));
        command
            .args(words)
            .env_clear()
            .env("GITLAB_TOKEN", &self.token)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts the exporter and waits until it serves.
    pub async fn start(&self) -> Daemon {
        self.start_under(&[]).await
    }

    /// Like [`Self::start`], through a program that executes the exporter.
    pub async fn start_under(&self, under: &[&str]) -> Daemon {
        Daemon::start(self.command(under, &[])).await
    }

    /// Starts an exporter that must fail, and returns its log.
    pub async fn refused(&self, flags: &[&str]) -> String {
        let output = self.command(&[], flags).output();
        let output = tokio::time::timeout(PATIENCE, output).await;
        let output = output.expect("the exporter ends in time").unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{log}");
        log
    }
}

/// Documents of timelines below a state directory, or a folder that has the objects of a bucket.
pub fn document_paths(state: &Path) -> Vec<PathBuf> {
    let projects = folder(state).into_iter().filter(|path| path.is_dir());
    let files = projects.flat_map(|project| folder(&project));
    let is_document = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
    files.filter(is_document).collect()
}

/// The entries of a folder, sorted.
pub fn folder(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
