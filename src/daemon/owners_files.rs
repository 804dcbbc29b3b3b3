//! The owners files of the watched projects' repositories: read now and then, kept by project.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::state::State;
use crate::config::OwnersFile;
use crate::gitlab::{Client, Project};

/// A file younger than this is not read again: a little less than the time between two discoveries, which
/// is when files are looked after.
const FRESH: Duration = Duration::from_secs(570);

/// Pause between two files, so that polling comes first.
const PAUSE: Duration = Duration::from_millis(100);

/// The files as they were read last.
#[derive(Default)]
pub(super) struct OwnersFiles {
    files: RwLock<Arc<Files>>,
    /// A project was found, perhaps again.
    found: Notify,
}

/// By project id.
pub(super) type Files = BTreeMap<u64, Arc<OwnersFile>>;

/// A file's text as it was read last, and when it was looked for.
struct Known {
    text: Option<String>,
    branch: Option<Arc<str>>,
    at: Instant,
    failing: bool,
}

impl OwnersFiles {
    /// All files, as they are now.
    pub(super) fn all(&self) -> Arc<Files> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&files)
    }

    /// The file of a project's repository, if it has one.
    pub(super) fn of(&self, project_id: u64) -> Option<Arc<OwnersFile>> {
        self.all().get(&project_id).cloned()
    }

    /// Projects were found, perhaps again.
    pub(super) fn look(&self) {
        self.found.notify_one();
    }

    /// Forgets the files of all other projects.
    fn retain(&self, is_watched: impl Fn(u64) -> bool) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        if !files.keys().all(|id| is_watched(*id)) {
            Arc::make_mut(&mut files).retain(|id, _| is_watched(*id));
        }
    }

    fn put(&self, project_id: u64, file: Option<OwnersFile>) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        let files = Arc::make_mut(&mut files);
        match file {
            Some(file) => drop(files.insert(project_id, Arc::new(file))),
            None => drop(files.remove(&project_id)),
        }
    }
}

/// Reads the owners file of each project, whenever projects are found, until `stop`.
pub(super) async fn run(client: Client, path: String, state: Arc<State>, stop: CancellationToken) {
    let reading = async {
        let mut known: HashMap<u64, Known> = HashMap::new();
        loop {
            state.owners_files.found.notified().await;
            let projects = state.watched_projects();
            let is_watched = |id| projects.iter().any(|project| project.id == id);
            known.retain(|id, _| is_watched(*id));
            state.owners_files.retain(is_watched);
            for project in projects {
                let is_fresh = known.get(&project.id).is_some_and(|known| {
                    known.at.elapsed() < FRESH && known.branch == project.default_branch
                });
                if !is_fresh {
                    read(&client, &path, &state, &project, &mut known).await;
                    sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = reading => {}
    }
}

async fn read(
    client: &Client,
    path: &str,
    state: &State,
    project: &Project,
    known: &mut HashMap<u64, Known>,
) {
    let former = known.remove(&project.id);
    let was_failing = former.as_ref().is_some_and(|known| known.failing);
    let former = former.and_then(|known| known.text);
    let read = match &project.default_branch {
        Some(branch) => client.repository_file(project.id, path, branch).await,
        None => Ok(None),
    };
    let failing = read.is_err();
    let text = match read {
        Ok(text) => {
            if text != former {
                take(state, project, path, text.as_deref());
            }
            text
        }
        Err(error) => {
            if !was_failing {
                tracing::warn!(project = %project.path, "owners stay as they were: {error}");
            }
            former
        }
    };
    let now = Known {
        text,
        branch: project.default_branch.clone(),
        at: Instant::now(),
        failing,
    };
    known.insert(project.id, now);
}

fn take(state: &State, project: &Project, path: &str, text: Option<&str>) {
    let file = text.map(|text| {
        let (file, bad) = OwnersFile::parse(text);
        for bad in bad {
            tracing::warn!(project = %project.path, "left out of {path}: {bad}");
        }
        file
    });
    state.owners_files.put(project.id, file);
    state.show_again(project.id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_project_that_is_watched_no_more_is_forgotten() {
        let owners = OwnersFiles::default();
        for id in [7, 8] {
            owners.put(id, Some(OwnersFile::parse("unit @team").0));
        }
        owners.retain(|id| id == 8);
        assert!(owners.of(7).is_none());
        assert!(owners.of(8).is_some());
    }
}
