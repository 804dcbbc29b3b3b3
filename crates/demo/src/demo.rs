//! The running demo: its parts, and their start, report and stop.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ci_history::clock::SystemClock;
use ci_history::duration;
use gitlab_simulator::{Handle, Options, Pace, Scenario};
use tokio::process::Command;
use tokio::time::{self, Instant};

use super::actions::{Actions, Record};
use super::events;
use super::files::{self, Addresses, Files, WAIT_DIVISOR};
use super::program::{Program, ReservedPort, find_in_path, find_sibling};
use super::receiver::{AlertLog, Receiver};
use super::streaks::Streaks;

/// Start of simulated time before the start of the demo.
const PAST: Duration = Duration::from_mins(45);
/// Simulated seconds per second until simulated time reaches the present.
const SPEED: f64 = 90.0;
/// Time for a program to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// Interval of scrapes for the summary line.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(3);
/// Number of scrapes after which an unchanged summary line is printed again.
const REPEAT_AFTER: u32 = 10;

/// Paths of the programs.
#[derive(Debug)]
pub(super) struct Binaries {
    exporter: PathBuf,
    prometheus: PathBuf,
    alertmanager: PathBuf,
}

/// Ports that are reserved for the programs until they start.
#[derive(Debug)]
pub(super) struct Ports {
    exporter: ReservedPort,
    alertmanager: ReservedPort,
    prometheus: ReservedPort,
}

/// The parts of the demo: GitLab and the receiver in this process, and the programs.
pub(super) struct Demo {
    gitlab: Handle,
    receiver: Receiver,
    programs: Vec<Program>,
    files: Files,
    addresses: Addresses,
    client: reqwest::Client,
    alerts: AlertLog,
    actions: Actions,
    started: Instant,
}

impl Binaries {
    pub(super) fn find() -> anyhow::Result<Self> {
        Ok(Self {
            exporter: find_sibling("job-failure-exporter")?,
            prometheus: find_in_path(&["prometheus"])?,
            alertmanager: find_in_path(&["prometheus-alertmanager", "alertmanager"])?,
        })
    }
}

impl Demo {
    /// Starts GitLab and the receiver, and writes the configurations of the programs.
    pub(super) async fn prepare(directory: &Path, seed: u64) -> anyhow::Result<(Self, Ports)> {
        let ports = Ports {
            exporter: ReservedPort::near(10_141)?,
            alertmanager: ReservedPort::near(9093)?,
            prometheus: ReservedPort::near(9090)?,
        };
        let receiver = Receiver::listen(ReservedPort::near(10_142)?.release()).await;
        let receiver = receiver.context("cannot listen for alerts")?;
        let options = Options {
            listen: ReservedPort::near(8929)?.release(),
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
        let demo = Self {
            files: Files::write(directory, &addresses)?,
            // All connections are local.
            client: reqwest::Client::builder().no_proxy().build()?,
            gitlab,
            receiver,
            programs: Vec::new(),
            addresses,
            alerts: AlertLog::new(format!("http://{}", addresses.exporter)),
            actions: Actions::default(),
            started: Instant::now(),
        };
        Ok((demo, ports))
    }

    /// Starts the programs and reports events until something fails.
    pub(super) async fn run(
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
        self.report(out).await
    }

    /// Whether the required alert was delivered.
    pub(super) fn has_delivered(&self) -> bool {
        self.alerts.delivered()
    }

    /// The names of the delivered and of the resolved alerts.
    pub(super) fn summary(&self) -> String {
        self.alerts.summary()
    }

    /// Stops everything in reverse order of start.
    pub(super) async fn stop(self) {
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
  Prometheus          http://{prometheus}/
  Alertmanager        http://{alertmanager}/
  files and logs      {files}

GitLab plays the last {past} within {played} and continues in real time. The demo uses the shipped
rules and routes, with every wait divided by {WAIT_DIVISOR} (`for: 1m` becomes 5s), and receives all alerts
itself.

{lost} after the start a runner loses a job of acme/courier, and the exporter brings it back. Another job of
this project is broken, and its circuit is open: retries do not help it. {outage} after the start the
runners of five projects fail for a while: many jobs, one alert, and no retries before it is over. The pages
of failing jobs have buttons (user `{user}`, password `{password}`). Ctrl-C ends the demo.
",
            lost = duration::format(events::LOST_AFTER),
            outage = duration::format(events::OUTAGE_AFTER),
            user = files::CALLER,
            password = files::CALLER_SECRET,
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
            // Without a cluster, Alertmanager does not wait for one to settle.
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
            // Soon resends alerts that were dropped before Prometheus knew Alertmanager.
            .arg("--rules.alert.resend-delay=1s")
            .arg("--log.level=warn");
        command
    }

    /// Starts a program on its port and waits until it is ready.
    async fn start(
        &mut self,
        name: &'static str,
        command: Command,
        port: ReservedPort,
    ) -> anyhow::Result<()> {
        let log = self.files.path(&format!("{name}.log"));
        let url = format!("http://{}/-/ready", port.release());
        self.programs.push(Program::start(name, command, log)?);
        match self.programs.last_mut() {
            Some(program) => program.wait_until_ready(&self.client, &url).await,
            None => Ok(()),
        }
    }

    async fn report(&mut self, out: &mut dyn Write) -> anyhow::Result<Infallible> {
        let mut ticks = time::interval(SUMMARY_INTERVAL);
        let (mut printed, mut unchanged) = (Streaks::default(), 0);
        loop {
            tokio::select! {
                delivery = self.receiver.next() => {
                    let delivery = delivery.context("the receiver of alerts ended")?;
                    self.files.append_delivery(&delivery.body)?;
                    write!(out, "{}", self.alerts.record(&delivery))?;
                }
                _ = ticks.tick() => {
                    for program in &mut self.programs {
                        program.check()?;
                    }
                    if let Some(record) = self.record().await {
                        write!(out, "{}", self.actions.news(&record))?;
                    }
                    let streaks = self.streaks().await;
                    unchanged += 1;
                    if streaks != printed || unchanged >= REPEAT_AFTER {
                        let passed = self.started.elapsed().as_secs();
                        writeln!(out, "{:>3}:{:02}  {streaks}", passed / 60, passed % 60)?;
                        (printed, unchanged) = (streaks, 0);
                    }
                }
            }
            out.flush()?;
        }
    }

    /// The exporter's record of actions, if it answers.
    async fn record(&self) -> Option<Record> {
        let url = format!("http://{}/api/v1/remediations", self.addresses.exporter);
        let text = self.client.get(url).send().await.ok()?.text().await.ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The present streaks; empty if the exporter does not answer.
    async fn streaks(&self) -> Streaks {
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
