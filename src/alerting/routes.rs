//! Alertmanager's routes: which receivers get an alert with these labels. As `amtool config routes test` does it.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;
use serde_yaml::Value;

use super::labels::{Labels, label};
use super::survey::Receivers;

/// The parts of a configuration that say who receives.
#[derive(Debug, Deserialize)]
pub(super) struct Routing {
    route: Route,
    #[serde(default)]
    receivers: Vec<Receiver>,
}

#[derive(Debug, Deserialize)]
struct Route {
    receiver: Option<String>,
    #[serde(default)]
    matchers: Vec<String>,
    /// The form of before 0.22.
    #[serde(default, rename = "match")]
    equal: BTreeMap<String, String>,
    #[serde(default, rename = "match_re")]
    alike: BTreeMap<String, String>,
    #[serde(default, rename = "continue")]
    goes_on: bool,
    #[serde(default)]
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
struct Receiver {
    name: String,
    #[serde(flatten)]
    integrations: BTreeMap<String, Value>,
}

impl Routing {
    /// Reads a whole configuration.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }

    /// Who receives an alert with these labels.
    pub(super) fn receivers(&self, labels: &Labels) -> Result<Receivers, String> {
        let mut named = Vec::new();
        let top = self.route.receiver.as_deref().unwrap_or_default();
        self.route.collect(labels, top, &mut named)?;
        let silent = self.receivers.iter().filter(|it| it.is_silent());
        let silent: BTreeSet<_> = silent.map(|it| it.name.clone()).collect();
        Ok(Receivers { named, silent })
    }
}

impl Receiver {
    fn is_silent(&self) -> bool {
        let mut integrations = self.integrations.values();
        !integrations.any(|list| list.as_sequence().is_some_and(|list| !list.is_empty()))
    }
}

impl Route {
    /// Adds the receivers of this route, if it matches. Returns whether it does.
    fn collect(
        &self,
        labels: &Labels,
        inherited: &str,
        named: &mut Vec<String>,
    ) -> Result<bool, String> {
        if !self.matches(labels)? {
            return Ok(false);
        }
        let receiver = self.receiver.as_deref().unwrap_or(inherited);
        let mut has_child = false;
        for child in &self.routes {
            if child.collect(labels, receiver, named)? {
                has_child = true;
                if !child.goes_on {
                    break;
                }
            }
        }
        if !has_child && !named.iter().any(|name| name == receiver) {
            named.push(receiver.to_owned());
        }
        Ok(true)
    }

    fn matches(&self, labels: &Labels) -> Result<bool, String> {
        for (name, value) in &self.equal {
            if label(labels, name) != value {
                return Ok(false);
            }
        }
        for (name, pattern) in &self.alike {
            if !is_alike(label(labels, name), pattern)? {
                return Ok(false);
            }
        }
        for matcher in &self.matchers {
            if !holds(matcher, labels)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a matcher such as `severity=~"warning|critical"` holds.
fn holds(matcher: &str, labels: &Labels) -> Result<bool, String> {
    let at = matcher.find(['=', '!']);
    let (name, rest) = matcher.split_at(at.ok_or_else(|| format!("a matcher {matcher:?}"))?);
    let found = label(labels, name.trim().trim_matches('"'));
    let operators = ["=~", "!~", "!=", "="];
    let operator = operators
        .iter()
        .find(|operator| rest.starts_with(**operator));
    let operator = operator.ok_or_else(|| format!("a matcher {matcher:?}"))?;
    let value = rest[operator.len()..].trim();
    let value = value.strip_prefix('"').unwrap_or(value);
    let value = value.strip_suffix('"').unwrap_or(value);
    let value = value.replace("\\\"", "\"").replace("\\\\", "\\");
    Ok(match *operator {
        "=" => found == value,
        "!=" => found != value,
        "=~" => is_alike(found, &value)?,
        _ => !is_alike(found, &value)?,
    })
}

fn is_alike(text: &str, pattern: &str) -> Result<bool, String> {
    let regex = Regex::new(&format!("^(?:{pattern})$"));
    Ok(regex.map_err(|error| error.to_string())?.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
route:
  receiver: chat
  routes:
    - matchers: ['alertname="CIWatchdog"']
      receiver: heartbeat
    - matchers: ['team=~"pay.*"', 'severity!="info"']
      receiver: payments
      routes:
        - matchers: [severity="critical"]
          receiver: pager
          continue: true
        - receiver: payments
    - match_re: {team: "a|b"}
      match: {severity: warning}
receivers:
  - name: chat
    webhook_configs: [{url: <secret>}]
  - name: heartbeat
  - name: pager
    pagerduty_configs: []
"#;

    fn receivers(labels: &[(&str, &str)]) -> Vec<String> {
        let labels = labels.iter();
        let labels = labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let routing = Routing::read(CONFIG).unwrap();
        routing.receivers(&labels.collect()).unwrap().named
    }

    #[test]
    fn an_alert_goes_to_the_receivers_of_the_routes_that_match() {
        let watchdog = ("alertname", "CIWatchdog");
        assert_eq!(receivers(&[watchdog]), ["heartbeat"]);
        let payments = ("team", "payments");
        assert_eq!(
            receivers(&[payments, ("severity", "critical")]),
            ["pager", "payments"]
        );
        assert_eq!(
            receivers(&[payments, ("severity", "warning")]),
            ["payments"]
        );
        assert_eq!(receivers(&[payments, ("severity", "info")]), ["chat"]);
        assert_eq!(
            receivers(&[("team", "b"), ("severity", "warning")]),
            ["chat"]
        );
    }

    #[test]
    fn a_receiver_without_any_integration_is_silent() {
        let routing = Routing::read(CONFIG).unwrap();
        let silent = routing.receivers(&Labels::new()).unwrap().silent;
        assert_eq!(silent, BTreeSet::from(["heartbeat".into(), "pager".into()]));
        assert!(Routing::read("route: [").is_err());
    }
}
