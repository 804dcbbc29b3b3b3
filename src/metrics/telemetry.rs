//! The exporter's own metrics, on the `prometheus` crate.

use std::time::Duration;

use ci_history::Timestamp;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, Result, TextEncoder,
};
use strum::{IntoStaticStr, VariantArray};

use super::catalog::{Described, Kind};
use super::limits::{HttpLimit, Limit};
use super::webhooks::WebhookResult;
use crate::base::api::{CircuitState, Endpoint};
use crate::base::label::Label as _;

/// One row a family: the field of [`Telemetry`], its metric, and its description.
macro_rules! own {
    ($($field:ident: $metric:ident, $kind:ident $name:literal, $labels:tt, $help:literal;)+) => {
        /// The families of the exporter's own, but those of the process.
        pub(super) const OWN: &[Described] = &[$(own!(@family $kind $name, $labels, $help)),+];

        /// The exporter's own metrics. Clones share them.
        ///
        /// A gauge that was never set has no sample: none of them starts with a made-up zero.
        #[derive(Clone)]
        pub struct Telemetry {
            registry: Registry,
            $(pub(super) $field: $metric,)+
        }

        impl Telemetry {
            fn registered(registry: Registry) -> Result<Self> {
                $(let family = own!(@family $kind $name, $labels, $help);
                let $field = $metric::registered(&registry, family)?;)+
                Ok(Self { registry, $($field,)+ })
            }
        }
    };
    (@family $kind:ident $name:literal, [$($label:literal),*], $help:literal) => {
        Described {
            name: $name,
            kind: Kind::$kind,
            help: $help,
            labels: &[$($label),*],
        }
    };
}

