//! The configuration: YAML file, flags and environment in, a validated [`Config`] out.
//!
//! Each section has a file, which declares its keys ([`KeyInfo`]) and reads them into its fields. The file is parsed
//! into nodes with their lines, flags are laid over it, and each key parses its value once. Every problem is noted;
//! a [`Config`] exists only without problems.

mod classification;
mod counting;
mod file;
mod gitlab;
mod given;
mod hints;
mod key;
mod key_info;
mod key_path;
mod limits;
mod load;
mod metrics;
mod node;
mod overrides;
mod owners;
mod owners_file;
mod owners_line;
mod problem;
mod regexes;
mod remediation;
mod remediation_rule;
mod schema;
mod secret;
mod secret_file;
mod section;
mod select;
mod services;
mod settings;
mod source;
mod store;
mod url;
mod value;
mod value_type;
mod watch;
mod web_file;
mod webhooks;
mod word;
mod yaml;

pub use classification::Classification;
pub use counting::{Preset, describe as describe_rules};
pub use gitlab::{Api, GitLab, TOKEN_VARIABLE};
pub use key_info::{Absence, KeyInfo};
pub use limits::Limits;
pub use load::{Config, StateConfig, keys};
pub use overrides::Overrides;
pub use owners::Owners;
pub use owners_file::OwnersFile;
pub use problem::{Problem, Problems};
pub use remediation::{
    ActionLimits, Caller, CircuitReset, CircuitRule, Mode, PauseWhen, Remediation,
};
pub use remediation_rule::{ActionKind, FailureFacts, FailureMatch, RemediationRule};
pub use schema::schema;
pub use secret_file::SecretFile;
pub use select::{JobSelector, Pattern, RefSelector, SourceSelector};
pub use settings::Setting;
pub use store::{Location, Store};
pub use value_type::{Form, ValueType};
pub use watch::{Backfill, ChildPipelines, Group, Watch};
pub use web_file::{
    CipherSuite, ClientAuth, Curve, RateLimit, Sources, TlsServer, TlsVersion, User, WebFile,
};
pub use webhooks::{GitLabHooks, HookScope, HookSecret, Webhooks};
pub use word::Word;
