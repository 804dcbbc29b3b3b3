//! Which of the shipped alerts a job fires, by its figures and the thresholds that hold for it.
//!
//! The rules themselves are `alert-rules/*.yml`; a test runs both over the same jobs.

use super::thresholds::{Level, Limit, Subject, Thresholds};
use crate::model::{FailureClass, Figures, JobRow, Outcome, Span, Timestamp};

const WARNING: &str = "warning";
const CRITICAL: &str = "critical";
const INFO: &str = "info";

/// How long a streak has to stand for `CIJobFailingForLong`: its `for`.
const LONG: i64 = 4 * 3600;

/// The span over which `CIJobAllowedFailure` looks at the counters.
const THREE_DAYS: i64 = 3 * DAY;

/// How young a failure has to be for `CIInfrastructureFailures`.
const DAY: i64 = 24 * 3600;

/// What an alert comes to for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is reached.
    Fires,
    /// It will be after so many seconds if nothing changes.
    FiresIn(i64),
    /// It is not reached.
    Silent,
    /// Its threshold is `Inf`.
    Off,
}

/// An alert of one severity, and why it fires or does not.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) alert: &'static str,
    pub(super) severity: &'static str,
    pub(super) verdict: Verdict,
    pub(super) words: String,
}

/// A job with the thresholds, at a time by GitLab's clock.
pub(super) struct Job<'a> {
    pub(super) row: &'a JobRow,
    pub(super) subject: Subject<'a>,
    pub(super) thresholds: &'a Thresholds,
    pub(super) now: Timestamp,
}

