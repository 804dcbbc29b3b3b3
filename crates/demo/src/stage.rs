//! Everything the demo runs, from setting it up to clearing it away.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;
use tokio::time::{self, Instant};

use super::events;
use super::files::{Addresses, Files, HASTE};
use super::program::{Program, Reserved, beside_this_one, find};
use super::receiver::{Bulletin, Receiver};
use super::streaks::Streaks;
use ci_history::clock::SystemClock;
use ci_history::duration;
use gitlab_simulator::{Handle, Options, Pace, Scenario};

/// How much of the past the simulated GitLab plays, and how fast.
const PAST: Duration = Duration::from_mins(45);
const SPEED: f64 = 90.0;
/// How long a program may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How often the state is looked at.
const LOOK: Duration = Duration::from_secs(3);
/// A state that does not change is said again after so many looks.
const LOOKS_IN_SILENCE: u32 = 10;

/// Programs that have to be installed.
#[derive(Debug)]
pub(super) struct Binaries {
    exporter: PathBuf,
    prometheus: PathBuf,
    alertmanager: PathBuf,
}

/// Ports kept for the programs until they start.
#[derive(Debug)]
pub(super) struct Ports {
    exporter: Reserved,
    alertmanager: Reserved,
    prometheus: Reserved,
}

/// What runs in this process, and the programs beside it.
pub(super) struct Stage {
    gitlab: Handle,
    receiver: Receiver,
    programs: Vec<Program>,
    files: Files,
    addresses: Addresses,
    client: reqwest::Client,
    bulletin: Bulletin,
    started: Instant,
}

impl Binaries {
    pub(super) fn find() -> anyhow::Result<Self> {
        Ok(Self {
            exporter: beside_this_one("job-failure-exporter")?,
            prometheus: find(&["prometheus"])?,
            alertmanager: find(&["prometheus-alertmanager", "alertmanager"])?,
        })
    }
}

impl Stage {
    /// Starts what runs in this process and writes what the programs read.
    pub(super) async fn set(directory: &Path, seed: u64) -> anyhow::Result<(Self, Ports)> {
        let ports = Ports {
            exporter: Reserved::near(10_141)?,
            alertmanager: Reserved::near(9093)?,
            prometheus: Reserved::near(9090)?,
        };
        let receiver = Receiver::listen(Reserved::near(10_142)?.release()).await;
        let receiver = receiver.context("cannot listen for alerts")?;
        let options = Options {
            listen: Reserved::near(8929)?.release(),
            scenario: Scenario::named("demo"),
            seed,
            pace: Pace::catching_up(Arc::new(SystemClock), PAST, SPEED),
            ..Options::default()
        };
        let gitlab = gitlab_simulator::start(options).await;
        let gitlab = gitlab.context("cannot start the simulated GitLab")?;
        gitlab.with(|world| events::plan(world, PAST));
        let addresses = Addresses {
            gitlab: gitlab.address(),
            exporter: ports.exporter.address,
            prometheus: ports.prometheus.address,
            alertmanager: ports.alertmanager.address,
            receiver: receiver.address,
        };
        let stage = Self {
            files: Files::write(directory, &addresses)?,
            // Nothing here may go through a proxy.
            client: reqwest::Client::builder().no_proxy().build()?,
            gitlab,
            receiver,
            programs: Vec::new(),
            addresses,
            bulletin: Bulletin::new(format!("http://{}", addresses.exporter)),
            started: Instant::now(),
        };
        Ok((stage, ports))
    }

    /// Starts the programs and tells what happens, until something fails.
    pub(super) async fn play(
        &mut self,
        binaries: &Binaries,
        ports: Ports,
        out: &mut dyn Write,
    ) -> anyhow::Result<Infallible> {
        self.introduce(out)?;
        let exporter = self.exporter(&binaries.exporter);
        self.start("exporter", exporter, ports.exporter).await?;
        let alertmanager = self.alertmanager(&binaries.alertmanager);
        self.start("alertmanager", alertmanager, ports.alertmanager)
            .await?;
        let prometheus = self.prometheus(&binaries.prometheus);
        self.start("prometheus", prometheus, ports.prometheus)
            .await?;
        self.tell(out).await
    }

    /// Whether the alert the demo is about has arrived.
    pub(super) fn has_delivered(&self) -> bool {
        self.bulletin.delivered()
    }

    /// Which alerts were delivered, and which of them are over.
    pub(super) fn summary(&self) -> String {
        self.bulletin.summary()
    }

    /// Ends everything, the last started first.
    pub(super) async fn clear(self) {
        for program in self.programs.into_iter().rev() {
            program.stop(GRACE).await;
        }
        self.gitlab.shutdown().await;
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
receiver replaced by this program. {outage} after the start the runners of five projects fail
for a while: many jobs, one alert. Ctrl-C ends it all.
",
            outage = duration::format(events::OUTAGE_AFTER),
            gitlab = self.gitlab.url(),
            exporter = at.exporter,
            prometheus = at.prometheus,
            alertmanager = at.alertmanager,
            files = self.files.path("").display(),
        )?;
        Ok(out.flush()?)
    }

    fn exporter(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .arg(flag("config.file", self.files.path("exporter.yml")))
            .arg(format!("--web.listen-address={}", self.addresses.exporter))
            .env("GITLAB_TOKEN", self.gitlab.token())
            .env("NO_PROXY", Ipv4Addr::LOCALHOST.to_string());
        command
    }

    fn alertmanager(&self, program: &Path) -> Command {
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
        command
    }

    fn prometheus(&self, program: &Path) -> Command {
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
        command
    }

    /// Starts a program on its port and waits until it is ready.
    async fn start(
        &mut self,
        name: &'static str,
        command: Command,
        port: Reserved,
    ) -> anyhow::Result<()> {
        let log = self.files.path(&format!("{name}.log"));
        let url = format!("http://{}/-/ready", port.release());
        self.programs.push(Program::start(name, command, log)?);
        match self.programs.last_mut() {
            Some(program) => program.answers(&self.client, &url).await,
            None => Ok(()),
        }
    }

    async fn tell(&mut self, out: &mut dyn Write) -> anyhow::Result<Infallible> {
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
}

fn flag(name: &str, path: PathBuf) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(path);
    flag
}
