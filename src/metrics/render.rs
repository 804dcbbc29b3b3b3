//! From figures to fragments: the text of one timeline or project, family by family.

use std::sync::Arc;

use ci_history::{JobRow, TimelineRows};

use super::catalog::{Described, push_families};
use super::families::{JOBS, Job, PIPELINES, PROJECTS};
use super::format::Format;
use super::fragments::{Deflater, Fragments};
use super::options::ExpositionOptions;
use super::page::Headers;
use super::polls::ProjectPolls;
use super::text::{labels, shown};

/// The HELP and TYPE lines of the families in each format, a piece each.
pub(super) fn headers(
    deflater: &mut Deflater,
    families: &(impl Iterator<Item = Described> + Clone),
) -> Headers {
    let mut of_format = |format: Format| {
        for family in families.clone() {
            let mut text = String::new();
            format.push_header(&mut text, &family);
            deflater.push(&text);
        }
        Arc::new(deflater.finish(0))
    };
    Headers {
        text: of_format(Format::Text),
        open_metrics: of_format(Format::OpenMetrics),
    }
}

/// The jobs of a piece that are shown: those that were executed or are in flight, each name once.
pub(super) fn exposed<'a>(
    rows: &'a TimelineRows,
    of_piece: &'a [JobRow],
    team: &dyn Fn(&str, &str) -> Option<Arc<str>>,
    options: &ExpositionOptions,
) -> Vec<Job<'a>> {
    // Two names are shown alike only where NUL was replaced, and then the piece is the whole timeline.
    let taken = |row: &JobRow| {
        let name = shown(&row.name);
        name != *row.name && rows.jobs.iter().any(|other| *other.name == *name)
    };
    let jobs = of_piece
        .iter()
        .filter(|row| row.figures.is_worth_showing() && !taken(row));
    jobs.map(|row| Job {
        row,
        team: team(&rows.project, &row.name),
        shows_log_line: options.shows_log_lines(),
        url: row
            .figures
            .failing
            .as_ref()
            .and_then(|_| options.job_url(rows, &row.name)),
    })
    .collect()
}

/// The families of jobs and pipelines, a piece each. The first piece of a timeline has those of its pipelines.
pub(super) fn render(
    deflater: &mut Deflater,
    rows: &TimelineRows,
    jobs: &[Job<'_>],
    is_first: bool,
    options: &ExpositionOptions,
) -> Fragments {
    let mut pairs = vec![("project", &*rows.project), ("ref", &*rows.ref_name)];
    pairs.extend(rows.track.as_deref().map(|track| ("track", track)));
    let base = labels(&pairs);
    let job_base = |job: &Job<'_>| format!("{base},{}", labels(&[("job_name", &job.row.name)]));
    let jobs: Vec<_> = jobs.iter().map(|job| (job, job_base(job))).collect();
    let count = push_families(deflater, JOBS, &jobs, |job, family| {
        options.shows(family) && job.has(family)
    });
    let pipelines = is_first.then_some((&rows.pipelines, base));
    let pipelines = push_families(deflater, PIPELINES, pipelines.as_slice(), |_, family| {
        options.shows(family)
    });
    deflater.finish(count + pipelines)
}

/// The families of projects, a piece each.
pub(super) fn render_project(
    deflater: &mut Deflater,
    project: &str,
    polls: &ProjectPolls,
    options: &ExpositionOptions,
) -> Fragments {
    let base = labels(&[("project", project)]);
    let count = push_families(deflater, PROJECTS, &[(polls, base)], |_, family| {
        options.shows(family)
    });
    deflater.finish(count)
}
