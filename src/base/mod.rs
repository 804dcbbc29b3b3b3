//! Small shared ground: leaves that know nothing of the program, which every other module may use.

pub mod api;
pub mod backoff;
pub mod build_info;
pub mod compress;
pub mod error_chain;
pub mod file_stamp;
pub mod human;
pub mod label;
pub mod listen_address;
pub mod live_secret;
pub mod loopback;
pub mod nearest;
pub(crate) mod parallel;
pub mod poll_sights;
pub mod project_memory;
pub mod project_problem;
pub mod s3_options;
pub mod secret_source;
pub mod server_access;

/// Seconds of a day.
pub const DAY: i64 = 24 * 60 * 60;
