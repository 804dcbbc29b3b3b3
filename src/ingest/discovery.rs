//! From the configuration's projects and groups to the projects there are.

use std::collections::BTreeMap;

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
                .await
                .map(|listing| {
                    // Which project a record without its fields is cannot be known.
                    complete &= listing.rejected.is_empty();
                    for rejected in &listing.rejected {
                        self.sink.rejected(&group.path, rejected);
                    }
                    let mut projects = listing.items;
                    projects.retain(|project| {
                        !project.archived && !group.exclude.is_match(&*project.path)
                    });
                    projects
                });
            let name = Name::Group(group.path.clone());
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
    /// The projects of a shard that are to be watched, by id.
    pub(super) fn projects(&self, shard: Shard) -> BTreeMap<u64, Project> {
        let all = self.found.values().flatten();
        let own = all.filter(|project| shard.owns(project.id));
        own.map(|project| (project.id, project.clone())).collect()
    }
}
