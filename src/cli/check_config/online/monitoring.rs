//! Prometheus and Alertmanager: whether they answer, know the shipped rules, scrape an exporter, and route its alerts.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::finding::{Findings, Part};
use crate::alerting::{AlertmanagerSurvey, Asker, PrometheusSurvey, Receivers, Servers, Survey};
use crate::assets;
use crate::cli::table::counted;
use crate::config::Config;

/// Lowest versions that the rules and routes work with.
const PROMETHEUS: (u32, u32) = (2, 42);
const ALERTMANAGER: (u32, u32) = (0, 25);

/// Always fires, so that a way that is broken is noticed.
const WATCHDOG: &str = "CIWatchdog";

/// Names that a message lists.
const NAMED: usize = 5;

/// Names of alerts in a file of rules.
static ALERT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*- alert: (\w+)$").ok());

/// Asks the servers that are configured.
pub(super) async fn check(config: &Config, prometheus: &Findings) {
    let alertmanager = prometheus.also_about(Part::Alertmanager);
    let servers = Servers::new(
        config.prometheus.clone(),
        config.alertmanager.clone(),
        Asker::Exporter,
    );
    let survey = match servers {
        Ok(servers) => servers.survey().await,
        Err(error) => return prometheus.error(error.to_string()),
    };
    let Survey {
        prometheus: of_prometheus,
        alertmanager: of_alertmanager,
    } = survey;
    match of_prometheus {
        None => prometheus
            .ok("not asked: `prometheus.url` is not set. Only pages and `explain` need it"),
        Some(Ok(told)) => judge_prometheus(&told, &shipped(), prometheus),
        Some(Err(error)) => prometheus.error(error),
    }
    match of_alertmanager {
        None => alertmanager
            .ok("not asked: `alertmanager.url` is not set. Only pages and `explain` need it"),
        Some(Ok(told)) => judge_alertmanager(&told, &alertmanager),
        Some(Err(error)) => alertmanager.error(error),
    }
}

/// The names of the shipped alerts.
fn shipped() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for text in assets::rule_texts() {
        let found = ALERT.iter().flat_map(|alert| alert.captures_iter(text));
        names.extend(found.map(|found| found[1].to_owned()));
    }
    names
}

fn judge_version(
    name: &str,
    url: &str,
    version: Option<&str>,
    (major, minor): (u32, u32),
    findings: &Findings,
) {
    let numbers = version.and_then(|version| {
        let mut parts = version.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    });
    match (version, numbers) {
        (Some(version), Some(numbers)) if numbers < (major, minor) => findings.warn(format!(
            "{name} {version} at {url} is older than {major}.{minor}, which the shipped files need"
        )),
        (Some(version), _) => findings.ok(format!("{name} {version} at {url} answers")),
        (None, _) => findings.ok(format!("{url} answers, and does not tell its version")),
    }
}

fn judge_prometheus(told: &PrometheusSurvey, shipped: &BTreeSet<String>, findings: &Findings) {
    judge_version(
        "Prometheus",
        &told.url,
        told.version.as_deref(),
        PROMETHEUS,
        findings,
    );
    let missing: Vec<_> = shipped.difference(&told.alert_rules).collect();
    let loaded = shipped.len() - missing.len();
    if loaded == 0 {
        findings.warn(
            "it has none of the shipped alert rules: write them with `assets rules`, add them to `rule_files`, and reload it",
        );
    } else if missing.is_empty() {
        findings.ok(format!("it has all {loaded} shipped alert rules"));
    } else {
        let named: Vec<_> = missing
            .iter()
            .take(NAMED)
            .map(|name| name.as_str())
            .collect();
        findings.warn(format!(
            "it has {loaded} of {} shipped alert rules; missing are {} and perhaps others: are the files of another version, or \
             some left out?",
            shipped.len(),
            named.join(", ")
        ));
    }
    for (rule, error) in told.failing.iter().take(NAMED) {
        findings.error(format!("it fails to evaluate {rule}: {error}"));
    }
    match (told.exporters, told.jobs) {
        (0, _) => findings.warn(
            "it scrapes no exporter: there is no series `job_failure_exporter_build_info`. Add the scrape configuration, and see \
             its page Targets once the exporter runs",
        ),
        (exporters, 0) => findings.warn(format!(
            "it scrapes {}, and has no series `job_consecutive_failures`: the exporter is still reading, or \
             `metric_relabel_configs` drops them",
            counted(exporters, "exporter")
        )),
        (exporters, jobs) => findings.ok(format!(
            "it scrapes {} with {}",
            counted(exporters, "exporter"),
            counted(jobs, "job")
        )),
    }
}

