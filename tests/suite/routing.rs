//! The shipped configurations of Prometheus and Alertmanager: valid, alerts go where they should, some are held back.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::alert_rules::alert_names;
use crate::tools;
use crate::tools::at_root;

const ALERTMANAGER: &str = "deploy/alertmanager/alertmanager.yml";
const ROUTES: &str = "deploy/alertmanager/routes.txt";

const PATIENCE: Duration = Duration::from_secs(20);

struct Alertmanager {
    process: Child,
    url: String,
    _storage: TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Alertmanager {
    fn start() -> Self {
        let shipped = at_root(ALERTMANAGER);
        let storage = tempfile::tempdir().unwrap();
        let config = storage.path().join("alertmanager.yml");
        // Nothing of this may reach a receiver that happens to run here.
        let text = fs::read_to_string(shipped)
            .unwrap()
            .replace("127.0.0.1:10142", "127.0.0.1:1");
        fs::write(&config, text).unwrap();
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let process = Command::new(tools::alertmanager())
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", storage.path().display()))
            .arg(format!("--web.listen-address={free}"))
            .args(["--cluster.listen-address=", "--log.level=error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let this = Self {
            process,
            url: format!("http://{free}"),
            _storage: storage,
        };
        this.until(|| this.amtool(&["alert", "query"]).passed);
        this
    }

    fn amtool(&self, args: &[&str]) -> tools::Answer {
        let url = format!("--alertmanager.url={}", self.url);
        tools::run("amtool", [url.as_str()].iter().chain(args))
    }

    fn add(&self, labels: &[&str]) {
        self.amtool(&[&["alert", "add"], labels].concat())
            .must_pass();
    }

    /// Alerts that would be sent, as `alertname severity`.
    fn sent(&self) -> BTreeSet<String> {
        let answer = self.amtool(&["alert", "query", "--active", "--output=json"]);
        answer.must_pass();
        let alerts: serde_json::Value = serde_json::from_str(&answer.printed).unwrap();
        let of = |alert: &serde_json::Value, label: &str| {
            alert["labels"][label].as_str().unwrap().to_owned()
        };
        let alerts = alerts.as_array().unwrap().iter();
        alerts
            .map(|alert| format!("{} {}", of(alert, "alertname"), of(alert, "severity")))
            .collect()
    }

    #[track_caller]
    fn until(&self, holds: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < end,
                "waited for {PATIENCE:?}; last: {:?}",
                self.amtool(&["alert", "query"]).output
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn sends(&self, wanted: &[&str]) {
        let wanted: BTreeSet<_> = wanted.iter().map(ToString::to_string).collect();
        self.until(|| self.sent() == wanted);
    }
}

#[test]
fn a_critical_alert_holds_back_its_warning_and_an_exporter_that_is_down_all_about_jobs() {
    let alertmanager = Alertmanager::start();
    let unit = ["project=acme/shop", "ref=main", "job_name=unit"];
    let repeatedly = "alertname=CIJobFailingRepeatedly";
    alertmanager.add(&[&[repeatedly, "severity=warning"], &unit[..]].concat());
    alertmanager.add(
        &[
            &["alertname=CIJobFailureRatioHigh", "severity=warning"],
            &unit[..],
        ]
        .concat(),
    );
    alertmanager.sends(&[
        "CIJobFailingRepeatedly warning",
        "CIJobFailureRatioHigh warning",
    ]);

    let other = ["project=acme/shop", "ref=main", "job_name=other"];
    alertmanager.add(&[&[repeatedly, "severity=critical"], &other[..]].concat());
    alertmanager.sends(&[
        "CIJobFailingRepeatedly critical",
        "CIJobFailingRepeatedly warning",
        "CIJobFailureRatioHigh warning",
    ]);

    alertmanager.add(&[&[repeatedly, "severity=critical"], &unit[..]].concat());
    alertmanager.sends(&[
        "CIJobFailingRepeatedly critical",
        "CIJobFailureRatioHigh warning",
    ]);

    alertmanager.add(&[
        "alertname=CIExporterPollStale",
        "severity=warning",
        "project=acme/shop",
    ]);
    alertmanager.add(&["alertname=Watchdog", "severity=none"]);
    alertmanager.add(&[
        "alertname=CIExporterDown",
        "severity=critical",
        "job=job-failure-exporter",
    ]);
    alertmanager.sends(&["CIExporterDown critical", "Watchdog none"]);
}

#[test]
fn a_mass_failure_holds_back_the_failures_of_single_jobs_and_an_escalation_the_alert_it_escalates()
{
    let alertmanager = Alertmanager::start();
    let unit = ["project=acme/shop", "ref=main", "job_name=unit"];
    let other = ["project=acme/shop", "ref=main", "job_name=other"];
    let add = |alert: &str, severity: &str, labels: &[&str]| {
        let alert = format!("alertname={alert}");
        let severity = format!("severity={severity}");
        alertmanager.add(&[&[alert.as_str(), severity.as_str()], labels].concat());
    };
    add("CIJobFailingRepeatedly", "critical", &unit);
    add("CIJobFailingForLong", "critical", &unit);
    add("CIJobFailingRepeatedly", "warning", &other);
    add("CIJobStuck", "warning", &other);
    alertmanager.sends(&[
        "CIJobFailingForLong critical",
        "CIJobFailingRepeatedly warning",
        "CIJobStuck warning",
    ]);

    add("CIJobFailureRatioHigh", "warning", &unit);
    add("CIInfrastructureFailures", "critical", &[]);
    add("CIMassFailure", "critical", &[]);
    alertmanager.sends(&["CIMassFailure critical", "CIJobStuck warning"]);
}

#[test]
fn the_example_configurations_are_valid() {
    let prometheus = at_root("deploy/prometheus/prometheus.yml");
    tools::run(
        "promtool",
        ["check", "config", prometheus.to_str().unwrap()],
    )
    .must_pass();
    tools::run(
        "amtool",
        ["check-config", at_root(ALERTMANAGER).to_str().unwrap()],
    )
    .must_pass();
}

#[test]
fn alerts_go_where_the_table_of_routes_says() {
    let table = fs::read_to_string(at_root(ROUTES)).unwrap();
    let config = format!("--config.file={}", at_root(ALERTMANAGER).display());
    let mut routed = BTreeSet::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let verify = format!("--verify.receivers={}", words.next().unwrap());
        let labels: Vec<_> = words.collect();
        routed.extend(
            labels
                .iter()
                .find_map(|label| label.strip_prefix("alertname="))
                .map(str::to_owned),
        );
        let args = ["config", "routes", "test", &config, &verify];
        tools::run("amtool", args.into_iter().chain(labels)).must_pass();
    }
    for team in ["", "team=payments ", "team=research ", "team=unknown "] {
        for severity in ["critical", "warning"] {
            let wanted =
                format!("alertname=CIJobFailingRepeatedly severity={severity} {team}project=");
            assert!(table.contains(&wanted), "{ROUTES} has no {wanted}");
        }
    }
    let forgotten: Vec<_> = alert_names().difference(&routed).cloned().collect();
    assert!(
        forgotten.is_empty(),
        "{ROUTES} says nothing of {forgotten:?}"
    );
}
