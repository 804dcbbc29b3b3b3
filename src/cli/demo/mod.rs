//! `demo`: the whole way on one machine, from a simulated GitLab to a delivered alert.

mod files;
mod program;
mod receiver;
mod streaks;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::process::Command;
use tokio::time::{self, Instant};

use self::files::{Addresses, Files, HASTE};
use self::program::{Program, find, free_address};
use self::receiver::{ALERT, Bulletin, Receiver};
use self::streaks::Streaks;
use super::interrupt::Interrupts;
use crate::clock::SystemClock;
use crate::config::duration;
use crate::simulator::{self, Handle, Options, Pace, Scenario};

/// How much of the past the simulated GitLab plays, and how fast.
const PAST: Duration = Duration::from_mins(20);
const SPEED: f64 = 60.0;
/// How long a program may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How often the state is looked at.
const LOOK: Duration = Duration::from_secs(3);
/// A state that does not change is said again after so many looks.
const LOOKS_IN_SILENCE: u32 = 10;

/// Arguments of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// End by itself after this time, such as 60s; fails where `CIJobFailingRepeatedly` was not
    /// delivered by then. Without it the demo runs until Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", env = "DEMO_FOR")]
    pub run_for: Option<String>,
    /// Directory for configurations, logs and state, kept afterwards. Without it a temporary one.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Decides what goes on at random once the scripts are over.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// How a demo ended.
enum End {
    Interrupted,
    TimeIsUp,
}

/// Everything that runs.
struct Demo {
    gitlab: Handle,
    receiver: Receiver,
    programs: Vec<Program>,
    files: Files,
    addresses: Addresses,
    client: reqwest::Client,
    bulletin: Bulletin,
    started: Instant,
}

/// Runs the demo.
///
/// # Errors
///
/// Where a part is missing, does not start or ends by itself, or where the time is up and
/// `CIJobFailingRepeatedly` was not delivered.
pub async fn run(args: DemoArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let limit = args.limit()?;
    let prometheus = find(&["prometheus"])?;
    let alertmanager = find(&["prometheus-alertmanager", "alertmanager"])?;
    let mut interrupts = Interrupts::listen().context("cannot listen for signals")?;
    let directory = Directory::open(args.directory.as_deref())?;
    let mut demo = Demo::prepare(directory.path(), args.seed).await?;
    let end = tokio::select! {
        failed = demo.play(&prometheus, &alertmanager, out) => failed.map(|()| End::TimeIsUp),
        () = interrupts.wait() => Ok(End::Interrupted),
        () = after(limit) => Ok(End::TimeIsUp),
    };
    let delivered = demo.bulletin.delivered();
    demo.stop().await;
    report(end?, limit, delivered, out)
}

fn report(
    end: End,
    limit: Option<Duration>,
    delivered: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match (end, limit) {
        (End::Interrupted, None) => {
            writeln!(out, "\nThe demo has ended; nothing is left running.")?;
        }
        _ if delivered => writeln!(out, "\n{ALERT} was delivered. The demo has ended.")?,
        (End::Interrupted, Some(_)) => {
            bail!("the demo was interrupted before {ALERT} was delivered")
        }
        (End::TimeIsUp, limit) => bail!(
            "{ALERT} was not delivered within {}; keep the logs with --directory to see why",
            duration::format(limit.unwrap_or_default())
        ),
    }
    Ok(())
}

impl DemoArgs {
    /// `make` passes an empty text where nothing was asked for.
    fn limit(&self) -> anyhow::Result<Option<Duration>> {
        match self.run_for.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => match duration::parse(text) {
                Ok(limit) => Ok(Some(limit)),
                Err(problem) => bail!("DEMO_FOR or --for is `{text}`: {problem}; such as 60s"),
            },
        }
    }
}

impl Demo {
    /// Starts what runs in this process and writes what the other programs read.
    async fn prepare(directory: &Path, seed: u64) -> anyhow::Result<Self> {
        let receiver = Receiver::listen(free_address(10_142)?).await;
        let receiver = receiver.context("cannot listen for alerts")?;
        let options = Options {
            listen: free_address(8929)?,
            scenario: Scenario::named("demo"),
            seed,
            pace: Pace::catching_up(Arc::new(SystemClock), PAST, SPEED),
            ..Options::default()
        };
        let gitlab = simulator::start(options).await;
        let gitlab = gitlab.context("cannot start the simulated GitLab")?;
        let addresses = Addresses {
            gitlab: gitlab.address(),
            exporter: free_address(10_141)?,
            prometheus: free_address(9090)?,
            alertmanager: free_address(9093)?,
            receiver: receiver.address,
        };
        Ok(Self {
            files: Files::write(directory, &addresses)?,
            // Nothing here may go through a proxy.
            client: reqwest::Client::builder().no_proxy().build()?,
            gitlab,
            receiver,
            programs: Vec::new(),
            addresses,
            bulletin: Bulletin::default(),
            started: Instant::now(),
        })
    }

    /// Starts the programs and tells what happens, until something fails.
    async fn play(
        &mut self,
        prometheus: &Path,
        alertmanager: &Path,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        self.introduce(out)?;
        self.start_exporter().await?;
        self.start_alertmanager(alertmanager).await?;
        self.start_prometheus(prometheus).await?;
        self.tell(out).await
    }

