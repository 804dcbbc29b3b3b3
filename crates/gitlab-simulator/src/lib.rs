//! A simulated GitLab over real HTTP, with seeded scenarios of known truth, for demonstrations and tests.
//!
//! The simulator and the exporter do not depend on each other.
//!
//! A [`World`] contains groups, projects, pipelines and jobs that follow GitLab's rules. A [`Scenario`]
//! creates projects and plans events. [`truth`] computes the figures that an exporter should show. [`start`]
//! serves a world at `/api/v4` and `/api/graphql`, with [`Faults`] on demand, and returns a [`Handle`] to inspect and change it.
//!
//! | area | files |
//! | --- | --- |
//! | world | `world`, `entity`, `settings`, `moment`, `plan`, `trace`, `truth` |
//! | events | `lifecycle`, `processing`, `bridge`, `deployments`, `schedules`, `status`, `scenario`, `scripts`, `comebacks`, `by_hand`, `steady` |
//! | actions of clients | `retry`, `revival`, `recovery`, `play`, `pipeline_actions`, `ledger` |
//! | users | `accounts`, `rights` |
//! | webhooks | `hooks`, `delivery` |
//! | requests | `server`, `incoming`, `params`, `query`, `api`, `write_api`, `lookup`, `graphql`, `control` |
//! | answers | `reply`, `listing`, `paging`, `payload`, `user_payload`, `git_refs`, `release`, `response`, `replica` |
//! | faults | `fault`, `faults`, `write_faults`, `graphql_faults`, `rate_limit`, `damage` |
//! | running it | `handle`, `state`, `pace` |

mod accounts;
mod api;
mod backup;
mod bridge;
mod by_hand;
mod comebacks;
mod control;
mod damage;
mod delivery;
mod deployments;
mod entity;
mod fault;
mod faults;
mod git_refs;
mod graphql;
mod graphql_faults;
mod handle;
mod hooks;
mod incoming;
mod ledger;
mod lifecycle;
mod listing;
mod lookup;
mod moment;
mod pace;
mod paging;
mod params;
mod payload;
mod pipeline_actions;
mod plan;
mod play;
mod processing;
mod query;
mod rate_limit;
mod recovery;
mod release;
mod replica;
mod reply;
mod response;
mod retry;
mod revival;
mod rights;
mod scenario;
mod schedules;
mod scripts;
mod server;
mod settings;
mod state;
mod status;
mod steady;
mod trace;
pub mod truth;
mod user_payload;
mod world;
mod write_api;
mod write_faults;

pub use accounts::{Role, Scope, Token, User};
pub use delivery::{Hook, HookTarget};
pub use entity::{
    CiStatus, Group, Job, OutdatedDeployments, Pipeline, Project, ProtectedRef, RunBehavior,
    Schedule,
};
pub use fault::Fault;
pub use faults::Faults;
pub use graphql::QueryCost;
pub use graphql_faults::GraphqlFaults;
pub use handle::{DEFAULT_TOKEN, Handle, Options, start};
pub use ledger::{Action, ActionKind};
pub use moment::Moment;
pub use pace::Pace;
pub use plan::{Ending, JobPlan, PipelinePlan, Trigger};
pub use release::Release;
pub use retry::RetryRefused;
pub use scenario::{SCENARIOS, Scenario};
pub use settings::Settings;
pub use state::Recorded;
pub use world::World;
pub use write_faults::WriteFaults;
