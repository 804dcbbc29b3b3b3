//! The watched projects: whether they are found, what the token may do there, and whether any pipeline counts.

use std::collections::BTreeSet;

use ci_history::PipelineObservation;

use super::finding::{Findings, Level, Note};
use super::progress::Progress;
use crate::config::Watch;
use crate::gitlab::{Client, Error, ErrorKind, Order, PipelineQuery, ProjectAccess};

/// Most projects that are looked at.
pub(super) const MOST_PROJECTS: usize = 50;

/// Newest pipelines of a project that are looked at: one page.
pub(super) const NEWEST: usize = 100;

/// The roles by GitLab's number.
const ROLES: [(u64, &str); 8] = [
    (0, "No access"),
    (5, "Minimal Access"),
    (10, "Guest"),
    (15, "Planner"),
    (20, "Reporter"),
    (30, "Developer"),
    (40, "Maintainer"),
    (50, "Owner"),
];

/// The role that reads pipelines, jobs, schedules and logs of private projects.
const REPORTER: u64 = 20;

/// Words of a list in a message.
const NAMED: usize = 3;

/// A project as it was found.
pub(super) struct Seen {
    pub(super) access: ProjectAccess,
    /// Newest first.
    pub(super) pipelines: Vec<PipelineObservation>,
}

/// Looks at projects by their ids or paths.
pub(super) async fn look(
    client: &Client,
    watch: &Watch,
    names: &[String],
    progress: &Progress,
    findings: &Findings,
) -> Vec<Seen> {
    let (mut seen, mut notes) = (Vec::new(), Vec::new());
    let mut readable = 0;
    for (number, name) in names.iter().enumerate() {
        progress.says(&format!("project {} of {}", number + 1, names.len()));
        let access = match client.project_access(name).await {
            Ok(access) => access,
            Err(error) => {
                notes.push(not_found(name, &error));
                continue;
            }
        };
        let query = PipelineQuery {
            order: Order::Id,
            at_most: Some(NEWEST),
            ..PipelineQuery::default()
        };
        let id = access.project.id;
        let pipelines = client.find_pipelines(id, &query, &|_| true).await;
        let pipelines = pipelines.map(|listing| listing.items);
        notes.extend(judge(watch, &access, pipelines.as_ref().map(Vec::as_slice)));
        if let Ok(pipelines) = pipelines {
            readable += 1;
            seen.push(Seen { access, pipelines });
        }
    }
    findings.add_grouped(notes);
    if readable > 0 {
        findings.ok(format!(
            "the pipelines of {readable} of {} projects that were looked at can be read",
            names.len()
        ));
    }
    seen
}

fn not_found(name: &str, error: &Error) -> Note {
    let message = if error.is_not_found() {
        "GitLab answers 404: it does not exist, or the token's user is no member, which GitLab does not tell apart. Check the \
         spelling, then add the user with the role Reporter"
            .to_owned()
    } else {
        error.to_string()
    };
    Note {
        level: Level::Error,
        subject: name.to_owned(),
        message,
    }
}

/// What is to be said of one project. Nothing is if all is well.
fn judge(
    watch: &Watch,
    access: &ProjectAccess,
    pipelines: Result<&[PipelineObservation], &Error>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |level, message: String| {
        notes.push(Note {
            level,
            subject: access.project.path.to_string(),
            message,
        });
    };
    let project = &access.project;
    if project.archived {
        note(
            Level::Warning,
            "archived: no pipelines run there".to_owned(),
        );
    }
    if access.ci_is_disabled {
        let message = "CI/CD is switched off there (Settings, General, Visibility)";
        note(Level::Warning, message.to_owned());
        return notes;
    }
    if watch.refs.includes_default() && project.hides_default_branch {
        let message = "GitLab hides its default branch, so none of its pipelines counts: the token's user needs the role \
                       Reporter, and access to the repository";
        note(Level::Error, message.to_owned());
    } else if watch.refs.only_default() && project.default_branch.is_none() {
        note(
            Level::Warning,
            "it has no default branch yet: the repository is empty".to_owned(),
        );
    }
    match pipelines {
        Err(error) => note(Level::Error, refused(access.role, error)),
        Ok(pipelines) => {
            if let Some(role) = access.role.filter(|role| *role < REPORTER) {
                let message = format!(
                    "the token's user has the role {}: pipelines can be read only because the project shows them to \
                     everybody, and logs and schedules may be refused. Give it the role Reporter",
                    role_name(role)
                );
                note(Level::Warning, message);
            }
            if let Some(why) = nothing_counts(watch, project.default_branch.as_deref(), pipelines) {
                note(Level::Warning, why);
            }
        }
    }
    notes
}

fn refused(role: Option<u64>, error: &Error) -> String {
    match (error.kind(), role) {
        (ErrorKind::Forbidden(_), Some(role)) if role < REPORTER => format!(
            "the token may not read pipelines: its user has the role {}, wanted Reporter or more",
            role_name(role)
        ),
        (ErrorKind::Forbidden(_), None) => {
            "the token may not read pipelines: its user is no member, wanted the role Reporter or more"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

pub(super) fn role_name(role: u64) -> String {
    let known = ROLES.iter().find(|(level, _)| *level == role);
    known.map_or_else(
        || format!("with access level {role}"),
        |(_, name)| (*name).to_owned(),
    )
}

/// Why none of the newest pipelines counts; `None` if one does.
fn nothing_counts(
    watch: &Watch,
    default_branch: Option<&str>,
    pipelines: &[PipelineObservation],
) -> Option<String> {
    if pipelines.is_empty() {
        return Some("it has no pipelines yet".to_owned());
    }
    let on_refs: Vec<_> = pipelines
        .iter()
        .filter(|it| watch.refs.watches(&it.ref_name, it.tag, default_branch))
        .collect();
    if on_refs.is_empty() {
        let refs = pipelines.iter().map(|it| &*it.ref_name);
        return Some(format!(
            "none of its newest pipelines is on a watched ref: they are on {}, and `watch.refs` is {}",
            some_of(refs),
            watch.refs
        ));
    }
    let is_counted = |it: &&PipelineObservation| watch.sources.matches(it.source.as_deref());
    if on_refs.iter().any(is_counted) {
        return None;
    }
    let sources = on_refs.iter().filter_map(|it| it.source.as_deref());
    Some(format!(
        "none of its newest pipelines on watched refs counts: {} started them, and `watch.sources` is {}",
        some_of(sources),
        watch.sources
    ))
}

/// The first few different words.
fn some_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: BTreeSet<_> = words.collect();
    let named: Vec<_> = words
        .iter()
        .take(NAMED)
        .map(|word| format!("`{word}`"))
        .collect();
    let others = words.len().saturating_sub(NAMED);
    let more = if others > 0 {
        format!(" and {others} more")
    } else {
        String::new()
    };
    format!("{}{more}", named.join(", "))
}
