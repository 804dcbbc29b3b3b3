//! `GET /alerts` and `GET /api/v1/alerts`: what is pending or fires by Prometheus and Alertmanager, and who hears of it.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use ci_history::Timestamp;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::alert_subject::{AlertSubject, held_back};
use super::context::Context;
use super::format::{ago, ahead, link, with_code};
use super::layout::Tab;
use super::list_page::{List, ListRow};
use super::list_query::{Filter, Row};
use super::listing::address;
use super::sorting::{Column, Sorting};
use crate::alerting::{Alert, AlertState, Delivery, Overview, ServerReport};

/// All shipped alerts begin with it.
const SHIPPED: &str = "CI";

/// Severities from the worst one on. Alerts of the last one only hold others back, or are a heartbeat.
const SEVERITIES: [&str; 4] = ["critical", "warning", "info", "none"];

/// An alert of an overview.
pub(super) struct AlertListing {
    overview: Arc<Overview>,
    at: usize,
    receivers: String,
}

/// A column of the list of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AlertColumn {
    Alert,
    Severity,
    State,
    Since,
    About,
    Team,
    Receivers,
}

impl Column for AlertColumn {
    const ALL: &'static [Self] = &[
        Self::Alert,
        Self::Severity,
        Self::State,
        Self::Since,
        Self::About,
        Self::Team,
        Self::Receivers,
    ];

    fn key(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Severity => "severity",
            Self::State => "state",
            Self::Since => "since",
            Self::About => "about",
            Self::Team => "team",
            Self::Receivers => "receivers",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Alert => "Alert",
            Self::Severity => "Severity",
            Self::State => "State",
            Self::Since => "Since",
            Self::About => "About",
            Self::Team => "Team",
            Self::Receivers => "Goes to",
        }
    }

    fn descends(self) -> bool {
        self == Self::Since
    }
}

impl AlertListing {
    fn alert(&self) -> &Alert {
        &self.overview.alerts[self.at]
    }

    fn delivery(&self) -> Option<&Delivery> {
        self.alert().delivery.as_ref()
    }

    /// The worst severity first, unknown ones before the helpers.
    fn rank(&self) -> usize {
        let severity = &*self.alert().severity;
        match SEVERITIES.iter().position(|known| *known == severity) {
            Some(3) => 4,
            Some(rank) => rank,
            None => 3,
        }
    }

    fn is_helper(&self) -> bool {
        self.alert().severity == SEVERITIES[3]
    }

    /// Firing ones that somebody hears of first, pending ones last.
    fn state_rank(&self) -> usize {
        match (self.alert().state, self.alert().is_held_back()) {
            (AlertState::Firing, false) => 0,
            (AlertState::Firing, true) => 1,
            (AlertState::Pending, _) => 2,
        }
    }
}

impl Row for AlertListing {
    type Column = AlertColumn;

