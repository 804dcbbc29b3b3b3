//! Configurations of the demo: the shipped files with other addresses and shorter waits.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::events;
use super::waits::shorten_waits;

/// Divisor of the waits in rules and routes.
pub(super) const WAIT_DIVISOR: u32 = 12;

/// The shipped alert rules, by file name.
const RULES: [(&str, &str); 13] = [
    (
        "absence.yml",
        include_str!("../../../alert-rules/absence.yml"),
    ),
    (
        "common.yml",
        include_str!("../../../alert-rules/common.yml"),
    ),
    (
        "dashboards.yml",
        include_str!("../../../alert-rules/dashboards.yml"),
    ),
    (
        "exporter.yml",
        include_str!("../../../alert-rules/exporter.yml"),
    ),
    (
        "exporter_troubles.yml",
        include_str!("../../../alert-rules/exporter_troubles.yml"),
    ),
    ("flaky.yml", include_str!("../../../alert-rules/flaky.yml")),
    ("jobs.yml", include_str!("../../../alert-rules/jobs.yml")),
    (
        "pipelines.yml",
        include_str!("../../../alert-rules/pipelines.yml"),
    ),
    (
        "remediation.yml",
        include_str!("../../../alert-rules/remediation.yml"),
    ),
    (
        "runners.yml",
        include_str!("../../../alert-rules/runners.yml"),
    ),
    (
        "schedules.yml",
        include_str!("../../../alert-rules/schedules.yml"),
    ),
    (
        "thresholds.yml",
        include_str!("../../../alert-rules/thresholds.yml"),
    ),
    (
        "watchdog.yml",
        include_str!("../../../alert-rules/watchdog.yml"),
    ),
];
const PROMETHEUS: &str = include_str!("../../../deploy/prometheus/prometheus.yml");
const ALERTMANAGER: &str = include_str!("../../../deploy/alertmanager/alertmanager.yml");

/// Name and secret of who may ask the exporter for actions: the user and the password of the buttons.
pub(super) const CALLER: &str = "demo";
pub(super) const CALLER_SECRET: &str = "only-for-this-demo";

/// Interval of polls, scrapes and rule evaluations.
const INTERVAL: &str = "1s";

/// Listen addresses of the parts of the demo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) gitlab: SocketAddr,
    pub(super) exporter: SocketAddr,
    pub(super) prometheus: SocketAddr,
    pub(super) alertmanager: SocketAddr,
    pub(super) receiver: SocketAddr,
}

/// The directory of the demo.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
}

/// A mass failure is one of the last half hour. The demo plays three quarters of an hour before it begins, in which most of its
/// jobs broke: with its waits, this time is shortened, too.
const MASS_FAILURE: (&str, u32) = ("ci_default:mass_failure_seconds:threshold", 1800);

/// A rule file with the waits of the demo.
fn rule_file(text: &str) -> String {
    let (record, seconds) = MASS_FAILURE;
    let rule = |seconds| format!("- record: {record}\n        expr: '{seconds}'");
    let text = shorten_waits(text, WAIT_DIVISOR);
    text.replace(&rule(seconds), &rule(seconds / WAIT_DIVISOR))
}

