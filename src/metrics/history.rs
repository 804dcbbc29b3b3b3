//! The samples that a timeline would have exposed at some time of the past.

use std::sync::{Arc, LazyLock};

use ci_history::{JobRow, TimelineRows};

use super::catalog::{Described, Family};
use super::families::{JOBS, Job, PIPELINES};
use super::options::ExpositionOptions;
use super::render::exposed;
use super::text::{Lines, labels};

/// Families that tell of a moment only: they are of no use in the past, and their labels change with every failure.
const OF_THE_MOMENT: [&str; 5] = [
    "job_running_start_timestamp_seconds",
    "job_pending_start_timestamp_seconds",
    "job_failure_info",
    "job_failure_log_info",
    "pipeline_failure_info",
];

/// A sample of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct PastSample {
    /// Number of the family in [`past_families`].
    pub family: usize,
    /// Name and labels: `job_info{project="a/b",..}`.
    pub series: String,
    /// The value, as Prometheus stores it.
    pub value: f64,
}

static KEPT: LazyLock<Vec<Described>> = LazyLock::new(|| {
    let jobs = JOBS.iter().map(|family| family.described);
    let all = jobs.chain(PIPELINES.iter().map(|family| family.described));
    all.filter(|family| !OF_THE_MOMENT.contains(&family.name))
        .collect()
});

/// The families of jobs and pipelines that are worth writing for the past.
pub fn past_families() -> &'static [Described] {
    &KEPT
}

/// The escaped text of labels: `a="b",c="d"`.
pub fn label_text(pairs: &[(&str, &str)]) -> String {
    labels(pairs)
}

/// The samples of the pipelines of a timeline.
pub fn samples_of_pipelines(rows: &TimelineRows) -> Vec<PastSample> {
    samples(
        PIPELINES,
        |family, lines| (family.emit)(&rows.pipelines, lines),
        &base(rows),
    )
}

/// The samples of each job that is exposed, with its row. `team` gives the owner by the project and the job.
pub fn samples_of_jobs<'a>(
    rows: &'a TimelineRows,
    team: &dyn Fn(&str, &str) -> Option<Arc<str>>,
) -> Vec<(&'a JobRow, Vec<PastSample>)> {
    let base = base(rows);
    let of_job = |job: &Job<'a>| {
        let base = format!("{base},{}", labels(&[("job_name", &job.row.name)]));
        let emit = |family: &Family<super::families::OfJob>, lines: &mut Lines<'_>| {
            if job.has(&family.described) {
                (family.emit)(job, lines);
            }
        };
        (job.row, samples(JOBS, emit, &base))
    };
    exposed(rows, &rows.jobs, team, &ExpositionOptions::default())
        .iter()
        .map(of_job)
        .collect()
}

fn base(rows: &TimelineRows) -> String {
    let mut pairs = vec![("project", &*rows.project), ("ref", &*rows.ref_name)];
    pairs.extend(rows.track.as_deref().map(|track| ("track", track)));
    labels(&pairs)
}

fn samples<Emit>(
    families: &'static [Family<Emit>],
    emit: impl Fn(&Family<Emit>, &mut Lines<'_>),
    base: &str,
) -> Vec<PastSample> {
    let mut samples = Vec::new();
    let (mut text, mut count) = (String::new(), 0);
    for family in families {
        let name = family.described.name;
        let Some(number) = KEPT.iter().position(|kept| kept.name == name) else {
            continue;
        };
        text.clear();
        let mut lines = Lines {
            out: &mut text,
            count: &mut count,
            name,
            base,
        };
        emit(family, &mut lines);
        // A label value holds no line break: it is escaped.
        let lines = text.split_terminator('\n');
        samples.extend(lines.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some(PastSample {
                family: number,
                series: series.to_owned(),
                value: value.parse().ok()?,
            })
        }));
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_exists_and_the_rest_is_kept() {
        for name in OF_THE_MOMENT {
            let mut all = JOBS.iter().map(|family| family.described.name);
            let mut pipelines = PIPELINES.iter().map(|family| family.described.name);
            assert!(
                all.any(|it| it == name) || pipelines.any(|it| it == name),
                "{name}"
            );
        }
        assert_eq!(
            KEPT.len() + OF_THE_MOMENT.len(),
            JOBS.len() + PIPELINES.len()
        );
    }
}