own! {
    build_info: IntGaugeVec, Gauge "job_failure_exporter_build_info", ["version", "revision"],
        "Always 1; the version and the commit that this program was built from.";
    api_requests: IntCounterVec, Counter "job_failure_exporter_api_requests_total", ["endpoint", "code"],
        "Requests to the GitLab API, by endpoint and class of the status; `error` for no answer.";
    api_seconds: HistogramVec, Histogram "job_failure_exporter_api_request_duration_seconds", ["endpoint"],
        "How long requests to the GitLab API took until the answer was read.";
    api_retries: IntCounter, Counter "job_failure_exporter_api_retries_total", [],
        "Requests to the GitLab API that repeated one that had failed.";
    api_budget: IntGaugeVec, Gauge "job_failure_exporter_api_budget_remaining", [],
        "Requests that GitLab still allows in the current period of its rate limit, as it said last.";
    api_needed: GaugeVec, Gauge "job_failure_exporter_api_needed_requests_per_second", [],
        "Requests a second to the GitLab API that polling needs to keep up; estimated until it has run for a while.";
    api_allowed: GaugeVec, Gauge "job_failure_exporter_api_allowed_requests_per_second", [],
        "Requests a second that may be sent now: `gitlab.requests_per_second`, or less where GitLab's budget is smaller.";
    swept: IntGaugeVec, Gauge "job_failure_exporter_swept_projects", ["result"],
        "Projects of the last sweep by GraphQL: answered, and those that are listed by REST.";
    sweep_size: IntGaugeVec, Gauge "job_failure_exporter_sweep_size_projects", [],
        "Projects that one request of a sweep asks for. 0 while GitLab does not answer such requests.";
    first_round: IntGaugeVec, Gauge "job_failure_exporter_first_round_projects", ["result"],
        "Projects of the first round since the start: tried, and those that wait. It is over when none waits.";
    with_past: IntGaugeVec, Gauge "job_failure_exporter_past_projects", [],
        "Projects with older pipelines that are still to be read. Their newest ones are exposed.";
    polls: IntCounterVec, Counter "job_failure_exporter_polls_total", ["result"],
        "Polls of a project, by result.";
    rejected: IntCounterVec, Counter "job_failure_exporter_records_rejected_total", ["kind", "reason"],
        "Records of GitLab that were left out as invalid, by kind and reason.";
    timelines: IntGauge, Gauge "job_failure_exporter_timelines", [],
        "Refs of projects that are exposed.";
    jobs: IntGauge, Gauge "job_failure_exporter_jobs", [],
        "Jobs that are exposed, over all refs.";
    series: IntGauge, Gauge "job_failure_exporter_series", [],
        "Series that are exposed of jobs, pipelines, projects and schedules.";
    saves: IntCounterVec, Counter "job_failure_exporter_state_saves_total", ["result"],
        "Saves of a timeline's state, by result.";
    saved: IntGaugeVec, Gauge "job_failure_exporter_state_last_successful_save_timestamp_seconds", [],
        "When state was last saved without an error.";
    quarantined: IntCounter, Counter "job_failure_exporter_state_documents_set_aside_total", [],
        "State documents that could not be read and were moved aside.";
    unsaved: IntGauge, Gauge "job_failure_exporter_state_unsaved_timelines", [],
        "Timelines that changed since they were saved.";
    conflicts: IntCounter, Counter "job_failure_exporter_state_conflicts_total", [],
        "Saves that met a document of another replica, and were merged with it.";
    conditional: IntGaugeVec, Gauge "job_failure_exporter_state_conditional_writes", [],
        "1 if the S3 store honours conditional writes; 0 if it ignores them, and of two replicas the last to write wins.";
    clock_offset: GaugeVec, Gauge "job_failure_exporter_gitlab_clock_offset_seconds", [],
        "How far GitLab's clock is ahead of this machine's.";
    clock_suspect: IntGaugeVec, Gauge "job_failure_exporter_clock_suspect", ["clock"],
        "1 while GitLab's clock or this machine's has jumped, and `retention` does not go by it, else 0.";
    rebuilt: IntCounter, Counter "job_failure_exporter_refs_rebuilt_total", [],
        "Refs whose history was read anew, because GitLab no longer has their pipelines or has others under their ids.";
    log_reads: IntCounterVec, Counter "job_failure_exporter_log_reads_total", ["result"],
        "Logs of failing jobs that were asked for, by result: read, missing in GitLab, or failed.";
    logs_waiting: IntGauge, Gauge "job_failure_exporter_logs_waiting", [],
        "Failing jobs whose logs wait to be read.";
    webhooks: IntCounterVec, Counter "job_failure_exporter_webhook_events_total", ["kind", "result"],
        "Webhooks of GitLab by kind (job, pipeline, other) and what became of them.";
    connections: IntGaugeVec, Gauge "job_failure_exporter_http_connections", [],
        "Connections that are open to the exporter.";
    http_limits: IntCounterVec, Counter "job_failure_exporter_http_limited_total", ["limit"],
        "Connections that were closed and requests that were refused because of a limit of the server.";
    limits: IntCounterVec, Counter "job_failure_exporter_limit_reached_total", ["limit"],
        "Jobs, refs and listings that were left out or cut because of a limit.";
    circuit: IntGaugeVec, Gauge "job_failure_exporter_circuit_breaker_state", ["state"],
        "1 for the state that the circuit breaker of GitLab is in (closed, half_open, open), else 0.";
    token_expiry: IntGaugeVec, Gauge "job_failure_exporter_gitlab_token_expiry_timestamp_seconds", [],
        "When the GitLab token ends; absent if it never does, or if GitLab does not say.";
    token_scopes: IntGaugeVec, Gauge "job_failure_exporter_gitlab_token_scope", ["scope"],
        "Always 1, for each scope of the GitLab token; absent if GitLab does not say.";
    web_config_ok: IntGaugeVec, Gauge "job_failure_exporter_web_config_last_load_successful", [],
        "1 if the last attempt to read the file of TLS and users and its certificates succeeded, else 0; absent without such a file.";
    config_ok: IntGaugeVec, Gauge "job_failure_exporter_config_last_load_successful", [],
        "1 if the last attempt to load the configuration succeeded, else 0.";
    config_loaded: IntGaugeVec, Gauge "job_failure_exporter_config_last_load_success_timestamp_seconds", [],
        "When the configuration in force was loaded.";
    remediation_mode: IntGaugeVec, Gauge "job_failure_exporter_remediation_mode", ["mode"],
        "Always 1, with the value of `remediation.mode`.";
    remediation_decisions: IntCounterVec, Counter "job_failure_exporter_remediation_decisions_total", ["rule", "decision", "reason"],
        "Decisions about failed jobs, each once a failure: act, would_act, wait, refuse or no_rule, and why.";
    remediation_actions: IntCounterVec, Counter "job_failure_exporter_remediation_actions_total", ["action", "rule", "result"],
        "Actions on failed jobs, by what came of them: started, refused, not_done.";
    remediation_recovered: IntCounterVec, Counter "job_failure_exporter_remediation_recovered_total", ["rule"],
        "Actions after which the job passed.";
    remediation_failed_again: IntCounterVec, Counter "job_failure_exporter_remediation_failed_again_total", ["rule"],
        "Actions after which the job failed again.";
    remediation_pending: IntGauge, Gauge "job_failure_exporter_remediation_pending", [],
        "Failures that wait for their turn.";
    remediation_paused: IntGaugeVec, Gauge "job_failure_exporter_remediation_paused", ["reason"],
        "1 while nothing is done for this reason (outage, gitlab_down, not_saved, halted), else 0; of no_rights, the number of projects in which the token may not act.";
    retry_circuit: IntGaugeVec, Gauge "job_retry_circuit_open", ["project", "ref", "track", "job_name"],
        "1 while a job that failed too often in a row is not brought back any more; absent otherwise.";
}

