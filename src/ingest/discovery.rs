//! From the configuration's projects and groups to the projects that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tracing::Instrument as _;

use super::events::{FormerProject, Origin};
use super::reader::Reader;
use super::span::project_span;
use crate::base::project_problem::ProjectProblem;
use crate::config::{Group, Watch};
use crate::gitlab::{Error, ErrorKind, Project};
use ci_history::Shard;

/// The projects of the configuration's names, as they were found last.
#[derive(Default)]
pub(super) struct Catalog {
    found: BTreeMap<Name, Vec<Project>>,
    /// Projects that were found before the start, until their group answers.
    former: BTreeMap<Name, Vec<Project>>,
    /// Projects that left their group's list and were refused once. A single answer is not believed.
    refused: BTreeSet<u64>,
}

/// A name in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Group(String),
    Project(String),
}

/// What one discovery found.
#[derive(Debug, Default)]
pub struct Discovery {
    /// The watched projects of this shard, by id.
    pub projects: BTreeMap<u64, Project>,
    /// The groups of those that the configuration does not name itself, by the id of the project.
    pub groups: BTreeMap<u64, Arc<str>>,
    /// Names of the configuration that could not be found, and why.
    pub failures: Vec<(String, Error)>,
    /// Projects that were watched, left the list of their group, and are not watched any more.
    pub lost: Vec<(Project, ProjectProblem)>,
    /// Whether every name was found, and every record in the answers was valid.
    pub complete: bool,
}

impl Reader {
    /// Asks once for the projects and groups of the configuration.
    pub async fn discover(&self) -> Discovery {
        self.discover_again(&mut Catalog::default()).await
    }

    /// Asks for the projects and groups of the configuration. A name that fails keeps the projects of the
    /// last time.
    pub(super) async fn discover_again(&self, catalog: &mut Catalog) -> Discovery {
        let mut complete = true;
        let mut failures = Vec::new();
        let mut lost = Vec::new();
        for group in &self.watch.groups {
            let name = Name::Group(group.path.clone());
            let asking = self.group(group, &name, catalog);
            match asking.instrument(project_span(&group.path)).await {
                Ok((mut projects, whole)) => {
                    complete &= whole;
                    for listed in &projects {
                        catalog.refused.remove(&listed.id);
                    }
                    let missing = catalog.not_among(&name, &projects);
                    for former in missing.iter().filter(|it| self.watch.shard.owns(it.id)) {
                        let refused = &mut catalog.refused;
                        match self.ask_for_missing(former, refused).await {
                            Ok(found) => projects.push(found),
                            Err(problem) => lost.push((former.clone(), problem)),
                        }
                    }
                    projects.retain(|project| !group.exclude.is_match(&*project.path));
                    catalog.former.remove(&name);
                    catalog.found.insert(name, projects);
                }
                Err(error) => failures.push((group.path.clone(), error)),
            }
        }
        for path in &self.watch.projects {
            // A project that is named is watched even if it is archived: it costs little.
            match self.client.project(path).await {
                Ok(found) => {
                    let name = Name::Project(path.clone());
                    catalog.found.insert(name, vec![found]);
                }
                Err(error) => failures.push((path.clone(), error)),
            }
        }
        let projects = catalog.projects(self.watch.shard);
        lost.retain(|(project, _)| !projects.contains_key(&project.id));
        Discovery {
            groups: catalog.groups(),
            projects,
            complete: complete && failures.is_empty(),
            failures,
            lost,
        }
    }

    /// Asks for a project that is no longer in its group's list: it may have moved, or the list may have been
    /// cut short. Returns it as it is now, or why it is not watched any more.
    async fn ask_for_missing(
        &self,
        former: &Project,
        refused: &mut BTreeSet<u64>,
    ) -> Result<Project, ProjectProblem> {
        let problem = match self.client.project(&former.id.to_string()).await {
            Ok(found) if found.archived => return Err(ProjectProblem::Archived),
            Ok(found) => {
                refused.remove(&former.id);
                return Ok(found);
            }
            Err(error) => match error.kind() {
                ErrorKind::NotFound(_) => ProjectProblem::Gone,
                ErrorKind::Forbidden(_) => ProjectProblem::Forbidden,
                _ => return Ok(former.clone()),
            },
        };
        if refused.remove(&former.id) {
            return Err(problem);
        }
        refused.insert(former.id);
        Ok(former.clone())
    }

