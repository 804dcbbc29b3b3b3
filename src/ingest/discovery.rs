//! From the configuration's projects and groups to the projects there are.

use std::collections::{BTreeMap, BTreeSet};

use super::Ingest;
use crate::gitlab::{Error, Project};
use crate::model::Shard;

/// What the configuration's projects and groups turned out to be, as far as is known.
#[derive(Default)]
pub(super) struct Catalog {
    /// The projects that each name of the configuration brought when it was last found.
    found: BTreeMap<Name, Vec<Project>>,
}

/// What the configuration names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Group(String),
    Project(String),
}

impl Ingest {
    /// Asks GitLab for every project and group of the configuration. One that fails is told to the
    /// sink, keeps the projects it brought before, and the others go on. Returns whether all were
    /// found.
    pub(super) async fn discover(&self, catalog: &mut Catalog) -> bool {
        let mut complete = true;
        for group in &self.watch.groups {
            let listing = self
                .client
                .group_projects(&group.path, group.include_subgroups)
                .await;
            let name = Name::Group(group.path.clone());
            let listing = listing.map(|listing| {
                for rejected in &listing.rejected {
                    self.sink.rejected(&group.path, rejected);
                }
                let mut projects = listing.items;
                if !listing.rejected.is_empty() {
                    // Which project a record without its fields is cannot be known.
                    complete = false;
                    projects.extend(catalog.not_among(&name, &projects));
                }
                projects
                    .retain(|project| !project.archived && !group.exclude.is_match(&*project.path));
                projects
            });
            complete &= self.note(catalog, name, &group.path, listing);
        }
        for wanted in &self.watch.projects {
            // A project that is named is watched even if it is archived: it costs little.
            let project = self.client.project(wanted).await.map(|found| vec![found]);
            let name = Name::Project(wanted.clone());
            complete &= self.note(catalog, name, wanted, project);
        }
        complete
    }

    fn note(
        &self,
        catalog: &mut Catalog,
        name: Name,
        what: &str,
        found: Result<Vec<Project>, Error>,
    ) -> bool {
        match found {
            Ok(projects) => {
                catalog.found.insert(name, projects);
                true
            }
            Err(error) => {
                self.sink.poll_failed(what, &error);
                false
            }
        }
    }
}

impl Catalog {
    /// The projects that a name brought before and that are not among those it brings now.
    fn not_among(&self, name: &Name, now: &[Project]) -> Vec<Project> {
        let ids: BTreeSet<u64> = now.iter().map(|project| project.id).collect();
        let before = self.found.get(name).into_iter().flatten();
        let missing = before.filter(|project| !ids.contains(&project.id));
        missing.cloned().collect()
    }

    /// The projects of a shard that are to be watched, by id.
    pub(super) fn projects(&self, shard: Shard) -> BTreeMap<u64, Project> {
        let all = self.found.values().flatten();
        let own = all.filter(|project| shard.owns(project.id));
        own.map(|project| (project.id, project.clone())).collect()
    }
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
