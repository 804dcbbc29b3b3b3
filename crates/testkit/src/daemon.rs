//! The exporter as a process: its folder, configuration, log, metrics and end.

use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitlab_simulator::{DEFAULT_TOKEN, Handle, Options, Scenario, start};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::client;
use crate::s3_servers::{KEY, SECRET};
use crate::samples::Samples;

/// Maximum time that a test waits for a condition.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Time between two checks of a condition.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// Repeats `look` until it succeeds. Its error says what is missing.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(missing) => assert!(Instant::now() < end, "waited for {what}: {missing}"),
        }
        sleep(CHECK_INTERVAL).await;
    }
}

/// Turns a condition into a result. `missing` is the error.
pub fn holds(it: bool, missing: impl Display) -> Result<(), String> {
    it.then_some(()).ok_or_else(|| missing.to_string())
}

pub fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// A simulated GitLab with a scenario. Its time stands still at the start.
pub async fn gitlab(scenario: &str) -> Handle {
    let options = Options {
        scenario: Some(Scenario::named(scenario).unwrap()),
        ..Options::default()
    };
    start(options).await.unwrap()
}

/// A folder with a configuration and a state directory, for consecutive exporters.
pub struct Place {
    folder: TempDir,
    token: String,
    environment: Vec<(&'static str, String)>,
}

impl Place {
    /// A configuration that polls and saves every 100 ms. `watch` has further keys of its section, in one line.
    pub fn new(gitlab: &str, watch: &str) -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            token: DEFAULT_TOKEN.to_owned(),
            environment: Vec::new(),
        };
        place.configure(&format!(
            "gitlab: {{url: '{gitlab}', requests_per_second: 1000, timeout: 5s}}\n\
             watch: {{interval: 100ms, idle_interval: 100ms, {watch}}}\n\
             store: {{directory: '{}', save_interval: 100ms}}\n\
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
        let projects = folder(&self.state())
            .into_iter()
            .filter(|path| path.is_dir());
        let files = projects.flat_map(|project| folder(&project));
        let is_document = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
        files.filter(is_document).collect()
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
        let program = program();
        let mut words = under.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(program.as_os_str()));
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
        let mut process = self.command(under, &[]).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let reading = tokio::spawn({
            let log = Arc::clone(&log);
            async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let address = until("the address it serves on", async || {
            let log = log.lock().unwrap();
            let found = log.split_once("serving address=");
            let word = found.and_then(|(_, rest)| rest.split_whitespace().next());
            let address = word.and_then(|word| word.parse().ok());
            assert!(
                address.is_some() || !reading.is_finished(),
                "the exporter ended: {log}"
            );
            address.ok_or_else(|| log.clone())
        });
        Daemon {
            address: address.await,
            process,
            log,
            reading,
        }
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

/// Exit code and output of a subcommand.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// The standard output of a command that must succeed.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// The standard error of a command that must fail with code 1.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        self.err
    }
}

/// A running exporter; killed when dropped.
pub struct Daemon {
    address: SocketAddr,
    process: Child,
    log: Arc<Mutex<String>>,
    reading: JoinHandle<()>,
}

impl Daemon {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.process.id().expect("the exporter runs")
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address);
        let answer = client().get(url).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()));
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    pub async fn scrape(&self) -> Samples {
        let (status, page) = self.get("/metrics").await;
        assert_eq!(status, 200, "{page}");
        Samples::parse(&page)
    }

    /// Scrapes until `look` succeeds. Its error says what is missing.
    pub async fn shows(
        &self,
        what: &str,
        look: impl Fn(&Samples) -> Result<(), String>,
    ) -> Samples {
        until(what, async || {
            let samples = self.scrape().await;
            look(&samples)
                .map(|()| samples)
                .map_err(|missing| format!("{missing}\n{}", self.log()))
        })
        .await
    }

    pub async fn is_ready(&self) {
        until("readiness", async || {
            let (status, text) = self.get("/-/ready").await;
            holds(status == 200, format!("{text}{}", self.log()))
        })
        .await;
    }

    /// Waits until the log contains these words.
    pub async fn says(&self, words: &str) {
        until("words in the log", async || {
            let log = self.log();
            holds(log.contains(words), format!("{words:?} is not in: {log}"))
        })
        .await;
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for the end. Returns exit status and log.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let waited = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        let status = waited.unwrap_or_else(|_| panic!("still running: {}", self.log()));
        self.reading.await.unwrap();
        let log = self.log.lock().unwrap().clone();
        (status.unwrap(), log)
    }

    /// `kill -9`.
    pub async fn kill(self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }

    /// Ends the exporter by SIGTERM, as an init system does.
    pub async fn stop(self) {
        self.signal(Signal::TERM);
        let (status, log) = self.ended().await;
        assert_eq!(status.code(), Some(0), "{log}");
    }
}

/// Path of the exporter. Cargo builds it before it runs tests and puts it above their folder.
pub fn program() -> PathBuf {
    let tests = env::current_exe().unwrap();
    let folder = tests
        .ancestors()
        .find(|path| !path.ends_with("deps") && path.is_dir());
    let program = folder.unwrap().join("job-failure-exporter");
    assert!(
        program.is_file(),
        "{} was not found; run: cargo build",
        program.display()
    );
    program
}

/// The entries of a folder, sorted.
pub fn folder(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
