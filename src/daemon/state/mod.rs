//! The state: projects, timelines and health, behind one short lock that no scrape takes.
//!
//! ```text
//! polling, logs, saver -> State (shell) -> lock -> projects | timelines | health -> Effects
//!                               |
//!                               +-> outside the lock: render, log; then, under it: expose or hide
//! ```
//!
//! Each part has private fields. Its methods return effects, which the shell applies.

mod effects;
mod failures;
mod first_round;
mod grid;
mod hand_over;
mod health;
mod limits;
mod memories;
mod needed_rate;
mod polling;
mod projects;
mod ranked_jobs;
mod rate_news;
mod ref_pipelines;
mod report;
mod resuming;
mod retention;
mod round_progress;
mod saving;
mod shell;
mod sights;
#[cfg(test)]
mod tests;
mod timelines;
mod transitions;
mod view;

pub(super) use effects::Unsaved;
pub(super) use saving::ProjectBatch;
pub(super) use shell::State;
pub(super) use sights::UnsavedSights;
#[cfg(test)]
pub(super) use tests::{page, test_state};
