//! The conclusion on each alert, in one sentence.

use super::alertmanager::Delivery;
use super::labels::{Labels, label};
use super::report::{Alert, AlertState, Report};
use super::thresholds::{Check, Threshold};
use crate::base::human::{minute, span};

/// On an alert that is pending or fires.
pub(super) fn active(alert: &Alert, report: &Report, now: i64) -> String {
    let since = minute(alert.since_timestamp_seconds);
    let (name, severity) = (&alert.name, &alert.severity);
    if alert.state == AlertState::Pending {
        let fires_at = alert.fires_at_timestamp_seconds.unwrap_or(now);
        let left = seconds(fires_at.saturating_sub(now));
        let all = seconds(fires_at.saturating_sub(alert.since_timestamp_seconds));
        return format!(
            "{name} ({severity}) is pending for {left} more: its condition holds since {since}, and has to \
             hold for {all}."
        );
    }
    let kept = match alert.ends_at_timestamp_seconds {
        Some(end) => format!(
            ", though its condition does not hold any more: it ends in {}",
            seconds(end.saturating_sub(now))
        ),
        None => String::new(),
    };
    let delivery = match &alert.delivery {
        Some(delivery) => delivered(delivery),
        None if report.is_told_by_alertmanager() => {
            "; Alertmanager does not have it: look at `alerting` in Prometheus' configuration, and at the \
             log of Prometheus"
                .to_owned()
        }
        None => String::new(),
    };
    format!("{name} ({severity}) fires since {since}{kept}{delivery}.")
}

fn delivered(delivery: &Delivery) -> String {
    let mut held_back = Vec::new();
    for silence in &delivery.silences {
        held_back.push(format!(
            "silenced until {} by {} ({}; silence {})",
            minute(silence.until),
            silence.author,
            silence.comment,
            silence.id
        ));
    }
    held_back.extend(delivery.inhibited_by.iter().map(inhibited));
    let muted = delivery.muted_by.iter();
    held_back.extend(muted.map(|interval| format!("muted by the time interval {interval}")));
    if held_back.is_empty() {
        return format!(", and goes to {}", delivery.receivers_in_words());
    }
    format!(", but is {}", held_back.join(", and "))
}

fn inhibited(by: &Labels) -> String {
    let of = |name: &str| label(by, name);
    let severity = of("severity");
    let job = match of("job_name") {
        "" => String::new(),
        job => format!(" of {job}"),
    };
    format!("inhibited by {} ({severity}){job}", of("alertname"))
}

/// On an alert that is neither pending nor fires.
pub(super) fn quiet(check: &Check) -> String {
    let Check {
        alert,
        severity,
        thresholds,
        ..
    } = check;
    let start = format!("{alert} ({severity})");
    if let Some(off) = thresholds.iter().find(|it| it.is_off()) {
        return format!("{start} is switched off: the threshold is {}.", off.words());
    }
    let compared: Vec<_> = thresholds.iter().map(compared).collect();
    let remark = if !thresholds.iter().all(Threshold::is_in_use) {
        "; the threshold does not hold for the job as it is now"
    } else if check.is_reached() {
        "; the rule has a further condition, or its next evaluation is due"
    } else {
        ""
    };
    format!("{start} does not fire: {}{remark}.", compared.join("; "))
}

fn compared(threshold: &Threshold) -> String {
    format!(
        "{}, the threshold is {}",
        threshold.found_in_words(),
        threshold.words()
    )
}

fn seconds(span_seconds: i64) -> String {
    span(span_seconds as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_600_600;

    fn alert(state: AlertState, ends_at: Option<i64>) -> Alert {
        Alert {
            name: "CIJobFlaky".to_owned(),
            severity: "info".to_owned(),
            labels: Labels::new(),
            summary: String::new(),
            state,
            since_timestamp_seconds: NOW - 100,
            fires_at_timestamp_seconds: (state == AlertState::Pending).then_some(NOW + 40),
            ends_at_timestamp_seconds: ends_at,
            runbook_url: String::new(),
            silence_url: String::new(),
            delivery: None,
        }
    }

    #[test]
    fn an_alert_is_concluded_on_by_its_state() {
        let report = Report::default();
        for (alert, words) in [
            (
                alert(AlertState::Pending, None),
                "CIJobFlaky (info) is pending for 40 s more: its condition holds since 2026-01-05 08:08, and \
                 has to hold for 2 min 20 s.",
            ),
            (
                alert(AlertState::Firing, Some(NOW + 90)),
                "CIJobFlaky (info) fires since 2026-01-05 08:08, though its condition does not hold any \
                 more: it ends in 1 min 30 s.",
            ),
        ] {
            assert_eq!(active(&alert, &report, NOW), words);
        }
    }

    #[test]
    fn a_receiver_that_time_mutes_is_told() {
        let delivery = Delivery {
            receivers: vec!["team-research".to_owned()],
            silences: Vec::new(),
            inhibited_by: Vec::new(),
            muted_by: vec!["nights".to_owned()],
        };
        assert_eq!(
            delivered(&delivery),
            ", but is muted by the time interval nights"
        );
    }
}