impl Files {
    /// Writes the configurations of all parts into `root`.
    pub(super) fn write(root: &Path, addresses: &Addresses) -> anyhow::Result<Self> {
        let files = Self {
            root: root.to_owned(),
        };
        let rules = files.path("rules");
        fs::create_dir_all(&rules).with_context(|| format!("cannot create {}", rules.display()))?;
        for (name, text) in RULES {
            files.put(&format!("rules/{name}"), &rule_file(text))?;
        }
        files.put("prometheus.yml", &prometheus(PROMETHEUS, addresses)?)?;
        files.put("alertmanager.yml", &alertmanager(ALERTMANAGER, addresses)?)?;
        files.put("bot-token", events::BOT_TOKEN)?;
        files.put("caller-token", CALLER_SECRET)?;
        let state = files.path("state");
        files.put("exporter.yml", &exporter(addresses, &state)?)?;
        Ok(files)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn put(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Appends the JSON of a delivery to `deliveries.jsonl`.
    pub(super) fn append_delivery(&self, delivery: &[u8]) -> io::Result<()> {
        use io::Write as _;
        let path = self.path("deliveries.jsonl");
        let mut file = fs::File::options().create(true).append(true).open(path)?;
        file.write_all(delivery)?;
        file.write_all(b"\n")
    }
}

/// The shipped `prometheus.yml`, with the demo's addresses and intervals.
fn prometheus(text: &str, addresses: &Addresses) -> anyhow::Result<String> {
    let mut config = parse(text)?;
    config["global"]["scrape_interval"] = json!(INTERVAL);
    config["global"]["scrape_timeout"] = json!(INTERVAL);
    config["global"]["evaluation_interval"] = json!(INTERVAL);
    let target = |address: SocketAddr| json!([{ "targets": [address.to_string()] }]);
    for job in config["scrape_configs"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        let own = job["job_name"] == "prometheus";
        let scraped = if own {
            addresses.prometheus
        } else {
            addresses.exporter
        };
        job["static_configs"] = target(scraped);
    }
    config["rule_files"] = json!(["rules/*.yml"]);
    config["alerting"]["alertmanagers"] =
        json!([{ "static_configs": target(addresses.alertmanager) }]);
    write(&config)
}

/// The shipped `alertmanager.yml`, in which every receiver sends to the demo.
fn alertmanager(text: &str, addresses: &Addresses) -> anyhow::Result<String> {
    let mut config = parse(&shorten_waits(text, WAIT_DIVISOR))?;
    for receiver in config["receivers"].as_array_mut().into_iter().flatten() {
        let Some(fields) = receiver.as_object_mut() else {
            continue;
        };
        let name = fields["name"].as_str().unwrap_or_default().to_owned();
        let sends = fields.len() > 1;
        fields.retain(|key, _| key == "name");
        if sends {
            let url = format!("http://{}/{name}", addresses.receiver);
            fields.insert(
                "webhook_configs".to_owned(),
                json!([{ "url": url, "send_resolved": true }]),
            );
        }
    }
    if let Some(fields) = config.as_object_mut() {
        fields.remove("templates");
        fields.remove("global");
    }
    write(&config)
}

/// A configuration that watches the simulated group.
fn exporter(addresses: &Addresses, state: &Path) -> anyhow::Result<String> {
    write(&json!({
        "gitlab": {
            "url": format!("http://{}", addresses.gitlab),
            "requests_per_second": 200,
        },
        "watch": {
            "interval": INTERVAL,
            "idle_interval": "2s",
            "groups": [{ "path": "acme", "include_subgroups": true }],
        },
        "store": { "directory": state, "save_interval": "2s" },
        "prometheus": { "url": format!("http://{}", addresses.prometheus) },
        "alertmanager": { "url": format!("http://{}", addresses.alertmanager) },
        "owners": { "rules": [
            // The shipped routes have a receiver for this team.
            { "projects": "acme/{warehouse,billing}", "jobs": "*", "team": "payments" },
            { "projects": "acme/platform/**", "jobs": "*", "team": "platform" },
            { "projects": "acme/ml", "jobs": "*", "team": "learning" },
        ] },
        // Failures of runners come back, where the bot may write.
        "remediation": {
            "mode": "act",
            "token_file": "bot-token",
            "rules": [{
                "name": "runner-trouble",
                "match": {
                    "projects": ["acme/courier", "acme/platform/**"],
                    "failure_classes": ["infrastructure"],
                },
                "action": "recover",
                "delays": ["10s", "20s", "30s"],
            }],
            "callers": [{ "name": CALLER, "token_file": "caller-token" }],
        },
    }))
}

fn parse(text: &str) -> anyhow::Result<Value> {
    serde_yaml::from_str(text).context("cannot parse a shipped file")
}

fn write(value: &Value) -> anyhow::Result<String> {
    serde_yaml::to_string(value).context("cannot serialize a configuration of the demo")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use job_failure_exporter::config::{Config, Overrides};

    use super::*;

    fn addresses() -> Addresses {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Addresses {
            gitlab: at(1),
            exporter: at(2),
            prometheus: at(3),
            alertmanager: at(4),
            receiver: at(5),
        }
    }

    #[test]
    fn every_shipped_rule_file_is_part_of_the_demo() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../alert-rules");
        let entries = fs::read_dir(folder).unwrap();
        let files = entries
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_file());
        let names = files.map(|entry| entry.file_name().into_string().unwrap());
        let shipped: BTreeSet<String> = names.collect();
        let known: BTreeSet<String> = RULES.map(|(name, _)| name.to_owned()).into();
        assert_eq!(shipped, known);
    }

