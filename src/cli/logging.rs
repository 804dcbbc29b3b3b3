//! Logs and fatal errors, to standard error. As JSON each line is one object.

use std::io::{self, IsTerminal as _, Write, stderr};

use ci_history::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use super::common::{LogArgs, LogFormat, LogLevel};
use crate::base::error_chain::error_chain;
use crate::config::Problems;

/// Starts logging for this process; a second call changes nothing.
pub(super) fn start(args: LogArgs, env: &dyn Fn(&str) -> Option<String>) {
    let no_color = env("NO_COLOR");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(args.level))
        .with_writer(stderr)
        .with_ansi(is_coloured(stderr().is_terminal(), no_color.as_deref()));
    match args.format {
        // Only a second call fails, and then logging has started.
        LogFormat::Text => drop(builder.try_init()),
        LogFormat::Json => {
            if builder.json().flatten_event(true).try_init().is_ok() {
                std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
            }
        }
    }
}

/// <https://no-color.org>: any value but the empty one.
fn is_coloured(is_terminal: bool, no_color: Option<&str>) -> bool {
    is_terminal && no_color.is_none_or(str::is_empty)
}

/// The level of this program; libraries log warnings and errors only.
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

/// The line or lines that tell why the program ends. As JSON one object; if the configuration is refused,
/// with each of its problems.
pub fn fatal(error: &anyhow::Error, format: LogFormat) -> String {
    let problems = error.downcast_ref::<Problems>();
    match (format, problems) {
        (LogFormat::Text, _) => format!("job-failure-exporter: {}", error_chain(error.as_ref())),
        (LogFormat::Json, None) => object("ERROR", &error_chain(error.as_ref())).to_string(),
        (LogFormat::Json, Some(problems)) => {
            let mut object = object("ERROR", &error.to_string());
            let text = problems.to_string();
            object["problems"] = text.lines().collect();
            object.to_string()
        }
    }
}

fn object(level: &str, message: &str) -> Value {
    let now = jiff::Timestamp::try_from(SystemClock.now());
    let timestamp = now.map(|now| now.to_string()).unwrap_or_default();
    json!({"timestamp": timestamp, "level": level, "message": message})
}

/// Turns each line of a command's warnings into a JSON object.
pub struct JsonLines<W> {
    to: W,
    line: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    /// Writes the objects to `to`.
    pub fn new(to: W) -> Self {
        let line = Vec::new();
        Self { to, line }
    }
}

impl<W: Write> Write for JsonLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                writeln!(
                    self.to,
                    "{}",
                    object("WARN", &String::from_utf8_lossy(&line))
                )?;
            } else {
                self.line.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_and_no_color_switches_them_off() {
        assert!(is_coloured(true, None) && is_coloured(true, Some("")));
        assert!(!is_coloured(true, Some("1")) && !is_coloured(false, None));
    }

    #[test]
    fn each_line_of_a_warning_becomes_an_object() {
        let mut written = Vec::new();
        let mut lines = JsonLines::new(&mut written);
        lines.write_all(b"left out: \"x\"\nand more\n").unwrap();
        let text = String::from_utf8(written).unwrap();
        let messages = text.lines().map(|line| {
            let object: Value = serde_json::from_str(line).unwrap();
            object["message"].as_str().unwrap().to_owned()
        });
        let messages: Vec<_> = messages.collect();
        assert_eq!(messages, ["left out: \"x\"", "and more"]);
    }
}
