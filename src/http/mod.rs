//! HTTP: the server, its routes and the status page.
//!
//! ```text
//! Server::bind(address) -> Bound -> serve(Service, shutdown)
//! ```

mod accept;
mod address;
mod api;
mod deadline;
mod hooks;
mod job_page;
mod jobs;
mod page;
mod query;
mod routes;
mod selection;
mod server;
mod shown;
mod status;

pub use address::of as job_path;
pub use hooks::Webhooks;
pub use routes::Service;
pub use selection::{Candidate, JobFilter, Paging, Selection, select};
pub use server::{BindError, Bound, Limits, Server};
pub use status::{JobEntry, JobPage, ProjectStatus, Readiness, Status};