    const PATH: &'static str = "/alerts";
    const USUAL: AlertColumn = AlertColumn::Severity;
    const STATES: &'static [(&'static str, &'static str)] = &[
        ("firing", "firing"),
        ("pending", "pending"),
        ("told", "firing, and somebody is told"),
        ("silenced", "silenced"),
        ("inhibited", "inhibited"),
        ("muted", "muted by a time interval"),
        ("helper", "helpers, which nobody is told"),
    ];
    const FILTERS: &'static [Filter] = &[
        Filter {
            key: "severity",
            label: "Severity",
            choices: &SEVERITIES,
        },
        Filter {
            key: "team",
            label: "Team",
            choices: &[],
        },
        Filter {
            key: "project",
            label: "Project",
            choices: &[],
        },
    ];

    fn texts(&self) -> Vec<&str> {
        let alert = self.alert();
        let names = [
            "project", "ref", "track", "job_name", "schedule", "team", "instance",
        ];
        let labels = names.map(|name| alert.label(name));
        let own = [&*alert.name, &alert.summary, &self.receivers];
        own.into_iter().chain(labels).collect()
    }

    fn has_state(&self, state: &str) -> bool {
        let alert = self.alert();
        let is_firing = alert.state == AlertState::Firing;
        if state == "helper" || self.is_helper() {
            return state == "helper" && self.is_helper();
        }
        match (state, self.delivery()) {
            ("firing", _) => is_firing,
            ("pending", _) => !is_firing,
            ("told", Some(_)) => is_firing && !alert.is_held_back(),
            ("silenced", Some(delivery)) => !delivery.silences.is_empty(),
            ("inhibited", Some(delivery)) => !delivery.inhibited_by.is_empty(),
            ("muted", Some(delivery)) => !delivery.muted_by.is_empty(),
            _ => false,
        }
    }

    fn is_usual(&self) -> bool {
        !self.is_helper()
    }

    fn value(&self, key: &str) -> Option<&str> {
        let alert = self.alert();
        Some(match key {
            "severity" => &alert.severity,
            key => alert.label(key),
        })
    }

    fn compare(&self, other: &Self, sorting: Sorting<AlertColumn>) -> Ordering {
        let (a, b) = (self.alert(), other.alert());
        let known = |text| Some(text).filter(|text: &&str| !text.is_empty());
        match sorting.column {
            AlertColumn::Alert => sorting.compare(&a.name, &b.name),
            AlertColumn::Severity => sorting
                .compare(&self.rank(), &other.rank())
                .then_with(|| self.state_rank().cmp(&other.state_rank())),
            AlertColumn::State => sorting.compare(&self.state_rank(), &other.state_rank()),
            AlertColumn::Since => {
                sorting.compare(&a.since_timestamp_seconds, &b.since_timestamp_seconds)
            }
            AlertColumn::About => {
                let project = |alert| known(AlertSubject::of(alert).project);
                sorting.compare_known(project(a), project(b))
            }
            AlertColumn::Team => {
                sorting.compare_known(known(a.label("team")), known(b.label("team")))
            }
            AlertColumn::Receivers => {
                sorting.compare_known(known(&self.receivers), known(&other.receivers))
            }
        }
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        let (a, b) = (self.alert(), other.alert());
        (&a.name, &a.labels).cmp(&(&b.name, &b.labels))
    }
}

impl ListRow for AlertListing {
    const TITLE: &'static str = "Alerts";
    const NAME: &'static str = "alerts";
    const SEARCHED: &'static str = "Alert, job, project, ref, team or receiver";
    const NO_MATCH: &'static str = "No alert matches.";

    fn none() -> Markup {
        html! { "No alert is known." }
    }

    fn json(&self) -> Value {
        let alert = self.alert();
        let mut value = json!(alert);
        let links = [
            ("page", AlertSubject::of(alert).page()),
            ("silence_url", self.overview.silence_url(alert)),
            ("alertmanager_url", self.overview.alertmanager_url(alert)),
        ];
        for (name, url) in links {
            value[name] = json!(url);
        }
        value
    }

    fn markup(&self, now: Timestamp) -> Markup {
        alert_row(self, now)
    }
}

impl List for AlertListing {
    const TAB: Tab = Tab::Alerts;

    fn all(context: &Context, _: Timestamp) -> Vec<Self> {
        let Some(overview) = context.told.alerts() else {
            return Vec::new();
        };
        let projects = context.status.projects();
        let watched: HashSet<&str> = projects.iter().map(|project| &*project.path).collect();
        let alerts = overview.alerts.iter().enumerate();
        let ours = alerts.filter(|(_, alert)| is_ours(alert, &watched));
        ours.map(|(at, alert)| Self {
            overview: overview.clone(),
            at,
            receivers: alert
                .delivery
                .as_ref()
                .map_or(String::new(), Delivery::receivers_in_words),
        })
        .collect()
    }

    fn about(context: &Context, _: Timestamp) -> Markup {
        about(context.told.alerts().map(|overview| &**overview))
    }

    fn about_in_json(context: &Context, _: Timestamp) -> Map<String, Value> {
        let overview = context.told.alerts();
        let of = |server: Option<&ServerReport>| json!(server);
        let servers = [
            (
                "prometheus",
                of(overview.and_then(|it| it.prometheus.as_ref())),
            ),
            (
                "alertmanager",
                of(overview.and_then(|it| it.alertmanager.as_ref())),
            ),
        ];
        servers
            .map(|(name, server)| (name.to_owned(), server))
            .into_iter()
            .collect()
    }
}