    #[test]
    fn the_waits_of_rules_are_shortened() {
        let (_, shipped) = RULES.iter().find(|(name, _)| *name == "jobs.yml").unwrap();
        let jobs = rule_file(shipped);
        assert!(jobs.contains("for: 5s") && !jobs.contains("for: 1m"));
        assert_eq!(jobs.lines().count(), shipped.lines().count());
    }

    #[test]
    fn what_broke_before_the_demo_began_is_no_mass_failure() {
        let thresholds = |(name, _): &&(&str, &str)| *name == "thresholds.yml";
        let (_, shipped) = RULES.iter().find(thresholds).unwrap();
        let (before, after) = (shipped.lines(), rule_file(shipped));
        let changed: Vec<_> = before.zip(after.lines()).filter(|(a, b)| a != b).collect();
        assert!(
            changed.contains(&("        expr: '1800'", "        expr: '150'")),
            "{changed:?}"
        );
    }

    #[test]
    fn every_receiver_that_sends_sends_to_the_demo() {
        let config = parse(&alertmanager(ALERTMANAGER, &addresses()).unwrap()).unwrap();
        let receivers = config["receivers"].as_array().unwrap();
        assert_eq!(receivers[0], json!({ "name": "null" }));
        for receiver in &receivers[1..] {
            let name = receiver["name"].as_str().unwrap();
            let url = &receiver["webhook_configs"][0]["url"];
            assert_eq!(*url, format!("http://127.0.0.1:5/{name}"));
        }
        assert_eq!(config["route"]["group_wait"], "5s");
    }

    #[test]
    fn prometheus_scrapes_the_demos_exporter_under_the_shipped_job_name() {
        let config = parse(&prometheus(PROMETHEUS, &addresses()).unwrap()).unwrap();
        let job = &config["scrape_configs"][0];
        assert_eq!(job["job_name"], "job-failure-exporter");
        assert_eq!(job["static_configs"][0]["targets"], json!(["127.0.0.1:2"]));
        let itself = &config["scrape_configs"][1];
        assert_eq!(
            itself["static_configs"][0]["targets"],
            json!(["127.0.0.1:3"])
        );
        let alertmanagers = &config["alerting"]["alertmanagers"][0];
        let targets = &alertmanagers["static_configs"][0]["targets"];
        assert_eq!(*targets, json!(["127.0.0.1:4"]));
    }

    #[test]
    fn the_exporters_configuration_is_valid() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::write(folder.path(), &addresses()).unwrap();
        let env = |name: &str| (name == "GITLAB_TOKEN").then(|| "secret".to_owned());
        let path = files.path("exporter.yml");
        let config = Config::load(Some(&path), &Overrides::default(), &env).unwrap();
        assert_eq!(config.watch.groups[0].path, "acme");
        assert_eq!(config.watch.interval, Duration::from_secs(1));
    }
}
