//! The watched groups: how many projects they have, and which exclude patterns exclude nothing.

use std::collections::BTreeMap;

use globset::GlobBuilder;

use super::finding::Findings;
use super::token::Kind;
use crate::cli::table::counted;
use crate::config::{Config, Group};
use crate::gitlab::{Client, Error, Project};

/// Lists all groups. Returns their projects that are watched by this shard, by id.
pub(super) async fn list(
    client: &Client,
    config: &Config,
    kind: Option<&Kind>,
    findings: &Findings,
) -> BTreeMap<u64, Project> {
    let mut watched = BTreeMap::new();
    for (number, group) in config.watch.groups.iter().enumerate() {
        let listing = client
            .group_projects(&group.path, group.include_subgroups)
            .await;
        match listing {
            Ok(listing) => {
                let globs = exclude_globs(config, number);
                let kept = judge(group, &globs, listing.items, findings);
                watched.extend(kept.into_iter().map(|project| (project.id, project)));
            }
            Err(error) => findings.error(refused(group, kind, &error)),
        }
    }
    let shard = config.watch.shard;
    let all = watched.len();
    watched.retain(|id, _| shard.owns(*id));
    if all > 0 && watched.is_empty() {
        findings.warn(format!(
            "none of the {all} projects is of the shard {shard}"
        ));
    }
    watched
}

/// The exclude patterns of a group, as they were written.
fn exclude_globs(config: &Config, number: usize) -> Vec<String> {
    let key = format!("watch.groups[{number}].exclude");
    let mut settings = config.settings().iter();
    let setting = settings.find(|setting| setting.key == key);
    let value = setting.and_then(|setting| setting.value.as_deref());
    value
        .and_then(|yaml| serde_yaml::from_str(yaml).ok())
        .unwrap_or_default()
}

/// Judges the list of a group. Returns the projects that are not excluded.
fn judge(
    group: &Group,
    globs: &[String],
    projects: Vec<Project>,
    findings: &Findings,
) -> Vec<Project> {
    let (path, all) = (&group.path, projects.len());
    for glob in globs {
        let matcher = GlobBuilder::new(glob).literal_separator(true).build();
        let excludes = matcher.is_ok_and(|glob| {
            let glob = glob.compile_matcher();
            projects.iter().any(|project| glob.is_match(&*project.path))
        });
        if !excludes && all > 0 {
            findings.warn(format!(
                "{path}: the exclude pattern `{glob}` excludes none of its projects; it has to match the whole path, such as {}",
                projects[0].path
            ));
        }
    }
    let kept = projects
        .into_iter()
        .filter(|project| !group.exclude.is_match(&*project.path));
    let kept: Vec<_> = kept.collect();
    let subgroups = if group.include_subgroups {
        "with"
    } else {
        "without"
    };
    let found = counted(all, "project");
    match (all, kept.len()) {
        (0, _) => findings.warn(format!(
            "{path} ({subgroups} subgroups): GitLab lists no projects: the group is empty, all of them are archived, or the \
             token's user is a member of none"
        )),
        (_, 0) => findings.warn(format!(
            "{path} ({subgroups} subgroups): {found}, and `exclude` leaves out all of them"
        )),
        (_, watched) if watched == all => {
            findings.ok(format!("{path} ({subgroups} subgroups): {found}"));
        }
        (_, watched) => findings.ok(format!(
            "{path} ({subgroups} subgroups): {found}, {watched} after `exclude`"
        )),
    }
    kept
}

fn refused(group: &Group, kind: Option<&Kind>, error: &Error) -> String {
    let path = &group.path;
    match kind {
        Some(Kind::Project(id)) if error.is_not_found() => format!(
            "{path}: a project access token sees its project {id} and no group. Use a group access token, or list projects in \
             `watch.projects`"
        ),
        _ if error.is_not_found() => format!(
            "{path}: GitLab answers 404: the group does not exist, or the token's user is no member, which GitLab does not tell \
             apart. Check the spelling, then add the user with the role Reporter"
        ),
        _ => format!("{path}: {error}"),
    }
}