/// Whether an alert is about this exporter, or what it watches. One Prometheus may have alerts of many kinds and exporters.
fn is_ours(alert: &Alert, watched: &HashSet<&str>) -> bool {
    let subject = AlertSubject::of(alert);
    if subject.is_within_project() {
        watched.contains(subject.project)
    } else {
        alert.name.starts_with(SHIPPED)
    }
}

/// Which servers were asked, and which of them do not tell.
fn about(overview: Option<&Overview>) -> Markup {
    let servers = [
        (
            "Prometheus",
            "prometheus.url",
            "which alerts are pending or fire",
            "alerts",
        ),
        (
            "Alertmanager",
            "alertmanager.url",
            "what is silenced, and who gets it",
            "#/alerts",
        ),
    ];
    html! {
        @for (name, key, tells, path) in servers {
            @let server = overview.and_then(|it| if name == "Prometheus" { it.prometheus.as_ref() } else { it.alertmanager.as_ref() });
            @match server {
                None => p.stale { b { (name) " is not configured." } " Set " code { (key) } " to its address, and this page shows " (tells) ". Until then look into " (name) " itself." },
                Some(ServerReport { error: Some(error), .. }) => p.stale role="status" { b { (name) " does not tell " (tells) "." } " " bdi { (with_code(error)) } },
                Some(ServerReport { url, .. }) => p.more { (name) " tells " (tells) ": " (link(Some(&format!("{url}/{path}")), &html! { bdi { (url) } })) },
            }
        }
    }
}

fn alert_row(listing: &AlertListing, now: Timestamp) -> Markup {
    let alert = listing.alert();
    let since = Timestamp::of_clock(alert.since_timestamp_seconds);
    let silence = listing.overview.silence_url(alert);
    let there = listing.overview.alertmanager_url(alert);
    let team = alert.label("team");
    html! {
        tr {
            th.name scope="row" {
                bdi { (alert.name) }
                @if !alert.summary.is_empty() { small { bdi { (alert.summary) } } }
                small.links {
                    @for (url, words) in [(Some(&alert.runbook_url), "Runbook"), (silence.as_ref(), "Silence"), (there.as_ref(), "Alertmanager")] {
                        @if let Some(url) = url.filter(|url| !url.is_empty()) { (link(Some(url), &html! { (words) })) " " }
                    }
                }
            }
            td.severity data-label="Severity" { (severity(&alert.severity)) }
            td.states { (state(alert, now)) }
            td data-label="Since" { (ago(since, now)) }
            td.place { (AlertSubject::of(alert).markup(alert)) }
            td.team data-label="Team" { @if !team.is_empty() { a href=(address("/", &[("team", team)])) { bdi { (team) } } } }
            td data-label="Goes to" { @if let Some(delivery) = &alert.delivery { bdi { (delivery.receivers_in_words()) } } }
        }
    }
}

pub(super) fn severity(severity: &str) -> Markup {
    html! {
        @match severity {
            "critical" => span.badge.failing { "✕ critical" },
            "warning" => span.badge.waiting { "! warning" },
            other => span.badge { (other) },
        }
    }
}

/// Pending or firing, and what holds it back.
pub(super) fn state(alert: &Alert, now: Timestamp) -> Markup {
    let time = |at: Option<i64>| at.map(Timestamp::of_clock);
    html! {
        @match alert.state {
            AlertState::Pending => {
                span.badge { "… Pending" }
                @if let Some(at) = time(alert.fires_at_timestamp_seconds) { small { "fires " (ahead(at, now)) } }
            },
            AlertState::Firing => {
                span.badge.bad { "✕ Firing" }
                @if let Some(at) = time(alert.ends_at_timestamp_seconds) { small { "ends " (ahead(at, now)) } }
            },
        }
        @if let Some(delivery) = &alert.delivery { @for words in held_back(delivery) { " " (words) } }
    }
}
