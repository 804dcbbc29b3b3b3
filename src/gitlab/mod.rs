//! The GitLab adapter: from a question to validated observations, or to an error that says why not.
//!
//! ```text
//! Client -> gitlab::api endpoint -> Call (retries, pages) -> Transport -> wire -> validate -> model
//! ```
//!
//! The `gitlab` crate gives the endpoints and the traits they are asked through. The transport below them
//! is our own, as the crate's client has no timeouts and does not start while GitLab is down.

mod access;
mod actions;
mod answer;
mod breaker;
mod call;
mod client;
mod commit;
mod connect;
mod credentials;
mod downstream;
mod error;
mod error_kind;
mod graphql;
mod graphql_jobs;
mod graphql_scalars;
mod instance;
mod keyset;
mod listing;
mod moved;
mod moved_child;
mod newest;
mod next_page;
mod options;
mod page_sizes;
mod paging;
mod rate_headers;
mod rate_limiter;
mod record;
mod request_flow;
mod running;
mod schedules;
mod slow_order;
mod text;
mod times;
mod transport;
mod transport_metrics;
mod validate;
pub mod webhook;
mod wire;

pub use access::{GitRef, ProjectAccess, TokenUser};
pub use actions::Attempt;
pub use client::{Client, Order, PipelineQuery};
pub use downstream::{Bridge, Downstream};
pub use error::Error;
pub use error_kind::{ErrorKind, RateLimit};
pub use graphql::{MOST_PROJECTS, NotTold};
pub use instance::TokenFacts;
pub use listing::{Listing, RejectReason, Rejected};
pub use moved::{Besides, Moved, MovedPipelines};
pub use moved_child::MovedChild;
pub use newest::{NewestPipeline, NewestPipelines};
pub use options::{BuildError, Options};
pub use rate_limiter::ProjectRequests;
pub use request_flow::RequestFlow;
pub use running::{JobsOfPipelines, Progress};
pub use schedules::Schedule;
pub use text::LogTail;
pub use transport_metrics::TransportMetrics;
pub use validate::{PipelineJobs, Project, decode_pipeline, decode_pipeline_jobs};
