//! The families of pipeline schedules, and the text of a project's.

use std::collections::BTreeSet;
use std::sync::Arc;

use ci_history::Timestamp;

use super::catalog::{Described, Family, Kind, OfRow, push_families};
use super::fragments::{Deflater, Fragments};
use super::options::ExpositionOptions;
use super::text::{labels, shown};

/// One schedule, as it is exposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// GitLab's id, which tells schedules with one description apart.
    pub id: u64,
    /// Its description.
    pub description: Arc<str>,
    /// Branch or tag.
    pub ref_name: Arc<str>,
    /// When it is to run next, or should have.
    pub next_run: Option<Timestamp>,
    /// When it last ran.
    pub last_run: Option<Timestamp>,
    /// The newest time at which it should have run, if no pipeline came of it.
    pub missed: Option<Timestamp>,
    /// When GitLab itself switched it off.
    pub switched_off: Option<Timestamp>,
    /// Whether GitLab runs it.
    pub active: bool,
}

const fn family(
    name: &'static str,
    help: &'static str,
    emit: OfRow<ScheduleRow>,
) -> Family<OfRow<ScheduleRow>> {
    Family {
        described: Described {
            name,
            kind: Kind::Gauge,
            help,
            labels: &["project", "ref", "schedule"],
        },
        emit,
    }
}

/// The families of schedules.
pub(super) static SCHEDULES: &[Family<OfRow<ScheduleRow>>] = &[
    family(
        "schedule_next_run_timestamp_seconds",
        "When GitLab is to run the schedule next; in the past if it has not. Only while it is active.",
        |row, lines| lines.maybe(row.next_run.filter(|_| row.active)),
    ),
    family(
        "schedule_last_run_timestamp_seconds",
        "When the last pipeline of the schedule was created.",
        |row, lines| lines.maybe(row.last_run),
    ),
    family(
        "schedule_missed_run_timestamp_seconds",
        "The newest time at which GitLab should have run the schedule and created no pipeline. Only until one is created.",
        |row, lines| lines.maybe(row.missed),
    ),
    family(
        "schedule_switched_off_timestamp_seconds",
        "When GitLab itself switched the schedule off. Only until somebody edits it or switches it on.",
        |row, lines| lines.maybe(row.switched_off),
    ),
    family(
        "schedule_active",
        "1 if the schedule is switched on, else 0.",
        |row, lines| lines.sample(u64::from(row.active)),
    ),
];

/// The families of schedules, a piece each; rows in the order of their ids.
pub(super) fn render(
    deflater: &mut Deflater,
    project: &str,
    rows: &[ScheduleRow],
    options: &ExpositionOptions,
) -> Fragments {
    let rows: Vec<_> = rows.iter().zip(bases(project, rows)).collect();
    let count = push_families(deflater, SCHEDULES, &rows, |_, family| {
        options.shows(family)
    });
    deflater.finish(count)
}

/// The labels of each row. The first of several with one description keeps it, so that its series go on.
fn bases(project: &str, rows: &[ScheduleRow]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let bases = rows.iter().map(|row| {
        let mut name = shown(&row.description).into_owned();
        while !taken.insert((shown(&row.ref_name), name.clone())) {
            name = format!("{name} (id {})", row.id);
        }
        labels(&[
            ("project", project),
            ("ref", &row.ref_name),
            ("schedule", &name),
        ])
    });
    bases.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, description: &str, ref_name: &str) -> ScheduleRow {
        ScheduleRow {
            id,
            description: description.into(),
            ref_name: ref_name.into(),
            next_run: None,
            last_run: None,
            missed: None,
            switched_off: None,
            active: true,
        }
    }

    #[test]
    fn schedules_of_one_description_and_ref_are_told_apart_by_their_ids() {
        let rows = [
            row(1, "nightly", "main"),
            row(2, "nightly", "next"),
            row(3, "nightly", "main"),
            row(4, "nightly (id 3)", "main"),
            row(5, "", "main"),
            row(6, "", "main"),
        ];
        let names: Vec<_> = bases("a", &rows)
            .into_iter()
            .map(|base| base.rsplit_once("schedule=").unwrap().1.to_owned())
            .collect();
        let wanted = [
            "\"nightly\"",
            "\"nightly\"",
            "\"nightly (id 3)\"",
            "\"nightly (id 3) (id 4)\"",
            "\"\"",
            "\" (id 6)\"",
        ];
        assert_eq!(names, wanted);
    }
}
