//! What the daemon knows of itself, for the status page. Figures that are metrics are read from the metrics instead.

use std::sync::Arc;
use std::time::Duration;

use ci_history::Timestamp;

use crate::config::Setting;
use crate::metrics::Limit;

/// The daemon's report on itself. Texts are masked.
#[derive(Debug, Clone, Default)]
pub struct SelfReport {
    /// Start of the process.
    pub started: Option<Timestamp>,
    /// The configuration in force.
    pub settings: Vec<Setting>,
    /// Address of the watched GitLab.
    pub gitlab_url: String,
    /// As GitLab says it; `None` before it did.
    pub gitlab_version: Option<Arc<str>>,
    /// Whether requests have a token.
    pub has_token: bool,
    /// How requests to GitLab go.
    pub requests: RequestReport,
    /// How far the first round of polling is.
    pub first_round: FirstRound,
    /// `directory` or `s3`.
    pub store_kind: &'static str,
    /// Directory, or bucket with prefix.
    pub store_place: String,
    /// Why saving fails, since the last save.
    pub save_error: Option<NotedError>,
    /// Webhooks that wait; `None` if none are taken.
    pub queued_webhooks: Option<usize>,
    /// Limits with a configured bound.
    pub limits: Vec<LimitUse>,
    /// Why the last attempt to load the configuration failed.
    pub config_error: Option<NotedError>,
    /// The file of TLS and users.
    pub web_file: Option<WebFileReport>,
    /// The last errors of projects, in any order.
    pub errors: Vec<ProjectError>,
}

/// How requests to GitLab go.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RequestReport {
    /// Most requests a second, as configured.
    pub per_second: f64,
    /// Most requests a second now.
    pub per_second_now: f64,
    /// Requests of the last minute.
    pub last_minute: u64,
    /// Requests that wait for their turn.
    pub waiting: usize,
    /// Rest of a pause that GitLab asked for.
    pub paused_for: Option<Duration>,
    /// Time until the circuit breaker lets a probe through.
    pub next_probe: Option<Duration>,
}

/// How far the first round of polling is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FirstRound {
    /// Whether every project was polled once, or failed.
    pub has_ended: bool,
    /// Watched projects.
    pub projects: usize,
    /// Projects that were polled without an error, or whose newest pipelines were read.
    pub polled: usize,
    /// Projects and names whose last poll failed.
    pub failing: usize,
    /// Projects with older pipelines that are still to be read.
    pub with_past: usize,
    /// Time until it is over, if it goes on as it went.
    pub time_left: Option<Duration>,
}

/// The use of a configured limit where it is highest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitUse {
    /// Which limit.
    pub limit: Limit,
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub most: usize,
    /// The highest use.
    pub used: usize,
    /// The project or ref with this use.
    pub used_by: Option<String>,
}

/// An error, and when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedError {
    /// By this machine's clock.
    pub at: Timestamp,
    /// For an operator.
    pub message: String,
}

/// The last error of a project, or of a name of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectError {
    /// Path of the project.
    pub project: String,
    /// When it last happened.
    pub at: Timestamp,
    /// For an operator.
    pub message: String,
    /// Whether a later poll succeeded.
    pub is_over: bool,
}

/// The file of TLS and users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebFileReport {
    /// Its path.
    pub path: String,
    /// Whether connections are encrypted.
    pub has_tls: bool,
    /// Whether users have to log in.
    pub has_users: bool,
    /// Why the changed file cannot be used.
    pub error: Option<String>,
    /// End of the first certificate of the server to end.
    pub certificate_expiry: Option<Timestamp>,
}
