//! The exporter's own metrics read back, for the status page: page and `/metrics` cannot disagree.

use ci_history::Timestamp;
use prometheus::core::Collector;
use prometheus::proto::{Metric, MetricType};

use super::limits::Limit;
use super::telemetry::Telemetry;
use super::webhooks::WebhookResult;
use crate::base::api::CircuitState;
use crate::base::label::Label as _;

/// What the metrics of these names have now. `None`: there is no sample.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the HELP lines of the metrics describe them")]
pub struct OwnFigures {
    pub version: String,
    pub revision: String,
    pub api_budget_remaining: Option<u64>,
    pub api_needed_requests_per_second: Option<f64>,
    pub circuit_breaker: CircuitState,
    pub token_scopes: Vec<String>,
    pub token_expiry: Option<Timestamp>,
    pub timelines: u64,
    pub jobs: u64,
    pub series: u64,
    pub unsaved_timelines: u64,
    pub last_successful_save: Option<Timestamp>,
    pub failed_saves: u64,
    pub documents_set_aside: u64,
    pub conditional_writes: Option<bool>,
    /// Events by result, over all kinds.
    pub webhooks: Vec<(WebhookResult, u64)>,
    pub limit_reached: Vec<(Limit, u64)>,
    pub config_last_load_successful: Option<bool>,
    pub config_last_load: Option<Timestamp>,
    pub web_config_last_load_successful: Option<bool>,
    /// Whether a clock is suspect.
    pub clock_suspect: bool,
}

impl Telemetry {
    /// The figures of this moment.
    pub fn own_figures(&self) -> OwnFigures {
        let build = samples(&self.build_info).into_iter().next();
        let build = build.map(|sample| sample.labels).unwrap_or_default();
        let of_build = |name: &str| label(&build, name).to_owned();
        let states = samples(&self.circuit);
        let state = states.iter().find(|sample| sample.value > 0.0);
        let state = state.map_or("", |sample| label(&sample.labels, "state"));
        let circuit = CircuitState::ALL.iter().find(|it| it.as_str() == state);
        let scopes = samples(&self.token_scopes).into_iter();
        OwnFigures {
            version: of_build("version"),
            revision: of_build("revision"),
            api_budget_remaining: single(&self.api_budget).map(whole),
            api_needed_requests_per_second: single(&self.api_needed),
            circuit_breaker: circuit.copied().unwrap_or(CircuitState::Closed),
            token_scopes: scopes
                .map(|sample| label(&sample.labels, "scope").to_owned())
                .collect(),
            token_expiry: single(&self.token_expiry).and_then(time),
            timelines: whole(single(&self.timelines).unwrap_or_default()),
            jobs: whole(single(&self.jobs).unwrap_or_default()),
            series: whole(single(&self.series).unwrap_or_default()),
            unsaved_timelines: whole(single(&self.unsaved).unwrap_or_default()),
            last_successful_save: single(&self.saved).and_then(time),
            failed_saves: by_label(&self.saves, "result", "failure"),
            documents_set_aside: self.quarantined.get(),
            conditional_writes: single(&self.conditional).map(|honoured| honoured > 0.0),
            webhooks: WebhookResult::ALL
                .iter()
                .map(|it| (*it, by_label(&self.webhooks, "result", it.as_str())))
                .collect(),
            limit_reached: Limit::ALL
                .iter()
                .map(|it| (*it, by_label(&self.limits, "limit", it.as_str())))
                .collect(),
            config_last_load_successful: single(&self.config_ok).map(|ok| ok > 0.0),
            config_last_load: single(&self.config_loaded).and_then(time),
            web_config_last_load_successful: single(&self.web_config_ok).map(|ok| ok > 0.0),
            clock_suspect: samples(&self.clock_suspect).iter().any(|it| it.value > 0.0),
        }
    }
}

struct Sample {
    labels: Vec<(String, String)>,
    value: f64,
}

fn samples(metric: &impl Collector) -> Vec<Sample> {
    let families = metric.collect();
    let samples = families.iter().flat_map(|family| {
        let kind = family.get_field_type();
        let metrics = family.get_metric().iter();
        metrics.map(move |metric| Sample {
            labels: labels(metric),
            value: match kind {
                MetricType::COUNTER => metric.get_counter().get_value(),
                _ => metric.get_gauge().get_value(),
            },
        })
    });
    samples.collect()
}

fn labels(metric: &Metric) -> Vec<(String, String)> {
    let pairs = metric.get_label().iter();
    pairs
        .map(|pair| (pair.name().to_owned(), pair.value().to_owned()))
        .collect()
}

fn label<'a>(labels: &'a [(String, String)], name: &str) -> &'a str {
    let found = labels.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value)
}

/// The value of a family without labels.
fn single(metric: &impl Collector) -> Option<f64> {
    samples(metric).first().map(|sample| sample.value)
}

/// The sum over all samples with this label.
fn by_label(metric: &impl Collector, name: &str, value: &str) -> u64 {
    let samples = samples(metric);
    let fitting = samples
        .iter()
        .filter(|sample| label(&sample.labels, name) == value);
    whole(fitting.map(|sample| sample.value).sum())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole numbers, clamped to what fits"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
fn time(value: f64) -> Option<Timestamp> {
    Timestamp::from_unix(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Build;

    #[test]
    fn the_figures_are_those_of_the_metrics() {
        let telemetry = Telemetry::new(Build {
            version: "1.2.3",
            revision: "abc",
        })
        .unwrap();
        let at = Timestamp::from_unix(1_700_000_000).unwrap();
        let fresh = telemetry.own_figures();
        assert_eq!((&*fresh.version, &*fresh.revision), ("1.2.3", "abc"));
        assert_eq!(fresh.last_successful_save, None);
        assert_eq!(fresh.config_last_load_successful, None);
        assert_eq!(fresh.circuit_breaker, CircuitState::Closed);
        telemetry.state_saved(at);
        telemetry.config_loaded(at);
        telemetry.config_refused();
        telemetry.circuit_breaker(CircuitState::Open);
        telemetry.token_scopes(&["read_api".to_owned()]);
        telemetry.limit_reached(Limit::JobsPerRef, 7);
        telemetry.webhook("job", WebhookResult::Taken);
        telemetry.webhook("pipeline", WebhookResult::Taken);
        telemetry.document_quarantined();
        let figures = telemetry.own_figures();
        assert_eq!(figures.last_successful_save, Some(at));
        assert_eq!(figures.config_last_load, Some(at));
        assert_eq!(figures.config_last_load_successful, Some(false));
        assert_eq!(figures.circuit_breaker, CircuitState::Open);
        assert_eq!(figures.token_scopes, ["read_api"]);
        assert_eq!(figures.documents_set_aside, 1);
        assert!(figures.limit_reached.contains(&(Limit::JobsPerRef, 7)));
        assert!(figures.webhooks.contains(&(WebhookResult::Taken, 2)));
    }
}