    /// The projects of a group, and whether every record of the answer was valid.
    async fn group(
        &self,
        group: &Group,
        name: &Name,
        catalog: &Catalog,
    ) -> Result<(Vec<Project>, bool), Error> {
        let asking = self
            .client
            .group_projects(&group.path, group.include_subgroups);
        let listing = asking.await?;
        self.report_rejected(&listing.rejected);
        let whole = listing.rejected.is_empty();
        let mut projects = listing.items;
        if !whole {
            // An invalid record does not say which project it is.
            projects.extend(catalog.not_among(name, &projects));
        }
        projects.retain(|project| !project.archived && !group.exclude.is_match(&*project.path));
        Ok((projects, whole))
    }
}

impl Catalog {
    /// Remembers the projects that were found before the start and are of a group that is still watched.
    pub(super) fn of_former(projects: Vec<FormerProject>, watch: &Watch) -> Self {
        let mut former: BTreeMap<Name, Vec<Project>> = BTreeMap::new();
        for FormerProject { project, origin } in projects {
            let is_of = |group: &&Group| match &origin {
                Origin::Group(path) => **path == *group.path,
                Origin::Unknown => is_below(&project.path, group),
            };
            let group = watch.groups.iter().find(is_of);
            let group = group.filter(|group| !group.exclude.is_match(&*project.path));
            if let Some(group) = group {
                let name = Name::Group(group.path.clone());
                former.entry(name).or_default().push(project);
            }
        }
        Self {
            former,
            ..Self::default()
        }
    }

    /// Whether a project was refused once and has to be asked for again.
    pub(super) fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// The projects that were found for a name before, and are not among these.
    fn not_among(&self, name: &Name, now: &[Project]) -> Vec<Project> {
        let ids: BTreeSet<u64> = now.iter().map(|project| project.id).collect();
        let before = self.found.get(name).or_else(|| self.former.get(name));
        let before = before.into_iter().flatten();
        let missing = before.filter(|project| !ids.contains(&project.id));
        missing.cloned().collect()
    }

    /// The group of each project that was found in one and not by its own name.
    fn groups(&self) -> BTreeMap<u64, Arc<str>> {
        let mut groups = BTreeMap::new();
        for (name, projects) in &self.found {
            for project in projects {
                match name {
                    Name::Group(path) => groups.insert(project.id, path.as_str().into()),
                    // Names of projects come after those of groups.
                    Name::Project(_) => groups.remove(&project.id),
                };
            }
        }
        groups
    }

    fn projects(&self, shard: Shard) -> BTreeMap<u64, Project> {
        let all = self.found.values().flatten();
        let own = all.filter(|project| shard.owns(project.id));
        own.map(|project| (project.id, project.clone())).collect()
    }
}

/// Whether a project of this path is in a group, or in a subgroup that is watched with it.
fn is_below(path: &str, group: &Group) -> bool {
    let rest = path
        .strip_prefix(group.path.as_str())
        .and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| group.include_subgroups || !rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_that_is_not_listed_is_told_from_one_that_is() {
        let project = |id: u64| Project {
            id,
            path: format!("acme/{id}").into(),
            web_url: None,
            default_branch: None,
            hides_default_branch: false,
            archived: false,
        };
        let name = Name::Group("acme".to_owned());
        let mut catalog = Catalog::default();
        assert_eq!(catalog.not_among(&name, &[project(1)]), []);
        let before = vec![project(1), project(2)];
        catalog.found.insert(name.clone(), before);
        assert_eq!(catalog.not_among(&name, &[project(1)]), [project(2)]);
    }
}