/// Version of this program.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    /// The crate's version.
    pub version: &'a str,
    /// Commit; `unknown` if the build did not know it.
    pub revision: &'a str,
}

/// Result of a request for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum LogRead {
    /// Its end was read.
    Read,
    /// GitLab has none.
    Missing,
    /// GitLab did not answer, or refused.
    Failed,
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
        let telemetry = Self::registered(Registry::new())?;
        telemetry.start(build)?;
        Ok(telemetry)
    }

    fn start(&self, build: Build<'_>) -> Result<()> {
        self.build_info
            .with_label_values(&[build.version, build.revision])
            .set(1);
        self.registry
            .register(Box::new(ProcessCollector::for_self()))?;
        self.circuit_breaker(CircuitState::Closed);
        for result in LogRead::ALL {
            self.log_reads.with_label_values(&[result.as_str()]);
        }
        for limit in HttpLimit::ALL {
            self.http_limits.with_label_values(&[limit.as_str()]);
        }
        for limit in Limit::ALL {
            self.limits.with_label_values(&[limit.as_str()]);
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

    /// A sweep by GraphQL told of so many projects, and left so many to REST. `size`: projects of its next request.
    pub fn swept(&self, answered: usize, by_rest: usize, size: usize) {
        for (result, projects) in [("answered", answered), ("rest", by_rest)] {
            let gauge = self.swept.with_label_values(&[result]);
            gauge.set(clamped(projects as u64));
        }
        self.sweep_size
            .with_label_values(NONE)
            .set(clamped(size as u64));
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
    pub fn document_quarantined(&self) {
        self.quarantined.inc();
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

    /// Whether the clocks of GitLab and of this machine are suspect.
    pub fn clock_suspects(&self, gitlab: bool, own: bool) {
        for (clock, is_suspect) in [("gitlab", gitlab), ("own", own)] {
            let gauge = self.clock_suspect.with_label_values(&[clock]);
            gauge.set(is_suspect.into());
        }
    }

    /// The history of a ref is read anew.
    pub fn ref_rebuilt(&self) {
        self.rebuilt.inc();
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

    /// So much was left out or cut because of a limit.
    pub fn limit_reached(&self, limit: Limit, count: usize) {
        let counter = self.limits.with_label_values(&[limit.as_str()]);
        counter.inc_by(count as u64);
    }

    /// So many connections are open.
    pub fn http_connections(&self, count: usize) {
        let gauge = self.connections.with_label_values(NONE);
        gauge.set(clamped(count as u64));
    }

    /// A client met a limit of the server.
    pub fn http_limited(&self, limit: HttpLimit) {
        self.http_limits.with_label_values(&[limit.as_str()]).inc();
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

    /// The scopes of the GitLab token.
    pub fn token_scopes(&self, scopes: &[String]) {
        self.token_scopes.reset();
        for scope in scopes {
            self.token_scopes.with_label_values(&[scope]).set(1);
        }
    }

    /// The file of TLS and users was read, and came into force if it could be used.
    pub fn web_config_loaded(&self, success: bool) {
        self.web_config_ok
            .with_label_values(NONE)
            .set(success.into());
    }

    /// A configuration came into force.
    pub fn config_loaded(&self, at: Timestamp) {
        self.config_ok.with_label_values(NONE).set(1);
        self.config_loaded.with_label_values(NONE).set(at.unix());
    }

    /// A configuration was refused; the one before stays in force.
    pub fn config_refused(&self) {
        self.config_ok.with_label_values(NONE).set(0);
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
pub(super) const NONE: &[&str] = &[];

/// A kind of metric of the `prometheus` crate.
trait Metric: Collector + Clone + 'static {
    fn of(family: Described) -> Result<Self>;

    fn registered(registry: &Registry, family: Described) -> Result<Self> {
        let metric = Self::of(family)?;
        registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

macro_rules! metrics {
    ($($metric:ident: $family:ident => $new:expr;)+) => {
        $(impl Metric for $metric {
            fn of($family: Described) -> Result<Self> {
                $new
            }
        })+
    };
}

metrics! {
    IntCounter: family => Self::with_opts(opts(family));
    IntGauge: family => Self::with_opts(opts(family));
    IntCounterVec: family => Self::new(opts(family), family.labels);
    IntGaugeVec: family => Self::new(opts(family), family.labels);
    GaugeVec: family => Self::new(opts(family), family.labels);
    HistogramVec: family => {
        let opts = HistogramOpts::from(opts(family)).buckets(SECONDS.to_vec());
        Self::new(opts, family.labels)
    };
}

fn opts(family: Described) -> Opts {
    Opts::new(family.name, family.help)
}

pub(super) fn clamped(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