impl Job<'_> {
    /// Every alert on single jobs that has a threshold; `CIJobMissing` is for jobs that are not there.
    pub(super) fn readings(&self) -> Vec<Reading> {
        let mut readings = Vec::new();
        for severity in [WARNING, CRITICAL] {
            readings.extend(self.failing_repeatedly(severity));
        }
        readings.extend(self.failing_for_long());
        for severity in [WARNING, CRITICAL] {
            readings.extend(self.failure_ratio_high(severity));
        }
        for severity in [WARNING, CRITICAL] {
            readings.extend(self.no_recent_success(severity));
        }
        for severity in [WARNING, CRITICAL] {
            readings.extend(self.stuck(severity));
        }
        for severity in [WARNING, CRITICAL] {
            readings.extend(self.pending_too_long(severity));
        }
        readings.extend(self.flaky());
        readings.extend(self.allowed_failure());
        readings
    }

    /// Those that no time decides.
    pub(super) fn of_the_window(&self) -> impl Iterator<Item = Reading> {
        let severities = [WARNING, CRITICAL];
        let repeatedly = severities.map(|severity| self.failing_repeatedly(severity));
        let ratio = severities.map(|severity| self.failure_ratio_high(severity));
        repeatedly.into_iter().chain(ratio).flatten()
    }

    /// Whether it is one of the jobs that `CIInfrastructureFailures` counts.
    pub(super) fn is_an_infrastructure_failure(&self) -> bool {
        let figures = self.figures();
        let class = figures.failing.as_ref().and_then(|f| f.failure_class);
        class == Some(FailureClass::Infrastructure)
            && figures.last_failure.is_some_and(|at| self.since(at) <= DAY)
    }

    fn failing_repeatedly(&self, severity: &'static str) -> Option<Reading> {
        let limit = self.limit("consecutive_failures", severity)?;
        let streak = self.figures().consecutive_failures;
        Some(Reading {
            alert: "CIJobFailingRepeatedly",
            severity,
            verdict: verdict(&limit, streak as f64 >= limit.value),
            words: format!("{streak} in a row (from {})", count(&limit)),
        })
    }

    /// By the warning's threshold, unless there is one of its own.
    fn failing_for_long(&self) -> Option<Reading> {
        let own = self.limit("failing_for_long", CRITICAL);
        let limit = own.or_else(|| self.limit("consecutive_failures", WARNING))?;
        let streak = self.figures().consecutive_failures;
        let is_reached = streak > 0 && streak as f64 >= limit.value;
        let stood = self.standing_at(limit.value).map(|at| self.since(at));
        let (verdict, stood) = match stood {
            Some(stood) if is_reached && stood < LONG => (Verdict::FiresIn(LONG - stood), stood),
            Some(stood) if is_reached => (Verdict::Fires, stood),
            _ => (verdict(&limit, is_reached), 0),
        };
        let standing = if is_reached && stood > 0 {
            format!(", which has stood for {}", lasting(stood))
        } else {
            String::new()
        };
        Some(Reading {
            alert: "CIJobFailingForLong",
            severity: CRITICAL,
            verdict,
            words: format!(
                "{streak} in a row{standing} (from {}, for {})",
                count(&limit),
                lasting(LONG)
            ),
        })
    }

    /// Since when the streak has had this length, as far as the window goes back.
    fn standing_at(&self, length: f64) -> Option<Timestamp> {
        let figures = self.figures();
        let mut streak = figures.consecutive_failures as f64;
        let mut since = None;
        for entry in figures.window.iter().rev() {
            if streak < length.max(1.0) {
                break;
            }
            since = entry.finished_at.or(since);
            streak -= 1.0;
        }
        since
    }

    fn failure_ratio_high(&self, severity: &'static str) -> Option<Reading> {
        let limit = self.limit("failure_ratio", severity)?;
        let least = self.thresholds.of("window_failures", None, self.subject);
        let figures = self.figures();
        let failures = figures.window_failures;
        let is_reached = figures.failure_ratio() >= limit.value
            && least.is_some_and(|least| failures as f64 >= least.value);
        let least = least.map_or("no".to_owned(), |least| count(&least));
        let share = if limit.value == f64::INFINITY {
            number(limit.value)
        } else {
            format!("{} %", number(limit.value * 100.0))
        };
        Some(Reading {
            alert: "CIJobFailureRatioHigh",
            severity,
            verdict: verdict(&limit, is_reached),
            words: format!(
                "{failures} of {} failed (from {}, at least {least})",
                figures.window_executions,
                with_level(share, limit.level)
            ),
        })
    }

    fn no_recent_success(&self, severity: &'static str) -> Option<Reading> {
        let limit = self.limit("no_success_seconds", severity)?;
        let figures = self.figures();
        // The default is for jobs that ran and did not pass since.
        let passed_last = figures
            .last_success
            .zip(figures.last_execution)
            .is_some_and(|(success, execution)| success >= execution);
        let is_meant = limit.level != Level::Default || !(passed_last || self.row.allow_failure);
        let since = figures.last_success.or(figures.first_seen);
        let gone = since.map(|at| self.since(at));
        let is_reached = is_meant && gone.is_some_and(|gone| gone as f64 > limit.value);
        let words = match (gone, figures.last_success) {
            (Some(gone), Some(_)) => format!("passed {} ago", lasting(gone)),
            (Some(gone), None) => format!("never passed, first seen {} ago", lasting(gone)),
            (None, _) => "never passed".to_owned(),
        };
        let exempt = if is_meant {
            ""
        } else if passed_last {
            "; the default is not for jobs that passed when they ran last"
        } else {
            "; the default is not for jobs that may fail"
        };
        Some(Reading {
            alert: "CIJobNoRecentSuccess",
            severity,
            verdict: verdict(&limit, is_reached),
            words: format!("{words} (after {}){exempt}", time(&limit)),
        })
    }

    fn stuck(&self, severity: &'static str) -> Option<Reading> {
        let limit = self.limit("running_seconds", severity)?;
        let factor = self.thresholds.of("running_factor", None, self.subject);
        let usual = self.figures().usual_duration.map(Span::seconds);
        // Of a job that never passed, the floor is what is usual.
        let floor = self.limit("running_seconds", WARNING);
        let base = usual
            .filter(|usual| *usual > 0.0)
            .or(floor.map(|floor| floor.value));
        let longest = factor.zip(base).map(|(factor, base)| factor.value * base);
        let running = self.figures().running_since.map(|at| self.since(at));
        let is_reached = running.zip(longest).is_some_and(|(running, longest)| {
            running as f64 > limit.value && running as f64 > longest
        });
        let running = running.map_or("does not run now".to_owned(), |running| {
            format!("has been running for {}", lasting(running))
        });
        let times = factor.map_or("no".to_owned(), |factor| count(&factor));
        let usual = match usual {
            Some(usual) => format!("the usual {}", seconds(usual)),
            None => "that, as no usual duration is known".to_owned(),
        };
        Some(Reading {
            alert: "CIJobStuck",
            severity,
            verdict: verdict(&limit, is_reached),
            words: format!(
                "{running} (after {} and {times} times {usual})",
                time(&limit)
            ),
        })
    }

    fn pending_too_long(&self, severity: &'static str) -> Option<Reading> {
        let limit = self.limit("pending_seconds", severity)?;
        let waiting = self.figures().pending_since.map(|at| self.since(at));
        let is_reached = waiting.is_some_and(|waiting| waiting as f64 > limit.value);
        let waiting = waiting.map_or("does not wait for a runner now".to_owned(), |waiting| {
            format!("has been waiting for a runner for {}", lasting(waiting))
        });
        Some(Reading {
            alert: "CIJobPendingTooLong",
            severity,
            verdict: verdict(&limit, is_reached),
            words: format!("{waiting} (after {})", time(&limit)),
        })
    }

    fn flaky(&self) -> Option<Reading> {
        let limit = self.limit("flaky_executions", INFO)?;
        let flaky = self.figures().window_flaky;
        Some(Reading {
            alert: "CIJobFlaky",
            severity: INFO,
            verdict: verdict(&limit, flaky > 0 && flaky as f64 >= limit.value),
            words: format!(
                "{flaky} of {} passed only on a retry (from {})",
                self.figures().window_executions,
                count(&limit)
            ),
        })
    }

    fn allowed_failure(&self) -> Option<Reading> {
        let limit = self.limit("allowed_failures", INFO)?;
        let reading = |verdict, words| Reading {
            alert: "CIJobAllowedFailure",
            severity: INFO,
            verdict,
            words,
        };
        if !self.row.allow_failure {
            let words = "is not marked `allow_failure`".to_owned();
            return Some(reading(verdict(&limit, false), words));
        }
        let figures = self.figures();
        let is_recent = |at: Option<Timestamp>| at.is_some_and(|at| self.since(at) < THREE_DAYS);
        let allowed = figures
            .window
            .iter()
            .filter(|entry| entry.outcome == Outcome::AllowedFailure)
            .filter(|entry| is_recent(entry.finished_at));
        let allowed = allowed.count();
        let has_passed = is_recent(figures.last_success);
        let passed = if has_passed { "passed" } else { "did not pass" };
        let words = format!(
            "failed {allowed} times within three days and {passed} (from {}, without a pass)",
            count(&limit)
        );
        let is_reached = !has_passed && allowed as f64 >= limit.value;
        Some(reading(verdict(&limit, is_reached), words))
    }

    fn figures(&self) -> &Figures {
        &self.row.figures
    }

    fn limit(&self, what: &str, severity: &str) -> Option<Limit> {
        self.thresholds.of(what, Some(severity), self.subject)
    }

    /// Seconds from then to now.
    fn since(&self, then: Timestamp) -> i64 {
        self.now.unix().saturating_sub(then.unix())
    }
}

