//! The past of series: what they would have been had Prometheus been running all the time.

use std::collections::BTreeSet;
use std::time::Duration;

use testkit::company::{self, Exporter, STAGE_JOBS};

use super::prometheus::{INTERVAL, Prometheus};
use super::remote_write::{Encoded, send};
use super::series::{Series, of_page};

/// The rules look back ten minutes.
const RECENT: Duration = Duration::from_mins(12);

/// Range of the dashboards.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// After this time other jobs of the same stages fail.
const SHIFT: Duration = Duration::from_hours(6);

/// Between two samples of a series that the dashboards select as an instant vector. A query takes the last sample of five
/// minutes, so it gets the same points from this as from every scrape.
const COARSE: Duration = Duration::from_mins(5);

/// Between two samples of a series of which the dashboards select ranges.
const FINE: Duration = Duration::from_mins(1);

/// Samples of one request come from so much time. Prometheus takes nothing that is an hour older than the newest.
const BATCH: Duration = Duration::from_mins(30);

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

fn now() -> i64 {
    company::now().unix() * 1000
}

/// The last minutes of everything that is exposed, every scrape.
pub(super) async fn recent(prometheus: &Prometheus, exporters: &[Exporter]) {
    let end = now();
    for exporter in exporters {
        let instance = exporter.address().to_string();
        let page = exporter.page().await;
        let series = of_page(&page, &instance, |_| true).into_iter();
        let samples = |series: Series| {
            let times = (1..millis(RECENT) / millis(INTERVAL)).rev();
            let times = times.map(|back| end - back * millis(INTERVAL));
            Encoded::new(&series).with(times.map(|time| (time, series.value)))
        };
        send(prometheus, series.map(samples)).await;
    }
}

/// Names that the queries of dashboards select.
pub(super) struct Selected {
    pub(super) names: BTreeSet<String>,
    /// Those of which they select ranges.
    pub(super) ranges: BTreeSet<String>,
}

/// A day of the series that the dashboards select. Returns the number of series, and the end in seconds.
pub(super) async fn day(
    prometheus: &Prometheus,
    exporters: &[Exporter],
    recorded: &[Series],
    selected: &Selected,
) -> (usize, i64) {
    let mut series = recorded.to_vec();
    for exporter in exporters {
        let instance = exporter.address().to_string();
        let page = exporter.page().await;
        series.extend(of_page(&page, &instance, |name| {
            selected.names.contains(name)
        }));
    }
    let end = now() / millis(COARSE) * millis(COARSE);
    let shifts = u64::try_from(millis(DAY) / millis(SHIFT)).unwrap();
    for shift in (0..shifts).rev() {
        let shift_end = end - millis(SHIFT) * shift.cast_signed();
        let past: Vec<_> = series
            .iter()
            .map(|series| Past::new(series, shift, selected))
            .collect();
        for batch in (0..millis(SHIFT) / millis(BATCH)).rev() {
            let batch_end = shift_end - millis(BATCH) * batch;
            send(
                prometheus,
                past.iter().map(|past| past.batch(batch_end, end)),
            )
            .await;
        }
    }
    (series.len(), end / 1000)
}

/// A series during one shift.
struct Past<'a> {
    series: &'a Series,
    encoded: Encoded,
    step: i64,
    change: Change,
}

/// How a value changes every half hour.
#[derive(Clone, Copy)]
enum Change {
    None,
    /// Grows by one.
    Count,
    /// Grows by the time that passes.
    Clock,
    /// Goes up and down a little.
    Wave,
}

const CHANGES_EVERY: i64 = 1_800_000;

impl<'a> Past<'a> {
    fn new(series: &'a Series, shift: u64, selected: &Selected) -> Self {
        let name = series.name();
        let is_fine = selected.ranges.contains(name);
        let change = if name.ends_with("_total") {
            Change::Count
        } else if name.contains("last_") && name.ends_with("_timestamp_seconds") {
            Change::Clock
        } else if name.ends_with("duration_seconds") {
            Change::Wave
        } else {
            Change::None
        };
        Self {
            series,
            encoded: Encoded::new(&shifted(series, shift)),
            step: millis(if is_fine { FINE } else { COARSE }),
            change,
        }
    }

    fn batch(&self, batch_end: i64, end: i64) -> Vec<u8> {
        let steps = (0..millis(BATCH) / self.step).rev();
        let times = steps.map(|back| batch_end - back * self.step);
        self.encoded
            .with(times.map(|time| (time, self.value((end - time) / CHANGES_EVERY))))
    }

    fn value(&self, changes_ago: i64) -> f64 {
        let value = self.series.value;
        match self.change {
            Change::None => value,
            Change::Count => (value - changes_ago as f64).max(0.0),
            Change::Clock => value - (changes_ago * CHANGES_EVERY / 1000) as f64,
            Change::Wave => value * (1.0 + (changes_ago % 7) as f64 / 50.0),
        }
    }
}

/// The series of the job that was in the place of this one: another one of its stage.
fn shifted(series: &Series, shift: u64) -> Series {
    let mut series = series.clone();
    for (name, value) in &mut series.labels {
        let end = format!("/{STAGE_JOBS}");
        if name == "job_name"
            && let Some((start, number)) = value
                .strip_suffix(&end)
                .and_then(|rest| rest.rsplit_once(' '))
        {
            let number: u64 = number.parse().unwrap();
            let other = (number - 1 + shift) % STAGE_JOBS + 1;
            *value = format!("{start} {other}{end}");
        }
    }
    series
}
