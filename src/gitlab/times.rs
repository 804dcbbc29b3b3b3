//! Times as GitLab writes them, and how long a pipeline ran.

use std::collections::HashMap;

use ci_history::{Span, Status, Timestamp};
use jiff::Timestamp as Instant;

/// When one attempt of a job ran, with all the digits GitLab gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run<'a> {
    /// The attempt's id.
    pub(super) id: u64,
    /// The job's name: of several attempts the one with the highest id is the last.
    pub(super) name: &'a str,
    /// Its status.
    pub(super) status: Status,
    /// When a runner took it, in microseconds since the Unix epoch.
    pub(super) started_at: Option<i64>,
    /// When it ended, in microseconds since the Unix epoch.
    pub(super) finished_at: Option<i64>,
}

/// The time during which at least one of the jobs' last attempts ran, as GitLab reckons a
/// pipeline's duration (`Gitlab::Ci::Pipeline::Duration`): the union of their intervals.
///
/// `None` while one of them runs, and where none has run.
pub(super) fn running_time<'a>(attempts: impl IntoIterator<Item = Run<'a>>) -> Option<Span> {
    let mut last: HashMap<&str, Run<'a>> = HashMap::new();
    for attempt in attempts {
        let known = last.entry(attempt.name).or_insert(attempt);
        if attempt.id > known.id {
            *known = attempt;
        }
    }
    let mut periods = Vec::with_capacity(last.len());
    for attempt in last.values() {
        match (attempt.started_at, attempt.finished_at) {
            (Some(start), Some(end)) if ran(attempt.status) => periods.push((start, end)),
            (Some(_), None) if !attempt.status.is_terminal() => return None,
            _ => {}
        }
    }
    union(periods)
}

/// The statuses GitLab takes into the duration (`skipped` jobs have not run).
fn ran(status: Status) -> bool {
    matches!(
        status,
        Status::Success | Status::Failed | Status::Running | Status::Canceled
    )
}

fn union(mut periods: Vec<(i64, i64)>) -> Option<Span> {
    periods.sort_unstable();
    let (mut from, mut reached) = *periods.first()?;
    let mut total: i64 = 0;
    for (start, end) in periods {
        if start > reached {
            total = total.saturating_add(reached.saturating_sub(from));
            from = start;
            reached = end;
        }
        reached = reached.max(end);
    }
    total = total.saturating_add(reached.saturating_sub(from));
    u64::try_from(total).ok().map(Span::from_micros)
}

/// ISO 8601 as in the API, `2016-08-12 15:23:28 UTC` and `.. +0200` as in webhooks.
pub(super) fn parse(text: &str) -> Option<Instant> {
    if let Some(time) = text.strip_suffix(" UTC") {
        return format!("{time}Z").parse().ok();
    }
    text.parse().ok().or_else(|| {
        let (time, offset) = text.rsplit_once(' ')?;
        format!("{time}{offset}").parse().ok()
    })
}

/// Cut to seconds; the epoch itself is no time.
pub(super) fn whole_seconds(instant: Instant) -> Option<Timestamp> {
    Timestamp::from_unix(instant.as_microsecond().div_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: u64, name: &str, from: i64, to: i64) -> Run<'_> {
        Run {
            id,
            name,
            status: Status::Success,
            started_at: Some(from),
            finished_at: Some(to),
        }
    }

    fn micros<'a>(runs: impl IntoIterator<Item = Run<'a>>) -> Option<u64> {
        running_time(runs).map(Span::micros)
    }

    #[test]
    fn every_way_of_writing_a_time_is_read() {
        for (text, wanted) in [
            ("2016-08-12T15:23:28.999Z", 1_471_015_408),
            ("2016-08-12 15:23:28 UTC", 1_471_015_408),
            ("2016-08-12T17:23:28.000+02:00", 1_471_015_408),
            ("2016-08-12 17:23:28 +0200", 1_471_015_408),
            ("1969-12-31T23:59:58.500Z", -2),
        ] {
            let found = parse(text).and_then(whole_seconds).map(Timestamp::unix);
            assert_eq!(found, Some(wanted), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2016-08-12",
            "2016-13-12T15:23:28Z",
            " UTC",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn jobs_that_overlap_or_touch_count_once_and_gaps_do_not_count() {
        assert_eq!(micros([run(1, "a", 0, 10), run(2, "b", 5, 20)]), Some(20));
        assert_eq!(micros([run(1, "a", 0, 10), run(2, "b", 10, 20)]), Some(20));
        assert_eq!(micros([run(1, "a", 15, 20), run(2, "b", 0, 10)]), Some(15));
        assert_eq!(micros([run(1, "a", 0, 30), run(2, "b", 5, 10)]), Some(30));
        assert_eq!(micros([run(1, "a", 7, 7)]), Some(0));
    }

    #[test]
    fn an_attempt_that_was_retried_does_not_count() {
        let retried = [run(9, "a", 100, 130), run(3, "a", 0, 50)];
        assert_eq!(micros(retried), Some(30));
    }

    #[test]
    fn there_is_no_running_time_before_the_last_job_ended() {
        let mut running = run(2, "b", 5, 0);
        running.finished_at = None;
        running.status = Status::Running;
        assert_eq!(micros([run(1, "a", 0, 10), running]), None);
    }

    #[test]
    fn jobs_that_never_started_do_not_count() {
        let mut stuck = run(2, "b", 0, 500);
        stuck.started_at = None;
        stuck.status = Status::Failed;
        assert_eq!(micros([run(1, "a", 0, 10), stuck]), Some(10));
        assert_eq!(micros([stuck]), None);
    }

    #[test]
    fn times_that_run_backwards_give_no_running_time() {
        assert_eq!(micros([run(1, "a", 10, 0)]), None);
    }
}
