//! Sets up logging, to standard error.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

use super::args::{LogArgs, LogFormat, LogLevel};

/// Starts logging for this process; a second call changes nothing.
pub fn start(args: LogArgs) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(args.level))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    // Only a second call can fail, and then there is logging already.
    let _ = match args.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// The level is that of this program; libraries speak up only when something is wrong.
fn filter(level: LogLevel) -> EnvFilter {
    let (own, libraries) = match level {
        LogLevel::Error => ("error", "error"),
        LogLevel::Warn => ("warn", "warn"),
        LogLevel::Info => ("info", "warn"),
        LogLevel::Debug => ("debug", "warn"),
        LogLevel::Trace => ("trace", "info"),
    };
    EnvFilter::new(format!("{libraries},job_failure_exporter={own}"))
}
