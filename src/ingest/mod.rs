//! Polling: finds the projects, reads what moved in each, and hands it to the state.
//!
//! ```text
//! discovery -> one task per project -> cycle: list, read jobs and children -> Observations, PollEvents
//! ```

mod backfill;
mod children;
mod cursor;
mod cycle;
mod discovery;
mod events;
mod hints;
mod listing;
mod open;
mod own_jobs;
mod pace;
mod pending;
mod poller;
mod reader;
mod recheck;
mod schedule;
mod sight;
mod span;
mod timetable;

pub use backfill::BackfillListing;
pub use cursor::LISTING_OVERLAP;
pub use discovery::Discovery;
pub use events::{Observations, PollEvents, Resume, ScheduleSight};
pub use hints::{PollHint, Waker};
pub use poller::Poller;
pub use reader::Reader;
pub use span::project_span;
