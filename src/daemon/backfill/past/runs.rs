//! The values of series over time, as runs of equal values.

use std::collections::BTreeMap;

use crate::metrics::PastSample;

/// Steps in a row with one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    pub(super) start: i64,
    /// The last step; `i64::MAX` while it goes on.
    pub(super) end: i64,
    pub(super) value: f64,
}

/// Number of the family, and name with labels.
pub(super) type SeriesKey = (usize, Box<str>);

/// The series of one job, or of a ref's pipelines.
#[derive(Debug, Default)]
pub(super) struct SeriesGroup {
    series: BTreeMap<SeriesKey, Vec<Run>>,
    /// The step after which nothing is exposed any more.
    ends: Option<i64>,
}

impl SeriesGroup {
    /// These are all samples from `step` on. `ends`: the step after which they end without a further change.
    pub(super) fn set(&mut self, step: i64, samples: Vec<PastSample>, ends: Option<i64>) {
        if let Some(ended) = self.ends.filter(|ended| *ended < step) {
            self.close(ended);
        }
        self.ends = ends;
        let mut now: BTreeMap<SeriesKey, f64> = BTreeMap::new();
        for PastSample {
            family,
            series,
            value,
        } in samples
        {
            now.insert((family, series.into()), value);
        }
        for (key, runs) in &mut self.series {
            match now.get(key) {
                Some(value) if is_open(runs, *value) => {
                    now.remove(key);
                }
                _ => end(runs, step - 1),
            }
        }
        for (key, value) in now {
            let runs = self.series.entry(key).or_default();
            match runs.last_mut() {
                // The value came back before a sample of the other one was due.
                Some(last) if last.end == step - 1 && same(last.value, value) => {
                    last.end = i64::MAX;
                }
                _ => runs.push(Run {
                    start: step,
                    end: i64::MAX,
                    value,
                }),
            }
        }
    }

    /// Ends all series that go on with this step.
    pub(super) fn close(&mut self, step: i64) {
        let step = self.ends.map_or(step, |ends| ends.min(step));
        for runs in self.series.values_mut() {
            end(runs, step);
        }
        self.series.retain(|_, runs| !runs.is_empty());
    }

    /// Shifts the series so that its last run ends with the value that `last` gives for it, but not below 0.
    pub(super) fn shift(&mut self, last: impl Fn(&SeriesKey) -> Option<f64>) {
        for (key, runs) in &mut self.series {
            let Some(value) = last(key) else { continue };
            let by = runs.last().map_or(0.0, |run| value - run.value);
            for run in runs {
                run.value = (run.value + by).max(0.0);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&SeriesKey, &[Run])> {
        self.series.iter().map(|(key, runs)| (key, &**runs))
    }
}

/// Compares bits: a value that is no number equals itself.
fn same(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits()
}

fn is_open(runs: &[Run], value: f64) -> bool {
    (runs.last()).is_some_and(|run| run.end == i64::MAX && same(run.value, value))
}

/// Ends a run that goes on with this step. A run that begins later vanishes.
fn end(runs: &mut Vec<Run>, step: i64) {
    if let Some(last) = runs.last_mut().filter(|last| last.end == i64::MAX) {
        last.end = step;
    }
    if runs.last().is_some_and(|last| last.end < last.start) {
        runs.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(series: &str, value: f64) -> PastSample {
        PastSample {
            family: 0,
            series: series.to_owned(),
            value,
        }
    }

    fn runs(group: &SeriesGroup, series: &str) -> Vec<(i64, i64, f64)> {
        let runs = group.series.get(&(0, series.into()));
        let runs = runs.into_iter().flatten();
        runs.map(|run| (run.start, run.end, run.value)).collect()
    }

    #[test]
    fn a_series_that_pauses_or_changes_has_several_runs() {
        let mut group = SeriesGroup::default();
        group.set(3, vec![sample("a", 1.0), sample("b", 1.0)], None);
        group.set(5, vec![sample("a", 1.0)], None);
        group.set(7, vec![sample("a", 2.0), sample("b", 1.0)], None);
        group.close(9);
        assert_eq!(runs(&group, "a"), [(3, 6, 1.0), (7, 9, 2.0)]);
        assert_eq!(runs(&group, "b"), [(3, 4, 1.0), (7, 9, 1.0)]);
    }

    #[test]
    fn what_changes_twice_within_a_step_shows_the_last_value_only() {
        let mut group = SeriesGroup::default();
        group.set(1, vec![sample("a", 1.0)], None);
        group.set(2, vec![sample("a", 5.0)], None);
        group.set(2, vec![sample("a", 1.0)], None);
        group.set(4, vec![sample("a", 3.0)], None);
        group.set(4, vec![], None);
        group.close(8);
        assert_eq!(runs(&group, "a"), [(1, 3, 1.0)]);
    }

    #[test]
    fn a_series_ends_in_time_without_a_further_change() {
        let mut group = SeriesGroup::default();
        group.set(1, vec![sample("a", 1.0)], Some(3));
        group.set(6, vec![sample("a", 1.0)], None);
        group.close(9);
        assert_eq!(runs(&group, "a"), [(1, 3, 1.0), (6, 9, 1.0)]);
    }

    #[test]
    fn counters_end_where_the_exporter_goes_on() {
        let mut group = SeriesGroup::default();
        group.set(1, vec![sample("a", 1.0)], None);
        group.set(2, vec![sample("a", 4.0)], None);
        group.close(5);
        group.shift(|_| Some(2.0));
        assert_eq!(runs(&group, "a"), [(1, 1, 0.0), (2, 5, 2.0)]);
        group.shift(|_| Some(12.0));
        assert_eq!(runs(&group, "a"), [(1, 1, 10.0), (2, 5, 12.0)]);
    }
}
