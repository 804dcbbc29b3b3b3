//! The state of the exporter itself, as `/api/v1/status` gives it and the status page shows it.

use std::time::Duration;

use ci_history::Timestamp;
use serde::{Serialize, Serializer};

use super::context::Context;
use super::self_report::{LimitUse, NotedError, SelfReport};
use super::status::Readiness;
use crate::base::label::Label as _;
use crate::metrics::{Limit, OwnFigures, WebhookResult};

/// See the module. Figures that are metrics come from the metrics.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StatusView {
    #[serde(rename = "as_of_timestamp_seconds")]
    pub(super) now: Timestamp,
    pub(super) ready: bool,
    pub(super) not_ready_reason: Option<String>,
    pub(super) stale_reason: Option<String>,
    /// Empty, until somebody looks for them.
    pub(super) problems: Vec<Problem>,
    pub(super) build: BuildView,
    pub(super) gitlab: GitLabView,
    pub(super) requests: RequestsView,
    pub(super) circuit_breaker: BreakerView,
    pub(super) first_round: RoundView,
    pub(super) exposed: ExposedView,
    pub(super) store: StoreView,
    pub(super) webhooks: WebhooksView,
    pub(super) limits: Vec<LimitView>,
    pub(super) configuration_load: LoadView,
    pub(super) web_config: Option<WebConfigView>,
    pub(super) errors: Vec<ErrorView>,
    pub(super) configuration: Vec<SettingView>,
    #[serde(skip)]
    pub(super) clock_suspect: bool,
}

