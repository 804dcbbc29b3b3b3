//! `GET /schedules` and `GET /api/v1/schedules`: when pipeline schedules ran and run, and which are late or off.

use std::cmp::Ordering;

use ci_history::Timestamp;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::context::Context;
use super::format::{ago, ahead, link};
use super::grid_path::grid_path;
use super::layout::Tab;
use super::list_page::{List, ListRow};
use super::list_query::Row;
use super::query::PageQuery;
use super::sorting::{Column, Sorting};
use super::status::ScheduleEntry;

/// Seconds after which a schedule is late: `ci_default:late_seconds:threshold` of the shipped rules.
const LATE: i64 = 900;

/// How a schedule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// GitLab should have run it.
    Late,
    /// GitLab itself switched it off.
    SwitchedOff,
    /// Somebody switched it off.
    Off,
    On,
}

/// A schedule, and how it is now.
pub(super) struct ScheduleListing {
    entry: ScheduleEntry,
    state: State,
    /// When a late schedule should have run.
    due: Option<Timestamp>,
}

/// A column of the list of schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScheduleColumn {
    Schedule,
    Project,
    Ref,
    State,
    Last,
    Next,
}

impl Column for ScheduleColumn {
    const ALL: &'static [Self] = &[
        Self::Schedule,
        Self::Project,
        Self::Ref,
        Self::State,
        Self::Last,
        Self::Next,
    ];

    fn key(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Project => "project",
            Self::Ref => "ref",
            Self::State => "state",
            Self::Last => "last",
            Self::Next => "next",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Schedule => "Schedule",
            Self::Project => "Project",
            Self::Ref => "Ref",
            Self::State => "State",
            Self::Last => "Last run",
            Self::Next => "Next run",
        }
    }

    fn descends(self) -> bool {
        self == Self::Last
    }
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::SwitchedOff => "switched_off",
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

impl Row for ScheduleListing {
    type Column = ScheduleColumn;

    const PATH: &'static str = "/schedules";
    const USUAL: ScheduleColumn = ScheduleColumn::State;
    const STATES: &'static [(&'static str, &'static str)] = &[
        ("late", "late"),
        ("switched_off", "switched off by GitLab"),
        ("off", "off"),
        ("on", "on"),
    ];

    fn texts(&self) -> Vec<&str> {
        let row = &self.entry.row;
        vec![&self.entry.project, &row.description, &row.ref_name]
    }

    fn has_state(&self, state: &str) -> bool {
        self.state.as_str() == state
    }

    fn compare(&self, other: &Self, sorting: Sorting<ScheduleColumn>) -> Ordering {
        let (a, b) = (&self.entry, &other.entry);
        let next = |it: &Self| it.entry.row.next_run.filter(|_| it.entry.row.active);
        match sorting.column {
            ScheduleColumn::Schedule => sorting.compare(&a.row.description, &b.row.description),
            ScheduleColumn::Project => sorting.compare(&a.project, &b.project),
            ScheduleColumn::Ref => sorting.compare(&a.row.ref_name, &b.row.ref_name),
            ScheduleColumn::State => sorting.compare(&self.state, &other.state),
            ScheduleColumn::Last => sorting.compare_known(a.row.last_run, b.row.last_run),
            ScheduleColumn::Next => sorting.compare_known(next(self), next(other)),
        }
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        let names = |it: &Self| {
            (
                it.entry.project.clone(),
                it.entry.row.description.clone(),
                it.entry.row.id,
            )
        };
        names(self).cmp(&names(other))
    }
}

impl ScheduleListing {
    fn of(entry: ScheduleEntry, now: Timestamp) -> Self {
        let row = &entry.row;
        let due = row.missed.or(row.next_run);
        let due = due.filter(|due| row.active && due.unix().saturating_add(LATE) < now.unix());
        let state = if due.is_some() {
            State::Late
        } else if row.switched_off.is_some() {
            State::SwitchedOff
        } else if row.active {
            State::On
        } else {
            State::Off
        };
        Self { entry, state, due }
    }
}

impl ListRow for ScheduleListing {
    const TITLE: &'static str = "Schedules";
    const NAME: &'static str = "schedules";
    const SEARCHED: &'static str = "Schedule, project or ref";
    const NO_MATCH: &'static str = "No schedule matches.";

    fn none() -> Markup {
        html! { "No pipeline schedule of the watched projects is known. The exporter reads them every second " code { "watch.idle_interval" } ". Its token needs the role Developer in a project to see them." }
    }

    fn json(&self) -> Value {
        let unix = |time: Option<Timestamp>| time.map(Timestamp::unix);
        let row = &self.entry.row;
        json!({
            "project": self.entry.project,
            "ref": row.ref_name,
            "schedule": row.description,
            "id": row.id,
            "state": self.state.as_str(),
            "active": row.active,
            "next_run_timestamp_seconds": unix(row.next_run.filter(|_| row.active)),
            "last_run_timestamp_seconds": unix(row.last_run),
            "missed_run_timestamp_seconds": unix(row.missed),
            "switched_off_timestamp_seconds": unix(row.switched_off),
        })
    }

    fn markup(&self, now: Timestamp) -> Markup {
        schedule_row(self, now)
    }
}

impl List for ScheduleListing {
    const TAB: Tab = Tab::Schedules;

    fn all(context: &Context, now: Timestamp) -> Vec<Self> {
        let entries = context.status.schedules().into_iter();
        entries.map(|entry| Self::of(entry, now)).collect()
    }
}

fn schedule_row(listing: &ScheduleListing, now: Timestamp) -> Markup {
    let ScheduleEntry {
        project,
        project_url,
        row,
    } = &listing.entry;
    let in_gitlab = project_url
        .as_deref()
        .map(|base| format!("{base}/-/pipeline_schedules"));
    html! {
        tr {
            th.name scope="row" { (link(in_gitlab.as_deref(), &html! { bdi { (row.description) } })) }
            td data-label="Project" { a href=(PageQuery::of_project(project).url(1)) { bdi { (project) } } }
            td data-label="Ref" {
                @match grid_path(project, &row.ref_name, None) {
                    Some(path) => a href=(path) { bdi { (row.ref_name) } },
                    None => bdi { (row.ref_name) },
                }
            }
            td.states { (state(listing, now)) }
            td data-label="Last run" {
                @match row.last_run { Some(at) => (ago(at, now)), None => span.faint { "not known" } }
            }
            td data-label="Next run" {
                @match row.next_run.filter(|_| row.active) {
                    Some(at) if at < now && listing.due.is_none() => { "was due " (ago(at, now)) },
                    Some(at) if at < now => span.faint { "none yet" },
                    Some(at) => (ahead(at, now)),
                    None => span.faint { "none" },
                }
            }
        }
    }
}

fn state(listing: &ScheduleListing, now: Timestamp) -> Markup {
    html! {
        @match listing.state {
            State::Late => {
                span.badge.bad { "✕ Late" }
                @if let Some(due) = listing.due { small { "was due " (ago(due, now)) } }
            },
            State::SwitchedOff => {
                span.badge.bad { "– Switched off by GitLab" }
                @if let Some(at) = listing.entry.row.switched_off { small { (ago(at, now)) } }
            },
            State::Off => span.badge { "– Off" },
            State::On => span.badge.good { "✓ On" },
        }
    }
}
