//! The exporter's own metrics, on the `prometheus` crate.

use std::time::Duration;

use ci_history::Timestamp;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, Result, TextEncoder,
};

use super::families::{Described, Kind};
use super::webhooks::WebhookResult;
use crate::base::api::{CircuitState, Endpoint};
use crate::base::label::Label as _;

macro_rules! own {
    ($($row:ident: $kind:ident $name:literal, [$($label:literal),*], $help:literal;)+) => {
        $(const $row: Described = Described {
            name: concat!("job_failure_exporter_", $name),
            kind: Kind::$kind,
            help: $help,
            labels: &[$($label),*],
        };)+
        /// The families of the exporter's own, but those of the process.
        pub(super) const OWN: &[Described] = &[$($row),+];
    };
}

own! {
    BUILD_INFO: Gauge "build_info", ["version", "revision"],
        "Always 1; the version and the commit that this program was built from.";
    API_REQUESTS: Counter "api_requests_total", ["endpoint", "code"],
        "Requests to the GitLab API, by endpoint and class of the status; `error` for no answer.";
    API_SECONDS: Histogram "api_request_duration_seconds", ["endpoint"],
        "How long requests to the GitLab API took until the answer was read.";
    API_RETRIES: Counter "api_retries_total", [],
        "Requests to the GitLab API that repeated one that had failed.";
    API_BUDGET: Gauge "api_budget_remaining", [],
        "Requests that GitLab still allows in the current period of its rate limit, as it said last.";
    POLLS: Counter "polls_total", ["result"],
        "Polls of a project, by result.";
    REJECTED: Counter "records_rejected_total", ["kind", "reason"],
        "Records of GitLab that were left out as invalid, by kind and reason.";
    TIMELINES: Gauge "timelines", [],
        "Refs of projects that are exposed.";
    JOBS: Gauge "jobs", [],
        "Jobs that are exposed, over all refs.";
    SERIES: Gauge "series", [],
        "Series that are exposed of jobs, pipelines, projects and schedules.";
    SAVES: Counter "state_saves_total", ["result"],
        "Saves of a timeline's state, by result.";
    SAVED: Gauge "state_last_successful_save_timestamp_seconds", [],
        "When state was last saved without an error.";
    SET_ASIDE: Counter "state_documents_set_aside_total", [],
        "State documents that could not be read and were moved aside.";
    UNSAVED: Gauge "state_unsaved_timelines", [],
        "Timelines that changed since they were saved.";
    CONFLICTS: Counter "state_conflicts_total", [],
        "Saves that met a document of another replica, and were merged with it.";
    CONDITIONAL: Gauge "state_conditional_writes", [],
        "1 if the S3 store honours conditional writes; 0 if it ignores them, and of two replicas the last to write wins.";
    CLOCK_OFFSET: Gauge "gitlab_clock_offset_seconds", [],
        "How far GitLab's clock is ahead of this machine's.";
    LOG_READS: Counter "log_reads_total", ["result"],
        "Logs of failing jobs that were asked for, by result: read, missing in GitLab, or failed.";
    LOGS_WAITING: Gauge "logs_waiting", [],
        "Failing jobs whose logs wait to be read.";
    WEBHOOKS: Counter "webhook_events_total", ["kind", "result"],
        "Webhooks of GitLab by kind (job, pipeline, other) and what became of them.";
    CIRCUIT: Gauge "circuit_breaker_state", ["state"],
        "1 for the state that the circuit breaker of GitLab is in (closed, half_open, open), else 0.";
    TOKEN_EXPIRY: Gauge "gitlab_token_expiry_timestamp_seconds", [],
        "When the GitLab token ends; absent if it never does, or if GitLab does not say.";
    TOKEN_SCOPES: Gauge "gitlab_token_scope", ["scope"],
        "Always 1, for each scope of the GitLab token; absent if GitLab does not say.";
    CONFIG_OK: Gauge "config_last_load_successful", [],
        "1 if the last attempt to load the configuration succeeded, else 0.";
    CONFIG_LOADED: Gauge "config_last_load_success_timestamp_seconds", [],
        "When the configuration in force was loaded.";
}

/// What this program was built from.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    /// The crate's version.
    pub version: &'a str,
    /// Commit; `unknown` outside a checkout.
    pub revision: &'a str,
}

