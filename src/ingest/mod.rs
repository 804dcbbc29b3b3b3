//! Polling: finds the projects, reads what moved in each, and hands it to the state.
//!
//! ```text
//! discovery -> one task per project -> cycle: list, read jobs and children -> Observations, PollEvents
//! ```

mod absent;
mod backfill;
mod batch_size;
mod child_names;
mod children;
mod cursor;
mod cycle;
mod debounce;
mod demand;
mod details;
mod discovery;
mod events;
mod family;
mod first_round;
mod follow_up;
mod hinted;
mod hints;
mod hook_trust;
mod intervals;
mod listing;
mod looks;
mod needed_rate;
mod open;
mod own_jobs;
mod pace;
mod pending;
mod poller;
mod project_task;
mod reader;
mod recheck;
#[cfg(test)]
pub(crate) mod samples;
mod schedule;
mod schedule_track;
mod seats;
mod sight;
mod span;
mod strangers;
mod sweep;
mod timetable;
mod turns;

pub use backfill::BackfillListing;
pub use cursor::LISTING_OVERLAP;
pub use discovery::Discovery;
pub use events::{
    AbsentAttempts, FormerProject, Observations, Origin, PollEvents, PollProgress, Resume,
    ScheduleSight, SweepReport,
};
pub use hints::{PollHint, Waker};
pub use intervals::FEWEST_PROJECTS;
pub use needed_rate::{NeededRate, USUAL_ACTIVE_SHARE, too_slow};
pub use poller::Poller;
pub use reader::Reader;
pub use span::project_span;
