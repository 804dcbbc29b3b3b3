//! The GitLab adapter: from a question to validated observations, or to an error that says why not.
//!
//! ```text
//! Client -> gitlab::api endpoint -> Call (transport, retries) -> pages -> wire -> validate -> model
//! ```
//!
//! The `gitlab` crate gives the endpoints; the transport below them is our own, as that crate's
//! client has no timeouts, does not start while GitLab is down, and drops the headers of a 429.

mod answer;
mod breaker;
mod client;
mod connect;
mod downstream;
mod error;
mod fault;
mod gate;
mod instance;
mod observer;
mod options;
mod paging;
mod record;
mod schedules;
mod text;
mod times;
mod transport;
mod validate;
pub mod webhook;
mod wire;

pub use client::{Client, Order, PipelineQuery};
pub use downstream::{Bridge, Downstream};
pub use error::Error;
pub use fault::Fault;
pub use instance::TokenFacts;
pub use observer::Observer;
pub use options::{BuildError, Options};
pub use record::{Listing, RejectReason, Rejected};
pub use schedules::Schedule;
pub use text::LogTail;
pub use times::{Run, running_time};
pub use validate::{PipelineJobs, Project, decode_jobs, decode_pipeline, decode_pipeline_jobs};
