//! From the configuration's projects and groups to the projects there are.

use std::collections::BTreeMap;

use super::Ingest;
use crate::gitlab::{Error, Project};

/// What a discovery found.
pub(super) struct Discovered {
    /// The watched projects, by id.
    pub(super) projects: BTreeMap<u64, Project>,
    /// Whether some project or group could not be found out about; then what is missing in
    /// `projects` may still be there.
    pub(super) incomplete: bool,
}

impl Ingest {
    /// Asks GitLab for every project and group of the configuration. One that fails is told to the
    /// sink, and the others go on.
    pub(super) async fn discover(&self) -> Discovered {
        let mut found = Discovered {
            projects: BTreeMap::new(),
            incomplete: false,
        };
        for group in &self.watch.groups {
            let listing = self
                .client
                .group_projects(&group.path, group.include_subgroups)
                .await;
            match listing {
                Ok(listing) => {
                    let projects = listing.items.into_iter();
                    found.add(projects.filter(|project| {
                        !project.archived && !group.exclude.is_match(&*project.path)
                    }));
                }
                Err(error) => self.missed(&mut found, &group.path, &error),
            }
        }
        for wanted in &self.watch.projects {
            match self.client.project(wanted).await {
                // A project that is named is watched even if it is archived: it costs little.
                Ok(project) => found.add([project]),
                Err(error) => self.missed(&mut found, wanted, &error),
            }
        }
        found
    }

    fn missed(&self, found: &mut Discovered, what: &str, error: &Error) {
        found.incomplete = true;
        self.sink.poll_failed(what, error);
    }
}

impl Discovered {
    fn add(&mut self, projects: impl IntoIterator<Item = Project>) {
        let projects = projects.into_iter();
        self.projects
            .extend(projects.map(|project| (project.id, project)));
    }
}
