//! What it costs Prometheus to evaluate rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_yaml::Value as Yaml;
use tempfile::TempDir;
use testkit::daemon::folder;
use tokio::time::{Instant, sleep};

use super::prometheus::{INTERVAL, Prometheus, by_group, figure};

/// Groups that are evaluated more rarely are evaluated this often, and cost their share of it.
const LONGEST: Duration = Duration::from_mins(1);

/// Between two looks at the latest evaluations.
const LOOK: Duration = Duration::from_secs(3);

/// A copy of rules in which no group is evaluated more rarely than once a minute.
pub(super) struct Rules {
    copy: TempDir,
    /// Evaluations a minute, by group.
    rates: BTreeMap<String, f64>,
}

impl Rules {
    pub(super) fn copy(from: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        let mut rates = BTreeMap::new();
        for file in folder(from)
            .iter()
            .filter(|file| file.extension().is_some_and(|it| it == "yml"))
        {
            let text = fs::read_to_string(file).unwrap();
            let mut rules: Yaml = serde_yaml::from_str(&text).unwrap();
            for group in rules["groups"].as_sequence_mut().unwrap() {
                let name = group["name"].as_str().unwrap().to_owned();
                let interval = group.get("interval").and_then(Yaml::as_str);
                let interval =
                    interval.map_or(INTERVAL, |text| ci_history::duration::parse(text).unwrap());
                if interval > LONGEST {
                    group["interval"] = format!("{}s", LONGEST.as_secs()).into();
                }
                rates.insert(name, 60.0 / interval.as_secs_f64());
            }
            let text = serde_yaml::to_string(&rules).unwrap();
            fs::write(copy.path().join(file.file_name().unwrap()), text).unwrap();
        }
        assert!(!rates.is_empty(), "{} has no rules", from.display());
        Self { copy, rates }
    }

    pub(super) fn path(&self) -> &Path {
        self.copy.path()
    }
}

/// What was measured in one scene.
#[derive(Debug, Clone, Default)]
pub(super) struct Cost {
    pub(super) exposed: f64,
    /// Recorded series by name, without alerts.
    pub(super) recorded: BTreeMap<String, f64>,
    /// Series of `ALERTS` and `ALERTS_FOR_STATE`.
    pub(super) alerts: f64,
    /// Alerts that are pending or fire, by name.
    pub(super) active: BTreeMap<String, f64>,
    /// Seconds of evaluation a minute, by group.
    pub(super) groups: BTreeMap<String, f64>,
    /// Seconds of evaluation a minute, by rule.
    pub(super) rules: BTreeMap<String, f64>,
    /// Seconds of CPU a minute of the whole process.
    pub(super) cpu: f64,
    /// The same without rules.
    pub(super) idle_cpu: f64,
    /// Bytes, at most.
    pub(super) memory: f64,
    /// Errors of rules.
    pub(super) errors: Vec<String>,
}

impl Cost {
    /// Seconds of evaluation a minute.
    pub(super) fn seconds(&self) -> f64 {
        self.groups.values().sum()
    }

    pub(super) fn recorded_series(&self) -> f64 {
        self.recorded.values().sum()
    }
}

/// Waits until every group was evaluated so many times.
pub(super) async fn settle(prometheus: &Prometheus, rules: &Rules, times: f64) {
    let iterations = "prometheus_rule_group_iterations_total";
    let count = |metrics: &str| -> BTreeMap<String, f64> {
        let counts = by_group(metrics, iterations).into_iter();
        counts
            .map(|(group, count)| (group.to_owned(), count))
            .collect()
    };
    let start = count(&prometheus.metrics().await);
    loop {
        let now = count(&prometheus.metrics().await);
        let is_done = |group: &String| {
            let before = start.get(group).copied().unwrap_or_default();
            now.get(group).is_some_and(|now| *now >= before + times)
        };
        if rules.rates.keys().all(is_done) {
            return;
        }
        sleep(LOOK).await;
    }
}

/// Watches evaluations for a time.
pub(super) async fn measure(prometheus: &Prometheus, rules: &Rules, time: Duration) -> Cost {
    let mut cost = Cost::default();
    let mut durations: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut latest: BTreeMap<String, f64> = BTreeMap::new();
    let start = Instant::now();
    let before = cpu(&prometheus.metrics().await);
    let metrics = loop {
        let metrics = prometheus.metrics().await;
        let memory = figure(&metrics, "process_resident_memory_bytes").unwrap();
        cost.memory = cost.memory.max(memory);
        let took = by_group(&metrics, "prometheus_rule_group_last_duration_seconds");
        let took: BTreeMap<_, _> = took.into_iter().collect();
        for (group, at) in by_group(
            &metrics,
            "prometheus_rule_group_last_evaluation_timestamp_seconds",
        ) {
            let known = latest.insert(group.to_owned(), at);
            if known.is_none_or(|known| known < at) {
                durations
                    .entry(group.to_owned())
                    .or_default()
                    .push(took[group]);
            }
        }
        if start.elapsed() >= time {
            break metrics;
        }
        sleep(LOOK).await;
    };
    cost.cpu = (cpu(&metrics) - before) * 60.0 / start.elapsed().as_secs_f64();
    for (group, took) in durations {
        let seconds = median(took) * rules.rates[&group];
        cost.groups.insert(group, seconds);
    }
    count_series(prometheus, &mut cost).await;
    ask_rules(prometheus, rules, &mut cost).await;
    cost
}

/// Other programs of this machine disturb single evaluations.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of CPU a minute of a Prometheus that only scrapes.
pub(super) async fn idle(prometheus: &Prometheus) -> f64 {
    let start = Instant::now();
    let before = cpu(&prometheus.metrics().await);
    sleep(2 * INTERVAL).await;
    let after = cpu(&prometheus.metrics().await);
    (after - before) * 60.0 / start.elapsed().as_secs_f64()
}

fn cpu(metrics: &str) -> f64 {
    figure(metrics, "process_cpu_seconds_total").unwrap()
}

async fn count_series(prometheus: &Prometheus, cost: &mut Cost) {
    let by = async |query: &str, label: &str| -> BTreeMap<String, f64> {
        let result = prometheus.query(query).await;
        let value = |series: &serde_json::Value| {
            let name = series["metric"][label]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            (name, series["value"][1].as_str().unwrap().parse().unwrap())
        };
        result.iter().map(value).collect()
    };
    let exposed = by("sum(scrape_samples_scraped)", "").await;
    cost.exposed = exposed.values().sum();
    cost.recorded = by("count by (__name__) ({__name__=~\".+:.+\"})", "__name__").await;
    cost.alerts = by("count by (__name__) ({__name__=~\"ALERTS.*\"})", "")
        .await
        .values()
        .sum();
    cost.active = by("count by (alertname) (ALERTS)", "alertname").await;
}

async fn ask_rules(prometheus: &Prometheus, rules: &Rules, cost: &mut Cost) {
    for group in prometheus.groups().await {
        let group_name = group["name"].as_str().unwrap();
        for rule in group["rules"].as_array().unwrap() {
            let name = rule["name"].as_str().unwrap();
            let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
            let key = format!("{group_name}: {name} {severity}");
            let took = rule["evaluationTime"].as_f64().unwrap_or_default();
            *cost.rules.entry(key.clone()).or_default() += took * rules.rates[group_name];
            if let Some(error) = rule["lastError"].as_str().filter(|error| !error.is_empty()) {
                cost.errors.push(format!("{key}: {error}"));
            }
        }
    }
}
