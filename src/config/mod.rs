//! The configuration: YAML file, flags and environment in, a validated [`Config`] out.
//!
//! [`keys`] lists every key once. A document is read into nodes with their places, [`Config::load`]
//! lays the flags over it, and each section is read by the table; every problem is noted, and a
//! [`Config`] exists only where there is none.

pub(crate) use ci_history::duration;
pub mod keys;

mod address;
mod classification;
mod counting;
mod gitlab;
mod given;
mod kind;
mod load;
mod node;
mod owners;
mod owners_file;
mod problem;
mod reader;
mod secret;
mod select;
mod store;
mod watch;
mod webhooks;

use std::time::Duration;

use url::Url;

pub use classification::Classification;
pub use counting::describe as describe_rules;
pub use gitlab::{GitLab, TOKEN_VARIABLE};
pub use kind::{Form, Kind};
pub use load::Overrides;
pub use owners::Owners;
pub use owners_file::OwnersFile;
pub use problem::{Problem, Problems};
pub use secret::{Secret, SecretError};
pub use select::{JobSelector, RefSelector, SourceSelector};
pub use store::{Location, Store};
pub use watch::{Backfill, ChildPipelines, Group, Watch};
pub use webhooks::{GitLabHooks, Webhooks};

use crate::model::Rules;

/// A configuration without problems. Printing it shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach GitLab.
    pub gitlab: GitLab,
    /// What is watched.
    pub watch: Watch,
    /// How executions are counted.
    pub counting: Rules,
    /// How failures are told apart by their logs.
    pub classification: Classification,
    /// Whose a job is.
    pub owners: Owners,
    /// Where the state is kept.
    pub store: Store,
    /// Who may send us events.
    pub webhooks: Webhooks,
    /// Where Prometheus is asked for alerts; the path ends in `/`.
    pub prometheus_url: Option<Url>,
    /// Where Alertmanager is asked for silences; the path ends in `/`.
    pub alertmanager_url: Option<Url>,
    /// A job not executed for this long is forgotten. Default: 30 days.
    pub retention: Duration,
    /// Where `/metrics` is served, as `[host]:port`; no host: all interfaces. Default: `:10141`.
    pub listen_address: String,
}