fn judge_alertmanager(told: &AlertmanagerSurvey, findings: &Findings) {
    judge_version(
        "Alertmanager",
        &told.url,
        told.version.as_deref(),
        ALERTMANAGER,
        findings,
    );
    match &told.receivers {
        Err(error) => findings.warn(format!("its routes are not known: {error}")),
        Ok(receivers) => {
            for (alert, receivers) in receivers {
                judge_receivers(alert, receivers, findings);
            }
        }
    }
    if told.has_alert(WATCHDOG) {
        findings.ok(format!(
            "{WATCHDOG} has arrived: the way from Prometheus is whole"
        ));
    } else {
        findings.warn(format!(
            "{WATCHDOG}, which always fires, has not arrived: Prometheus started a minute ago, does not have the rules, or has no \
             `alerting` section with this Alertmanager"
        ));
    }
}

fn judge_receivers(alert: &str, Receivers { named, silent }: &Receivers, findings: &Findings) {
    let all = named.join(", ");
    if named.iter().all(|name| silent.contains(name)) {
        findings.warn(format!(
            "{alert} goes to {all}, which sends nothing anywhere: add a webhook, a mail or a chat to the receiver"
        ));
    } else {
        findings.ok(format!("{alert} goes to {all}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    /// What is said of a Prometheus at this level.
    fn said(told: &PrometheusSurvey, level: Level) -> Vec<String> {
        let findings = Findings::about(Part::Prometheus);
        let shipped = BTreeSet::from(["CIOne".to_owned(), "CITwo".to_owned()]);
        judge_prometheus(told, &shipped, &findings);
        let found = findings.list().into_iter();
        let mut lines = Vec::new();
        for finding in found.filter(|it| it.level() == level) {
            let mut line = Vec::new();
            finding.write(&mut line).unwrap();
            lines.push(String::from_utf8(line).unwrap());
        }
        lines
    }

    #[test]
    fn the_shipped_alerts_are_found_in_their_files() {
        let names = shipped();
        assert!(names.contains(WATCHDOG) && names.contains("CIJobFailingRepeatedly"));
    }

    #[test]
    fn missing_and_failing_rules_an_old_version_and_dropped_series_are_told() {
        let told = PrometheusSurvey {
            url: "http://p".to_owned(),
            version: Some("2.41.0".to_owned()),
            alert_rules: BTreeSet::from(["CIOne".to_owned(), "Other".to_owned()]),
            failing: vec![("CIOne".to_owned(), "many-to-many".to_owned())],
            exporters: 1,
            jobs: 0,
        };
        let warnings = said(&told, Level::Warning).concat();
        for words in [
            "older than 2.42",
            "missing are CITwo",
            "`metric_relabel_configs`",
        ] {
            assert!(warnings.contains(words), "{words}: {warnings}");
        }
        let errors = said(&told, Level::Error);
        assert!(errors[0].contains("CIOne: many-to-many"), "{errors:?}");
        let told = PrometheusSurvey {
            version: None,
            alert_rules: BTreeSet::from(["CIOne".to_owned(), "CITwo".to_owned()]),
            failing: Vec::new(),
            jobs: 3,
            ..told
        };
        assert_eq!(said(&told, Level::Warning), Vec::<String>::new());
    }
}
