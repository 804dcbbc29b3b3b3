//! The fields of the operator's objects that are used here, as its API has them. Any other field is a mistake.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// `PrometheusRule`, `monitoring.coreos.com/v1`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrometheusRuleSpec {
    groups: Vec<RuleGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleGroup {
    name: String,
    interval: Option<String>,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    #[serde(rename = "for")]
    hold: Option<String>,
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl PrometheusRuleSpec {
    /// The rules that the operator's admission webhook checks.
    pub(super) fn check(&self) {
        let names: BTreeSet<_> = self.groups.iter().map(|group| &group.name).collect();
        assert_eq!(names.len(), self.groups.len(), "{names:?}");
        for group in &self.groups {
            group.interval.iter().for_each(|time| duration(time));
            for rule in &group.rules {
                assert!(!rule.expr.trim().is_empty());
                assert_ne!(rule.record.is_some(), rule.alert.is_some());
                assert!(rule.alert.is_some() || rule.annotations.is_empty());
                // An empty label of an alert takes off one of its expression.
                assert!(rule.alert.is_some() || rule.labels.values().all(|it| !it.is_empty()));
                let times = rule.hold.iter().chain(&rule.keep_firing_for);
                times.for_each(|time| duration(time));
            }
        }
    }
}

/// `AlertmanagerConfig`, `monitoring.coreos.com/v1alpha1`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AlertmanagerConfigSpec {
    route: Route,
    receivers: Vec<Receiver>,
    inhibit_rules: Vec<InhibitRule>,
    #[serde(default)]
    mute_time_intervals: Vec<MuteTimeInterval>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Route {
    receiver: Option<String>,
    #[serde(default)]
    group_by: Vec<String>,
    group_wait: Option<String>,
    group_interval: Option<String>,
    repeat_interval: Option<String>,
    #[serde(default)]
    matchers: Vec<Matcher>,
    #[serde(default, rename = "continue")]
    _continues: bool,
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    mute_time_intervals: Vec<String>,
    #[serde(default)]
    active_time_intervals: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Matcher {
    name: String,
    #[serde(rename = "matchType")]
    _match_type: MatchType,
    #[serde(rename = "value")]
    _value: String,
}

#[derive(Deserialize)]
enum MatchType {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "=~")]
    Regex,
    #[serde(rename = "!~")]
    NotRegex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Receiver {
    name: String,
    #[serde(default)]
    webhook_configs: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Webhook {
    url: String,
    #[serde(rename = "sendResolved")]
    _send_resolved: Option<bool>,
    #[serde(rename = "maxAlerts")]
    _max_alerts: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct InhibitRule {
    source_match: Vec<Matcher>,
    target_match: Vec<Matcher>,
    #[serde(default)]
    equal: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MuteTimeInterval {
    name: String,
    time_intervals: Vec<TimeInterval>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TimeInterval {
    #[serde(default)]
    times: Vec<TimeRange>,
    #[serde(default)]
    weekdays: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TimeRange {
    start_time: String,
    end_time: String,
}

impl AlertmanagerConfigSpec {
    /// Names lead to something, and times are times.
    pub(super) fn check(&self) {
        let receivers: BTreeSet<_> = self.receivers.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(receivers.len(), self.receivers.len());
        for hook in self.receivers.iter().flat_map(|it| &it.webhook_configs) {
            assert!(hook.url.starts_with("http"), "{}", hook.url);
        }
        let intervals: BTreeSet<_> = self
            .mute_time_intervals
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        for interval in self
            .mute_time_intervals
            .iter()
            .flat_map(|it| &it.time_intervals)
        {
            assert!(!interval.weekdays.is_empty() || !interval.times.is_empty());
            for range in &interval.times {
                for time in [&range.start_time, &range.end_time] {
                    assert!(time.len() == 5 && time.as_bytes()[2] == b':', "{time}");
                }
            }
        }
        self.route.check(&receivers, &intervals);
        for rule in &self.inhibit_rules {
            let all = || rule.source_match.iter().chain(&rule.target_match);
            assert!(!rule.source_match.is_empty() && !rule.target_match.is_empty());
            all().for_each(Matcher::check);
            assert!(
                !rule.equal.is_empty(),
                "an inhibition without `equal` holds everything back"
            );
        }
    }
}

impl Route {
    fn check(&self, receivers: &BTreeSet<&str>, intervals: &BTreeSet<&str>) {
        let receiver = self.receiver.as_deref();
        assert!(
            receiver.is_none_or(|name| receivers.contains(name)),
            "{receiver:?}"
        );
        let labels: BTreeSet<_> = self.group_by.iter().collect();
        assert_eq!(labels.len(), self.group_by.len(), "a label is repeated");
        let times = [
            &self.group_wait,
            &self.group_interval,
            &self.repeat_interval,
        ];
        times.into_iter().flatten().for_each(|time| duration(time));
        for name in self
            .mute_time_intervals
            .iter()
            .chain(&self.active_time_intervals)
        {
            assert!(intervals.contains(name.as_str()), "{name}");
        }
        self.matchers.iter().for_each(Matcher::check);
        for route in &self.routes {
            route.check(receivers, intervals);
        }
    }
}

impl Matcher {
    fn check(&self) {
        assert!(!self.name.is_empty());
    }
}

/// A duration of Prometheus.
#[track_caller]
fn duration(text: &str) {
    let pattern = regex::Regex::new("^(0|([0-9]+(ms|[ywdhms]))+)$").unwrap();
    assert!(pattern.is_match(text), "{text}");
}