/// Something that an operator should mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// `critical`: figures are old, incomplete or get lost. Otherwise `warning`.
    pub(super) severity: Severity,
    #[serde(rename = "problem")]
    pub(super) what: String,
    pub(super) advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    Critical,
    Warning,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct BuildView {
    pub(super) version: String,
    pub(super) revision: String,
    #[serde(rename = "start_timestamp_seconds")]
    pub(super) started: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct GitLabView {
    pub(super) url: String,
    pub(super) version: Option<String>,
    pub(super) has_token: bool,
    /// `None`: GitLab did not say.
    pub(super) token_scopes: Option<Vec<String>>,
    #[serde(rename = "token_expiry_timestamp_seconds")]
    pub(super) token_expiry: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct RequestsView {
    pub(super) per_second: f64,
    pub(super) per_second_now: f64,
    /// `None`: not known yet.
    pub(super) needed_per_second: Option<f64>,
    pub(super) last_minute: u64,
    pub(super) waiting: usize,
    #[serde(serialize_with = "some_seconds")]
    pub(super) paused_seconds: Option<Duration>,
    pub(super) budget_remaining: Option<u64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct BreakerView {
    pub(super) state: &'static str,
    #[serde(serialize_with = "some_seconds")]
    pub(super) next_probe_seconds: Option<Duration>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct RoundView {
    pub(super) ended: bool,
    pub(super) projects: usize,
    pub(super) projects_polled: usize,
    pub(super) projects_failing: usize,
    pub(super) projects_with_past: usize,
    #[serde(serialize_with = "some_seconds")]
    pub(super) seconds_left: Option<Duration>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ExposedView {
    pub(super) timelines: u64,
    pub(super) jobs: u64,
    pub(super) series: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct StoreView {
    pub(super) kind: &'static str,
    pub(super) place: String,
    pub(super) unsaved_timelines: u64,
    #[serde(rename = "last_successful_save_timestamp_seconds")]
    pub(super) last_save: Option<Timestamp>,
    pub(super) failed_saves_total: u64,
    pub(super) documents_set_aside_total: u64,
    /// `None` for a directory.
    pub(super) conditional_writes: Option<bool>,
    pub(super) error: Option<NoteView>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct WebhooksView {
    pub(super) configured: bool,
    pub(super) queued: usize,
    pub(super) received_total: u64,
    pub(super) rejected_total: u64,
    pub(super) results: Vec<WebhookView>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct WebhookView {
    pub(super) result: &'static str,
    pub(super) total: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LimitView {
    pub(super) limit: &'static str,
    /// `None`: it cannot be configured.
    pub(super) key: Option<&'static str>,
    pub(super) most: Option<usize>,
    pub(super) used: Option<usize>,
    pub(super) used_by: Option<String>,
    pub(super) reached: bool,
    pub(super) reached_total: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LoadView {
    pub(super) last_successful: Option<bool>,
    #[serde(rename = "last_success_timestamp_seconds")]
    pub(super) at: Option<Timestamp>,
    pub(super) error: Option<NoteView>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct WebConfigView {
    pub(super) path: String,
    pub(super) tls: bool,
    pub(super) users: bool,
    pub(super) last_load_successful: Option<bool>,
    pub(super) error: Option<String>,
    #[serde(rename = "certificate_expiry_timestamp_seconds")]
    pub(super) certificate_expiry: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct NoteView {
    #[serde(rename = "timestamp_seconds")]
    pub(super) at: Timestamp,
    pub(super) message: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ErrorView {
    pub(super) project: String,
    #[serde(rename = "timestamp_seconds")]
    pub(super) at: Timestamp,
    pub(super) message: String,
    pub(super) over: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct SettingView {
    pub(super) key: String,
    pub(super) value: Option<String>,
    pub(super) source: String,
}

/// Results of webhooks that say that something is wrong.
pub(super) const REJECTED: [WebhookResult; 3] = [
    WebhookResult::Unauthorized,
    WebhookResult::Invalid,
    WebhookResult::TooLarge,
];

impl StatusView {
    pub(super) fn of(context: &Context) -> Self {
        let now = (context.now)();
        let figures = context.exposition.own_figures();
        let report = context.status.self_report();
        let (ready, not_ready_reason) = match context.status.readiness() {
            Readiness::Ready => (true, None),
            Readiness::NotReady(reason) => (false, Some(reason)),
        };
        Self {
            now,
            ready,
            not_ready_reason,
            stale_reason: context.status.staleness(),
            problems: Vec::new(),
            gitlab: gitlab(&report, &figures),
            requests: requests(&report, &figures),
            circuit_breaker: BreakerView {
                state: figures.circuit_breaker.as_str(),
                next_probe_seconds: report.requests.next_probe,
            },
            first_round: RoundView {
                ended: report.first_round.has_ended,
                projects: report.first_round.projects,
                projects_polled: report.first_round.polled,
                projects_failing: report.first_round.failing,
                projects_with_past: report.first_round.with_past,
                seconds_left: report.first_round.time_left,
            },
            exposed: ExposedView {
                timelines: figures.timelines,
                jobs: figures.jobs,
                series: figures.series,
            },
            store: store(&report, &figures),
            webhooks: webhooks(&report, &figures),
            limits: limits(&report.limits, &figures),
            configuration_load: LoadView {
                last_successful: figures.config_last_load_successful,
                at: figures.config_last_load,
                error: report.config_error.as_ref().map(note),
            },
            web_config: report.web_file.as_ref().map(|file| WebConfigView {
                path: file.path.clone(),
                tls: file.has_tls,
                users: file.has_users,
                last_load_successful: figures.web_config_last_load_successful,
                error: file.error.clone(),
                certificate_expiry: file.certificate_expiry,
            }),
            errors: errors(&report),
            configuration: settings(&report),
            clock_suspect: figures.clock_suspect,
            build: BuildView {
                version: figures.version,
                revision: figures.revision,
                started: report.started,
            },
        }
    }
}

fn gitlab(report: &SelfReport, figures: &OwnFigures) -> GitLabView {
    GitLabView {
        url: report.gitlab_url.clone(),
        version: report.gitlab_version.as_deref().map(str::to_owned),
        has_token: report.has_token,
        token_scopes: (!figures.token_scopes.is_empty()).then(|| figures.token_scopes.clone()),
        token_expiry: figures.token_expiry,
    }
}

fn requests(report: &SelfReport, figures: &OwnFigures) -> RequestsView {
    let requests = &report.requests;
    RequestsView {
        per_second: requests.per_second,
        per_second_now: requests.per_second_now,
        needed_per_second: figures.api_needed_requests_per_second,
        last_minute: requests.last_minute,
        waiting: requests.waiting,
        paused_seconds: requests.paused_for,
        budget_remaining: figures.api_budget_remaining,
    }
}

fn store(report: &SelfReport, figures: &OwnFigures) -> StoreView {
    StoreView {
        kind: report.store_kind,
        place: report.store_place.clone(),
        unsaved_timelines: figures.unsaved_timelines,
        last_save: figures.last_successful_save,
        failed_saves_total: figures.failed_saves,
        documents_set_aside_total: figures.documents_set_aside,
        conditional_writes: figures.conditional_writes,
        error: report.save_error.as_ref().map(note),
    }
}

fn webhooks(report: &SelfReport, figures: &OwnFigures) -> WebhooksView {
    let results = figures.webhooks.iter();
    let rejected = results.clone().filter(|(it, _)| REJECTED.contains(it));
    WebhooksView {
        configured: report.queued_webhooks.is_some(),
        queued: report.queued_webhooks.unwrap_or_default(),
        received_total: results.clone().map(|(_, total)| total).sum(),
        rejected_total: rejected.map(|(_, total)| total).sum(),
        results: results
            .map(|(result, total)| WebhookView {
                result: result.as_str(),
                total: *total,
            })
            .collect(),
    }
}

/// All limits, also those that cannot be configured.
fn limits(uses: &[LimitUse], figures: &OwnFigures) -> Vec<LimitView> {
    let total = |limit: Limit| {
        let mut totals = figures.limit_reached.iter();
        totals.find(|(it, _)| *it == limit).map_or(0, |(_, n)| *n)
    };
    let views = Limit::ALL.iter().map(|limit| {
        let found = uses.iter().find(|it| it.limit == *limit);
        let reached_total = total(*limit);
        LimitView {
            limit: limit.as_str(),
            key: found.map(|it| it.key),
            most: found.map(|it| it.most),
            used: found.map(|it| it.used),
            used_by: found.and_then(|it| it.used_by.clone()),
            reached: found.map_or(reached_total > 0, |it| it.used >= it.most),
            reached_total,
        }
    });
    views.collect()
}

/// Errors that last first, then the newest.
fn errors(report: &SelfReport) -> Vec<ErrorView> {
    let errors = report.errors.iter().map(|error| ErrorView {
        project: error.project.clone(),
        at: error.at,
        message: error.message.clone(),
        over: error.is_over,
    });
    let mut errors: Vec<_> = errors.collect();
    errors.sort_by(|a, b| {
        let order = a.over.cmp(&b.over).then(b.at.cmp(&a.at));
        order.then_with(|| a.project.cmp(&b.project))
    });
    errors
}

fn settings(report: &SelfReport) -> Vec<SettingView> {
    let settings = report.settings.iter().map(|setting| SettingView {
        key: setting.key.clone(),
        value: setting.value.clone(),
        source: setting.source.clone(),
    });
    settings.collect()
}

fn note(error: &NotedError) -> NoteView {
    NoteView {
        at: error.at,
        message: error.message.clone(),
    }
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn some_seconds<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.as_secs_f64()).serialize(serializer)
}
