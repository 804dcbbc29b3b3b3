//! A simulated GitLab over real HTTP, with seeded scenarios of known truth, for demonstrations and tests.
//!
//! The simulator and the exporter do not depend on each other.
//!
//! A [`World`] contains groups, projects, pipelines and jobs that follow GitLab's rules. A [`Scenario`]
//! creates projects and plans events. [`truth`] computes the figures that an exporter should show. [`start`]
//! serves a world at `/api/v4`, with [`Faults`] on demand, and returns a [`Handle`] to inspect and change it.
//!
//! | area | files |
//! | --- | --- |
//! | world | `world`, `entity`, `moment`, `plan`, `trace`, `truth` |
//! | events | `lifecycle`, `bridge`, `retry`, `schedules`, `status`, `scenario`, `scripts`, `steady` |
//! | webhooks | `hooks`, `delivery` |
//! | HTTP | `server`, `api`, `control`, `listing`, `paging`, `payload`, `query`, `reply`, `faults`, `replica` |
//! | running it | `handle`, `state`, `pace` |

mod api;
mod backup;
mod bridge;
mod control;
mod delivery;
mod entity;
mod faults;
mod handle;
mod hooks;
mod lifecycle;
mod listing;
mod moment;
mod pace;
mod paging;
mod payload;
mod plan;
mod query;
mod replica;
mod reply;
mod retry;
mod scenario;
mod schedules;
mod scripts;
mod server;
mod state;
mod status;
mod steady;
mod trace;
pub mod truth;
mod world;

pub use delivery::{Hook, HookTarget};
pub use entity::{CiStatus, Group, Job, Pipeline, Project, RunBehavior, Schedule};
pub use faults::{Fault, Faults};
pub use handle::{DEFAULT_TOKEN, Handle, Options, start};
pub use moment::Moment;
pub use pace::Pace;
pub use plan::{Ending, JobPlan, PipelinePlan, Trigger};
pub use retry::RetryRefused;
pub use scenario::{SCENARIOS, Scenario};
pub use state::Recorded;
pub use world::World;
