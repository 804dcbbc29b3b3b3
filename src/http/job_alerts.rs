//! The part of a job's page about its alerts: what is pending or fires, who hears of it, and what would fire when.

use ci_history::Timestamp;
use maud::{Markup, html};

use super::alerts_page::{severity, state};
use super::context::Context;
use super::format::{ago, ahead, link, with_code};
use crate::alerting::{Alert, Check, Report, ServerReport, Threshold};

/// What Prometheus and Alertmanager told about the job.
pub(super) fn job_alerts(context: &Context, now: Timestamp) -> Markup {
    let report = context.told.job();
    html! {
        section.job-alerts {
            h2 { "Alerts" }
            @match report {
                None if context.monitor.is_none() => p.faint {
                    "Neither Prometheus nor Alertmanager is configured. Set " code { "prometheus.url" } " and " code { "alertmanager.url" }
                    ", and this page shows the alerts on the job, its thresholds and who hears of it."
                },
                None => p.faint { "The servers are asked about too many other jobs at the moment. Load the page again in some seconds." },
                Some(report) => (told(report, now)),
            }
        }
    }
}

fn told(report: &Report, now: Timestamp) -> Markup {
    let answers =
        |server: &Option<ServerReport>| server.as_ref().is_some_and(|it| it.error.is_none());
    html! {
        @for problem in report.problems() { p { bdi { (with_code(problem)) } } }
        @if !report.alerts.is_empty() { (alerts(&report.alerts, now)) }
        @else if answers(&report.prometheus) { p { span.badge.good { "✓ None" } " no alert on this job is pending or fires" } }
        @else if answers(&report.alertmanager) { p { span.badge.good { "✓ None" } " no alert on this job fires" } }
        @if !report.checks.is_empty() { (thresholds(report, now)) }
        @if report.silence_url.is_some() {
            p { (link(report.silence_url.as_deref(), &html! { "Silence all alerts on this job" })) }
        }
    }
}

fn alerts(alerts: &[Alert], now: Timestamp) -> Markup {
    html! {
        table.executions {
            thead { tr { th scope="col" { "Alert" } th scope="col" { "Severity" } th scope="col" { "State" } th scope="col" { "Since" } th scope="col" { "Goes to" } } }
            tbody { @for alert in alerts {
                tr {
                    td { (link(Some(&alert.runbook_url), &html! { bdi { (alert.name) } })) }
                    td.severity data-label="Severity" { (severity(&alert.severity)) }
                    td.states { (state(alert, now)) }
                    td data-label="Since" { (ago(Timestamp::of_clock(alert.since_timestamp_seconds), now)) }
                    td data-label="Goes to" { @if let Some(delivery) = &alert.delivery { bdi { (delivery.receivers_in_words()) } } }
                }
            } }
        }
    }
}

fn thresholds(report: &Report, now: Timestamp) -> Markup {
    html! {
        table.executions {
            caption { "Thresholds of this job, by Prometheus" }
            thead { tr { th scope="col" { "Alert" } th scope="col" { "Severity" } th scope="col" { "Fires at" } th scope="col" { "Level" } th scope="col" { "Now" } th scope="col" { "Would fire" } } }
            tbody { @for check in &report.checks {
                tr {
                    td { (check.alert) }
                    td data-label="Severity" { (check.severity) }
                    td data-label="Fires at" { (each(check, Threshold::value_in_words)) }
                    td data-label="Level" { (each(check, |it| it.level().to_owned())) }
                    td data-label="Now" { (each(check, Threshold::found_in_words)) }
                    td.states data-label="Would fire" { (would_fire(report, check, now)) }
                }
            } }
        }
    }
}

fn each(check: &Check, words: impl Fn(&Threshold) -> String) -> Markup {
    html! {
        @for (at, threshold) in check.thresholds.iter().enumerate() {
            @if at > 0 { br; }
            (with_code(&words(threshold)))
        }
    }
}

fn would_fire(report: &Report, check: &Check, now: Timestamp) -> Markup {
    let at = check.would_fire_at_timestamp_seconds;
    html! {
        @if let Some(alert) = report.active(check) { (state(alert, now)) }
        @else if check.thresholds.iter().any(Threshold::is_off) { "never: switched off" }
        @else if let Some(at) = at { (ahead(Timestamp::of_clock(at), now)) ", if nothing changes" }
        @else if check.is_reached() { span.faint { "reached: the rule has a further condition, or its next evaluation is due" } }
        @else { span.faint { "not by time alone" } }
    }
}
