//! A synthetic company, rendered as the exporter renders it: for rules and dashboards in front of many jobs.

mod exporter;
mod rows;

pub use self::exporter::{Exporter, start};
pub use self::rows::{STAGE_JOBS, Scene, all_timelines, now, team};
