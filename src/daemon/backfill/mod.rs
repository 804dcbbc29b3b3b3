//! Backfill: reads watched projects back to some time, oldest pipeline first, into the store.
//!
//! A history counts forwards only. So what is read goes into timelines of its own beside the saved ones. They
//! replace the saved ones once a project is read to the end, unless those reach further back. Until then a checkpoint
//! keeps what was read.

mod past;
mod project;
mod report;
mod run;
mod timelines;

pub use past::{PastError, PastOptions, Written};
pub use report::{BackfillOutcome, Progress};
pub use run::{Reach, run};