fn verdict(limit: &Limit, is_reached: bool) -> Verdict {
    if limit.value == f64::INFINITY {
        Verdict::Off
    } else if is_reached {
        Verdict::Fires
    } else {
        Verdict::Silent
    }
}

/// A threshold, and where it comes from unless it is the default.
fn count(limit: &Limit) -> String {
    with_level(number(limit.value), limit.level)
}

/// As the rules write it.
fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "Inf".to_owned()
    } else {
        value.to_string()
    }
}

fn time(limit: &Limit) -> String {
    with_level(seconds(limit.value), limit.level)
}

fn with_level(value: String, level: Level) -> String {
    match level {
        Level::Default => value,
        level => format!("{value}, {level}"),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and nobody waits that long"
)]
fn seconds(seconds: f64) -> String {
    if seconds == f64::INFINITY {
        return number(seconds);
    }
    lasting(seconds.round() as i64)
}

/// A span in its two largest units.
pub(super) fn lasting(seconds: i64) -> String {
    const UNITS: [(&str, i64); 4] = [("d", DAY), ("h", 3600), ("min", 60), ("s", 1)];
    let seconds = seconds.max(0);
    let largest = UNITS.iter().position(|(_, unit)| seconds >= *unit);
    let Some(largest) = largest else {
        return "0 s".to_owned();
    };
    let (name, unit) = UNITS[largest];
    let rest = UNITS.get(largest + 1).map(|(name, smaller)| {
        let count = seconds % unit / smaller;
        (count, name)
    });
    match rest {
        Some((count, smaller)) if count > 0 => {
            format!("{} {name} {count} {smaller}", seconds / unit)
        }
        _ => format!("{} {name}", seconds / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_take_two_units() {
        for (seconds, words) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (3600, "1 h"),
            (3660, "1 h 1 min"),
            (604_800, "7 d"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(lasting(seconds), words);
        }
    }
}