/// The exporter's own metrics. Clones share them.
///
/// A gauge that was never set has no sample: none of them starts with a made-up zero.
#[derive(Clone)]
pub struct Telemetry {
    registry: Registry,
    api_requests: IntCounterVec,
    api_seconds: HistogramVec,
    api_retries: IntCounter,
    api_budget: IntGaugeVec,
    polls: IntCounterVec,
    rejected: IntCounterVec,
    timelines: IntGauge,
    jobs: IntGauge,
    series: IntGauge,
    saves: IntCounterVec,
    saved: IntGaugeVec,
    set_aside: IntCounter,
    unsaved: IntGauge,
    conflicts: IntCounter,
    conditional: IntGaugeVec,
    clock_offset: GaugeVec,
    log_reads: IntCounterVec,
    logs_waiting: IntGauge,
    webhooks: IntCounterVec,
    circuit: IntGaugeVec,
    token_expiry: IntGaugeVec,
    token_scopes: IntGaugeVec,
    config_ok: IntGaugeVec,
    config_loaded: IntGaugeVec,
}

/// What became of a log that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogRead {
    /// Its end was read.
    Read,
    /// GitLab has none.
    Missing,
    /// GitLab did not answer, or refused.
    Failed,
}

impl LogRead {
    const ALL: [Self; 3] = [Self::Read, Self::Missing, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

const SUCCESS: &str = "success";
const FAILURE: &str = "failure";

/// From a quick answer of a near GitLab to the default timeout and beyond.
const SECONDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Telemetry {
    /// All metrics in a registry of their own, known label values at zero.
    ///
    /// # Errors
    /// Fails only if two families have the same name.
    pub fn new(build: Build<'_>) -> Result<Self> {
        let registry = Registry::new();
        let r = &registry;
        let telemetry = Self {
            api_requests: registered(
                r,
                IntCounterVec::new(opts(API_REQUESTS), API_REQUESTS.labels),
            )?,
            api_seconds: registered(r, seconds(API_SECONDS))?,
            api_retries: registered(r, IntCounter::with_opts(opts(API_RETRIES)))?,
            api_budget: registered(r, int_gauges(API_BUDGET))?,
            polls: registered(r, IntCounterVec::new(opts(POLLS), POLLS.labels))?,
            rejected: registered(r, IntCounterVec::new(opts(REJECTED), REJECTED.labels))?,
            timelines: registered(r, IntGauge::with_opts(opts(TIMELINES)))?,
            jobs: registered(r, IntGauge::with_opts(opts(JOBS)))?,
            series: registered(r, IntGauge::with_opts(opts(SERIES)))?,
            saves: registered(r, IntCounterVec::new(opts(SAVES), SAVES.labels))?,
            saved: registered(r, int_gauges(SAVED))?,
            set_aside: registered(r, IntCounter::with_opts(opts(SET_ASIDE)))?,
            unsaved: registered(r, IntGauge::with_opts(opts(UNSAVED)))?,
            conflicts: registered(r, IntCounter::with_opts(opts(CONFLICTS)))?,
            conditional: registered(r, int_gauges(CONDITIONAL))?,
            clock_offset: registered(r, GaugeVec::new(opts(CLOCK_OFFSET), CLOCK_OFFSET.labels))?,
            log_reads: registered(r, IntCounterVec::new(opts(LOG_READS), LOG_READS.labels))?,
            logs_waiting: registered(r, IntGauge::with_opts(opts(LOGS_WAITING)))?,
            webhooks: registered(r, IntCounterVec::new(opts(WEBHOOKS), WEBHOOKS.labels))?,
            circuit: registered(r, int_gauges(CIRCUIT))?,
            token_expiry: registered(r, int_gauges(TOKEN_EXPIRY))?,
            token_scopes: registered(r, int_gauges(TOKEN_SCOPES))?,
            config_ok: registered(r, int_gauges(CONFIG_OK))?,
            config_loaded: registered(r, int_gauges(CONFIG_LOADED))?,
            registry,
        };
        telemetry.start(build)?;
        Ok(telemetry)
    }

    fn start(&self, build: Build<'_>) -> Result<()> {
        let info = registered(&self.registry, int_gauges(BUILD_INFO))?;
        info.with_label_values(&[build.version, build.revision])
            .set(1);
        self.registry
            .register(Box::new(ProcessCollector::for_self()))?;
        self.circuit_breaker(CircuitState::Closed);
        for result in LogRead::ALL {
            self.log_reads.with_label_values(&[result.as_str()]);
        }
        for result in [SUCCESS, FAILURE] {
            self.polls.with_label_values(&[result]);
            self.saves.with_label_values(&[result]);
        }
        Ok(())
    }

    /// A request to the GitLab API ended; `code` is the class of its status (`2xx`, .. or `error`).
    pub fn api_request(&self, endpoint: Endpoint, code: &str, took: Duration) {
        let endpoint = endpoint.as_str();
        self.api_requests.with_label_values(&[endpoint, code]).inc();
        let seconds = self.api_seconds.with_label_values(&[endpoint]);
        seconds.observe(took.as_secs_f64());
    }

    /// A request is repeated.
    pub fn api_retry(&self) {
        self.api_retries.inc();
    }

    /// GitLab said how many requests it still allows.
    pub fn api_budget_remaining(&self, requests: u64) {
        self.api_budget
            .with_label_values(NONE)
            .set(clamped(requests));
    }

    /// A record of the kind (`pipeline`, `job`, ..) was left out.
    pub fn record_rejected(&self, kind: &str, reason: &str) {
        self.rejected.with_label_values(&[kind, reason]).inc();
    }

    /// A timeline's state was saved.
    pub fn state_saved(&self, at: Timestamp) {
        self.saves.with_label_values(&[SUCCESS]).inc();
        self.saved.with_label_values(NONE).set(at.unix());
    }

    /// Saving a timeline's state failed.
    pub fn state_save_failed(&self) {
        self.saves.with_label_values(&[FAILURE]).inc();
    }

    /// A state document was moved aside.
    pub fn document_set_aside(&self) {
        self.set_aside.inc();
    }

    /// So many timelines wait to be saved.
    pub fn unsaved_timelines(&self, count: usize) {
        self.unsaved.set(clamped(count as u64));
    }

    /// Documents of another replica were in the way of a save so many times.
    pub fn state_conflicts(&self, count: u32) {
        self.conflicts.inc_by(count.into());
    }

    /// A log was asked for.
    pub fn log_read(&self, result: LogRead) {
        self.log_reads.with_label_values(&[result.as_str()]).inc();
    }

    /// So many logs wait to be read.
    pub fn logs_waiting(&self, count: usize) {
        self.logs_waiting.set(clamped(count as u64));
    }

    /// Whether the S3 store honours conditional writes.
    pub fn state_conditional_writes(&self, honoured: bool) {
        self.conditional
            .with_label_values(NONE)
            .set(honoured.into());
    }

    /// GitLab's clock is ahead by so many seconds.
    pub fn clock_offset(&self, seconds: f64) {
        self.clock_offset.with_label_values(NONE).set(seconds);
    }

    /// Webhooks of these kinds may come.
    pub fn webhooks_expected(&self, kinds: &[&str]) {
        for kind in kinds {
            for result in WebhookResult::ALL {
                self.webhooks.with_label_values(&[kind, result.as_str()]);
            }
        }
    }

    /// A webhook came.
    pub fn webhook(&self, kind: &str, result: WebhookResult) {
        let labels = [kind, result.as_str()];
        self.webhooks.with_label_values(&labels).inc();
    }

    /// The circuit breaker came to this state.
    pub fn circuit_breaker(&self, state: CircuitState) {
        for known in CircuitState::ALL {
            let gauge = self.circuit.with_label_values(&[known.as_str()]);
            gauge.set((*known == state).into());
        }
    }

    /// Whether requests go to GitLab as usual.
    pub fn circuit_is_closed(&self) -> bool {
        self.circuit
            .with_label_values(&[CircuitState::Closed.as_str()])
            .get()
            == 1
    }

    /// When the GitLab token ends; `None`: never.
    pub fn token_expiry(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.token_expiry.with_label_values(NONE).set(at.unix()),
            None => self.token_expiry.reset(),
        }
    }

    /// What the GitLab token may do.
    pub fn token_scopes(&self, scopes: &[String]) {
        self.token_scopes.reset();
        for scope in scopes {
            self.token_scopes.with_label_values(&[scope]).set(1);
        }
    }

    /// A configuration came into force.
    pub fn config_loaded(&self, at: Timestamp) {
        self.config_ok.with_label_values(NONE).set(1);
        self.config_loaded.with_label_values(NONE).set(at.unix());
    }

    pub(super) fn polls(&self, success: bool) -> IntCounter {
        let result = if success { SUCCESS } else { FAILURE };
        self.polls.with_label_values(&[result])
    }

    pub(super) fn exposed(&self, timelines: u64, jobs: u64, series: u64) {
        self.timelines.set(clamped(timelines));
        self.jobs.set(clamped(jobs));
        self.series.set(clamped(series));
    }

    /// All of them in the text format.
    pub(super) fn text(&self) -> String {
        let families = self.registry.gather();
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "the exporter's own metrics are left out of this scrape");
                String::new()
            })
    }
}

/// No label values. A family without labels is still a vector where it may have no sample.
const NONE: &[&str] = &[];

fn registered<T: Collector + Clone + 'static>(registry: &Registry, metric: Result<T>) -> Result<T> {
    let metric = metric?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn opts(family: Described) -> Opts {
    Opts::new(family.name, family.help)
}

fn int_gauges(family: Described) -> Result<IntGaugeVec> {
    IntGaugeVec::new(opts(family), family.labels)
}

fn seconds(family: Described) -> Result<HistogramVec> {
    let opts = HistogramOpts::new(family.name, family.help).buckets(SECONDS.to_vec());
    HistogramVec::new(opts, family.labels)
}

fn clamped(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
