//! The arguments of `backfill` that write the past for Prometheus.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use ci_history::{Timestamp, duration};
use clap::Args;

use crate::daemon::backfill::PastOptions;
use crate::metrics::families;

/// Samples further apart than this leave holes: Prometheus looks back for so long.
const LOOKBACK: Duration = Duration::from_mins(5);

/// What to write of the past.
#[derive(Debug, Args)]
#[command(next_help_heading = "The past for Prometheus")]
pub struct PastArgs {
    /// Also write what the exporter would have exposed since then, as OpenMetrics with times, for `promtool tsdb
    /// create-blocks-from openmetrics`.
    #[arg(long = "openmetrics", value_name = "FILE", requires = "labels")]
    pub file: Option<PathBuf>,
    /// Label that Prometheus adds when it scrapes the exporter, such as `job=job-failure-exporter`. Can be repeated;
    /// `job` and `instance` are needed.
    #[arg(long = "label", id = "labels", value_name = "NAME=VALUE", requires = "file", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Time from one sample to the next.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = step)]
    pub step: Duration,
    /// Time of the last sample, such as 2026-01-31T12:00:00Z: before Prometheus first scraped the exporter.
    #[arg(long, value_name = "TIME", requires = "file", value_parser = time, help = "Time of the last sample, such as \
          2026-01-31T12:00:00Z: before Prometheus first scraped the exporter [default: now]")]
    pub until: Option<Timestamp>,
}

impl PastArgs {
    /// What is asked for, with all labels.
    pub(super) fn options(&self) -> anyhow::Result<Option<PastOptions>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        for (at, (name, _)) in self.labels.iter().enumerate() {
            if self.labels[..at].iter().any(|(earlier, _)| earlier == name) {
                bail!("--label {name}= is given twice");
            }
        }
        for needed in ["job", "instance"] {
            if !self.labels.iter().any(|(name, _)| name == needed) {
                bail!(
                    "--label {needed}=.. is missing: with the value that Prometheus gives this label when it scrapes the \
                     exporter, the past and the future are one series. If it removes the label, give it an empty value"
                );
            }
        }
        if self.step > LOOKBACK {
            tracing::warn!(
                step = %duration::format(self.step),
                "Prometheus looks back for 5m only: graphs with a finer resolution than the step will have holes"
            );
        }
        let labels = self.labels.iter().filter(|(_, value)| !value.is_empty());
        Ok(Some(PastOptions {
            file: file.clone(),
            step: self.step,
            until: self.until,
            labels: labels.cloned().collect(),
        }))
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("wanted NAME=VALUE, such as job=job-failure-exporter".to_owned());
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '_');
    if !is_name || name.starts_with("__") {
        return Err(format!(
            "`{}` is no name of a label: letters, digits and `_`, but no digit and no `__` at the beginning",
            name.escape_debug()
        ));
    }
    let is_own = families().any(|family| family.labels.contains(&name)) || name == "track";
    if is_own {
        return Err(format!("`{name}` is a label of the exporter's own metrics"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn step(text: &str) -> Result<Duration, String> {
    let day = Duration::from_hours(24);
    match duration::parse(text) {
        Ok(step) if step.subsec_nanos() == 0 && (1..=day.as_secs()).contains(&step.as_secs()) => {
            Ok(step)
        }
        Ok(_) => Err("wanted whole seconds, from 1s to 1d".to_owned()),
        Err(error) => Err(format!("{error}; wanted a time such as 5m or 1h")),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "wanted a time such as 2026-01-31T12:00:00Z".to_owned())?;
    Ok(Timestamp::of_clock(time.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_a_scrape_are_taken_and_others_refused_with_the_reason() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(label("job=exporter"), pair("job", "exporter"));
        assert_eq!(label("cluster=a=b \"ü\""), pair("cluster", "a=b \"ü\""));
        assert_eq!(label("instance="), pair("instance", ""));
        for bad in [
            "job",
            "=x",
            "1a=x",
            "a-b=x",
            "__name__=x",
            "ä=x",
            "project=x",
            "track=x",
            "job_name=x",
        ] {
            assert!(label(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn steps_are_whole_seconds_up_to_a_day() {
        assert_eq!(step("1h"), Ok(Duration::from_hours(1)));
        for bad in ["0", "500ms", "1500ms", "2d", "5", ""] {
            assert!(step(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_needs_its_zone() {
        let at = time("2026-01-31T13:00:00+01:00").unwrap();
        assert_eq!(at, time("2026-01-31T12:00:00Z").unwrap());
        for bad in ["2026-01-31", "2026-01-31T12:00:00", "yesterday", ""] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