    fn introduce(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let at = &self.addresses;
        let past = duration::format(PAST);
        let played = duration::format(PAST.div_f64(SPEED));
        writeln!(
            out,
            "From a simulated GitLab to a delivered alert, all on 127.0.0.1:

  GitLab (simulated)  {gitlab}/-/truth
  exporter            http://{exporter}/
  Prometheus          http://{prometheus}/alerts
  Alertmanager        http://{alertmanager}/
  files and logs      {files}

GitLab plays {past} of the past within {played} and goes on in real time. Rules and routing are
the shipped ones, with every waiting time divided by {HASTE} (`for: 1m` becomes 5s) and every
receiver replaced by this program. Ctrl-C ends it all.
",
            gitlab = self.gitlab.url(),
            exporter = at.exporter,
            prometheus = at.prometheus,
            alertmanager = at.alertmanager,
            files = self.files.path("").display(),
        )?;
        Ok(out.flush()?)
    }

    async fn start_exporter(&mut self) -> anyhow::Result<()> {
        let own = std::env::current_exe().context("cannot find the exporter's own program")?;
        let address = self.addresses.exporter;
        let mut command = Command::new(own);
        command
            .arg("--config.file")
            .arg(self.files.path("exporter.yml"))
            .args(["--web.listen-address", &address.to_string()])
            .env("GITLAB_TOKEN", self.gitlab.token())
            .env("NO_PROXY", Ipv4Addr::LOCALHOST.to_string());
        self.start("exporter", command, address).await
    }

    async fn start_alertmanager(&mut self, program: &Path) -> anyhow::Result<()> {
        let address = self.addresses.alertmanager;
        let mut command = Command::new(program);
        command
            .arg(flag("config.file", self.files.path("alertmanager.yml")))
            .arg(flag("storage.path", self.files.path("alertmanager")))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!("--web.external-url=http://{address}"))
            // Alone it needs no cluster, and need not wait for one to settle.
            .arg("--cluster.listen-address=")
            .arg("--log.level=warn");
        self.start("alertmanager", command, address).await
    }

    async fn start_prometheus(&mut self, program: &Path) -> anyhow::Result<()> {
        let address = self.addresses.prometheus;
        let mut command = Command::new(program);
        command
            .arg(flag("config.file", self.files.path("prometheus.yml")))
            .arg(flag("storage.tsdb.path", self.files.path("prometheus")))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!("--web.external-url=http://{address}"))
            // An alert that was dropped before Alertmanager was known is sent again soon.
            .arg("--rules.alert.resend-delay=1s")
            .arg("--log.level=warn");
        self.start("prometheus", command, address).await
    }

    /// Starts a program and waits until it is ready.
    async fn start(
        &mut self,
        name: &'static str,
        command: Command,
        address: SocketAddr,
    ) -> anyhow::Result<()> {
        let log = self.files.path(&format!("{name}.log"));
        self.programs.push(Program::start(name, command, log)?);
        let url = format!("http://{address}/-/ready");
        match self.programs.last_mut() {
            Some(program) => program.answers(&self.client, &url).await,
            None => Ok(()),
        }
    }

    async fn tell(&mut self, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut looks = time::interval(LOOK);
        let mut said = (Streaks::default(), 0);
        loop {
            tokio::select! {
                delivery = self.receiver.next() => {
                    let delivery = delivery.context("the receiver has ended")?;
                    self.files.keep(&delivery.body)?;
                    write!(out, "{}", self.bulletin.tell(&delivery))?;
                }
                _ = looks.tick() => {
                    for program in &mut self.programs {
                        program.check()?;
                    }
                    let seen = self.look().await;
                    said.1 += 1;
                    if seen != said.0 || said.1 >= LOOKS_IN_SILENCE {
                        let passed = self.started.elapsed().as_secs();
                        writeln!(out, "{:>3}:{:02}  {seen}", passed / 60, passed % 60)?;
                        said = (seen, 0);
                    }
                }
            }
            out.flush()?;
        }
    }

    /// What the exporter says now; nothing where it does not answer.
    async fn look(&self) -> Streaks {
        let url = format!("http://{}/metrics", self.addresses.exporter);
        let page = async { self.client.get(url).send().await?.text().await };
        page.await
            .map(|page| Streaks::read(&page))
            .unwrap_or_default()
    }

    /// Ends everything, the last started first.
    async fn stop(self) {
        for program in self.programs.into_iter().rev() {
            program.stop(GRACE).await;
        }
        self.gitlab.shutdown().await;
    }
}

/// Where the demo's files lie.
enum Directory {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Directory {
    fn open(wanted: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = wanted else {
            let folder = tempfile::Builder::new()
                .prefix("job-failure-exporter-demo-")
                .tempdir();
            return Ok(Self::Temporary(
                folder.context("cannot create a temporary directory")?,
            ));
        };
        std::fs::create_dir_all(path)
            .and_then(|()| path.canonicalize())
            .map(Self::Kept)
            .with_context(|| format!("cannot create {}", path.display()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

fn flag(name: &str, path: PathBuf) -> std::ffi::OsString {
    let mut flag = std::ffi::OsString::from(format!("--{name}="));
    flag.push(path);
    flag
}

/// Waits for so long, or for ever.
async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
