//! A running exporter, and the result of a finished command.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::wait::{PATIENCE, holds, until};
use crate::client;
use crate::samples::Samples;

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
    /// Starts the exporter and waits until it serves.
    pub(super) async fn start(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
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
        Self {
            address: address.await,
            process,
            log,
            reading,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.process.id().expect("the exporter runs")
    }

    /// Resident memory.
    pub fn resident_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = resident.unwrap().trim().trim_end_matches(" kB");
        kibibytes.parse::<usize>().unwrap() * 1024
    }

    /// CPU time so far.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The name of the program, the second field, may have spaces. Times are the 14th and 15th.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
        // Linux counts 100 ticks a second for programs.
        Duration::from_millis(ticks * 10)
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
