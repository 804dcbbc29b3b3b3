//! A simulated GitLab over real HTTP: seeded scenarios whose truth is known.
//!
//! For trying and testing. It knows nothing of the exporter, and the exporter nothing of it.
//!
//! A [`World`] holds groups, projects, pipelines and jobs and lets them live by GitLab's rules;
//! a [`Scenario`] fills it and writes its agenda; [`truth`] counts what an exporter ought to say.
//! [`start`] serves a world through the routes of `/api/v4`, with [`Faults`] on demand, and gives
//! a [`Handle`] to look into it and to change it.

mod api;
mod bridge;
mod control;
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
mod reply;
mod retry;
mod scenario;
mod schedules;
mod scripts;
mod server;
mod status;
mod steady;
mod trace;
pub mod truth;
mod world;

pub use entity::{Group, Job, Pipeline, Project, Status};
pub use faults::{Fault, Faults};
pub use handle::{DEFAULT_TOKEN, Handle, Options, start};
pub use hooks::{Hook, HookTarget};
pub use moment::Moment;
pub use pace::Pace;
pub use plan::{Ending, JobPlan, PipelinePlan, Trigger};
pub use retry::RetryRefused;
pub use scenario::{SCENARIOS, Scenario};
pub use schedules::{Fate, Schedule};
pub use server::Recorded;
pub use world::World;
