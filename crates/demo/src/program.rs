//! The programs of the demo: finds, starts, watches and stops them, and reserves their ports.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time;

/// Maximum time until a program is ready.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Lines of the log in the message about a program that ended.
const LAST_LINES: usize = 8;

/// A running program; killed when dropped.
#[derive(Debug)]
pub(super) struct Program {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

impl Program {
    /// Starts a program whose output goes to the file `log`.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let copy = file.try_clone()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            // Ctrl-C reaches only the demo, which then stops its programs in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, log, child })
    }

    /// Fails if the program has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!(self.end_message(status)),
        }
    }

    /// Waits until `url` answers with a success status.
    pub(super) async fn wait_until_ready(
        &mut self,
        client: &reqwest::Client,
        url: &str,
    ) -> anyhow::Result<()> {
        let name = self.name;
        let asking = async {
            loop {
                self.check()?;
                let answer = client.get(url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(());
                }
                time::sleep(Duration::from_millis(100)).await;
            }
        };
        match time::timeout(START_TIMEOUT, asking).await {
            Ok(done) => done,
            Err(_) => bail!(
                "{name} did not answer on {url} within {} s",
                START_TIMEOUT.as_secs()
            ),
        }
    }

    /// Sends SIGTERM, and SIGKILL if the program does not end within `grace`.
    pub(super) async fn stop(mut self, grace: Duration) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            // Fails only if the program has just ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = time::timeout(grace, self.child.wait()).await;
        if ended.is_err()
            && let Err(error) = self.child.kill().await
        {
            tracing::warn!(program = self.name, %error, "cannot kill a program of the demo");
        }
    }

    fn end_message(&self, status: ExitStatus) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        format!(
            "{} ended by itself ({status}); the end of its log:\n{}",
            self.name,
            last.join("\n")
        )
    }
}

/// Finds a program in `PATH`, by any of its names.
pub(super) fn find_in_path(names: &[&str]) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let mut candidates = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates
        .find(|path| is_executable(path))
        .with_context(|| {
            format!(
                "{} was not found in PATH; install Debian's packages `prometheus` and \
             `prometheus-alertmanager`, or Prometheus 2.42 and Alertmanager 0.25 or newer from \
             https://prometheus.io/download",
                names.join(" or ")
            )
        })
}

/// Finds a program of this workspace, which Cargo builds into the folder of the demo.
pub(super) fn find_sibling(name: &str) -> anyhow::Result<PathBuf> {
    let own = env::current_exe().context("cannot find the demo's own executable")?;
    let path = own.with_file_name(name);
    if !is_executable(&path) {
        bail!(
            "{} is not an executable; build it: cargo build --bin {name}",
            path.display()
        );
    }
    Ok(path)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A port of the loopback interface that no other program can take until it is released.
#[derive(Debug)]
pub(super) struct ReservedPort {
    pub(super) address: SocketAddr,
    listener: TcpListener,
}

impl ReservedPort {
    /// Reserves the preferred port, or any free port if it is taken.
    pub(super) fn near(preferred: u16) -> anyhow::Result<Self> {
        let at = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = at(preferred).or_else(|_| at(0));
        let listener = listener.context("no port is free on 127.0.0.1")?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
        })
    }

    /// Releases the port for the program that is about to use it.
    pub(super) fn release(self) -> SocketAddr {
        drop(self.listener);
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_a_missing_program_says_what_to_install() {
        let error = find_in_path(&["no-such-program", "nor-this"])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("no-such-program or nor-this was not found"),
            "{error}"
        );
        assert!(error.contains("`prometheus-alertmanager`"), "{error}");
        assert!(
            find_in_path(&["no-such-program", "sh"])
                .unwrap()
                .ends_with("sh")
        );
    }

    #[test]
    fn a_port_that_is_taken_is_avoided() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let other = ReservedPort::near(port).unwrap();
        assert_ne!(other.address.port(), port);
        TcpListener::bind(other.address).unwrap_err();
        TcpListener::bind(other.release()).unwrap();
    }

    #[tokio::test]
    async fn a_program_that_ends_by_itself_is_reported_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo the disk is full >&2; exit 3"]);
        let log = folder.path().join("log");
        let mut program = Program::start("a shell", command, log).unwrap();
        let client = reqwest::Client::new();
        let error = program
            .wait_until_ready(&client, "http://127.0.0.1:9/")
            .await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("a shell ended by itself (exit status: 3)"),
            "{error}"
        );
        assert!(error.contains("the disk is full"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_ignores_sigterm_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]);
        let log = folder.path().join("log");
        let program = Program::start("a shell", command, log.clone()).unwrap();
        while fs::read_to_string(&log).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let pid = program.child.id().unwrap();
        program.stop(Duration::from_millis(100)).await;
        assert!(!Path::new(&format!("/proc/{pid}/stat")).exists());
    }

    #[tokio::test]
    async fn a_program_that_obeys_sigterm_ends_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        command.arg("60");
        let program = Program::start("sleep", command, folder.path().join("log")).unwrap();
        let asked = std::time::Instant::now();
        program.stop(Duration::from_secs(30)).await;
        assert!(asked.elapsed() < Duration::from_secs(30));
    }
}
