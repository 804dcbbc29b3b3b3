//! From figures to fragments: the text of one timeline or project, family by family.

use std::sync::Arc;

use ci_history::{JobRow, TimelineRows};

use super::families::{Described, JOBS, Job, PIPELINES, PROJECTS};
use super::fragments::{Deflater, Fragments};
use super::polls::ProjectPolls;
use super::text::{Lines, push_header, push_label, shown};

/// The HELP and TYPE lines of the families, a piece each.
pub(super) fn headers(
    deflater: &mut Deflater,
    families: impl Iterator<Item = Described>,
) -> Arc<Fragments> {
    for family in families {
        let mut text = String::new();
        push_header(&mut text, family.name, family.kind.as_str(), family.help);
        deflater.push(&text);
    }
    Arc::new(deflater.finish(0))
}

/// The jobs that are shown: those that were executed or are in flight, each name once.
pub(super) fn exposed<'a>(
    rows: &'a TimelineRows,
    team: &dyn Fn(&str, &str) -> Option<Arc<str>>,
) -> Vec<Job<'a>> {
    // Two names are shown alike only where NUL was replaced.
    let taken = |row: &JobRow| {
        let name = shown(&row.name);
        name != *row.name && rows.jobs.iter().any(|other| *other.name == *name)
    };
    let jobs = rows
        .jobs
        .iter()
        .filter(|row| row.figures.is_worth_showing() && !taken(row));
    jobs.map(|row| Job {
        row,
        team: team(&rows.project, &row.name),
    })
    .collect()
}

/// The families of jobs and pipelines, a piece each.
pub(super) fn render(deflater: &mut Deflater, rows: &TimelineRows, jobs: &[Job<'_>]) -> Fragments {
    let mut base = String::new();
    push_label(&mut base, "project", &rows.project);
    base.push(',');
    push_label(&mut base, "ref", &rows.ref_name);
    let bases: Vec<String> = jobs.iter().map(|job| job_base(&base, job.row)).collect();
    let mut text = String::new();
    let mut count = 0;
    for family in JOBS {
        text.clear();
        for (job, base) in jobs.iter().zip(&bases) {
            let mut lines = Lines {
                out: &mut text,
                count: &mut count,
                name: family.described.name,
                base,
            };
            (family.emit)(job, &mut lines);
        }
        deflater.push(&text);
    }
    for family in PIPELINES {
        text.clear();
        let mut lines = Lines {
            out: &mut text,
            count: &mut count,
            name: family.described.name,
            base: &base,
        };
        (family.emit)(&rows.pipelines, &mut lines);
        deflater.push(&text);
    }
    deflater.finish(count)
}

fn job_base(base: &str, row: &JobRow) -> String {
    let mut labels = String::with_capacity(base.len() + row.name.len() + 16);
    labels.push_str(base);
    labels.push(',');
    push_label(&mut labels, "job_name", &row.name);
    labels
}

/// The families of projects, a piece each.
pub(super) fn render_project(
    deflater: &mut Deflater,
    project: &str,
    polls: &ProjectPolls,
) -> Fragments {
    let mut base = String::new();
    push_label(&mut base, "project", project);
    let mut count = 0;
    for family in PROJECTS {
        let mut text = String::new();
        let mut lines = Lines {
            out: &mut text,
            count: &mut count,
            name: family.described.name,
            base: &base,
        };
        (family.emit)(polls, &mut lines);
        deflater.push(&text);
    }
    deflater.finish(count)
}
