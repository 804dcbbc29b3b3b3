//! Reading the owners files of the watched projects' repositories, now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::state::State;
use crate::config::OwnersFile;
use crate::gitlab::{Client, Project};
use crate::ingest::project_span;

/// A file younger than this is not read again: a little less than the time between two discoveries, after which
/// files are read.
const FRESH: Duration = Duration::from_secs(570);

/// Pause between two files, so that polling comes first.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads one file of each project's repository.
pub(super) struct OwnersReader {
    client: Client,
    /// In the repository.
    path: String,
    state: Arc<State>,
    last: HashMap<u64, LastReading>,
}

struct LastReading {
    text: Option<String>,
    branch: Option<Arc<str>>,
    at: Instant,
    failed: bool,
}

impl OwnersReader {
    pub(super) fn new(client: Client, path: String, state: Arc<State>) -> Self {
        Self {
            client,
            path,
            state,
            last: HashMap::new(),
        }
    }

    /// Reads the file of each project, whenever projects are found, until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.read_all() => {}
        }
    }

    async fn read_all(&mut self) {
        let state = Arc::clone(&self.state);
        loop {
            state.owners_cache.reading_requested().await;
            let projects = state.watched_projects();
            let is_watched = |id| projects.iter().any(|project| project.id == id);
            self.last.retain(|id, _| is_watched(*id));
            state.owners_cache.retain(is_watched);
            for project in projects {
                let is_fresh = self.last.get(&project.id).is_some_and(|last| {
                    last.at.elapsed() < FRESH && last.branch == project.default_branch
                });
                if !is_fresh {
                    let span = project_span(&project.path);
                    self.read(&project).instrument(span).await;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn read(&mut self, project: &Project) {
        let former = self.last.remove(&project.id);
        let had_failed = former.as_ref().is_some_and(|last| last.failed);
        let former = former.and_then(|last| last.text);
        let read = match &project.default_branch {
            Some(branch) => {
                let reading = self.client.repository_file(project.id, &self.path, branch);
                reading.await
            }
            None => Ok(None),
        };
        let failed = read.is_err();
        let text = match read {
            Ok(text) => {
                if text != former {
                    self.take(project, text.as_deref());
                }
                text
            }
            Err(error) => {
                if !had_failed {
                    tracing::warn!("owners stay as they were: {error}");
                }
                former
            }
        };
        let last = LastReading {
            text,
            branch: project.default_branch.clone(),
            at: Instant::now(),
            failed,
        };
        self.last.insert(project.id, last);
    }

    fn take(&self, project: &Project, text: Option<&str>) {
        let file = match text.map(OwnersFile::parse) {
            None => None,
            Some((file, bad)) => {
                for bad in bad {
                    tracing::warn!("left out of {}: {bad}", self.path);
                }
                if file.is_none() {
                    // The last file that could be used goes on.
                    return;
                }
                file
            }
        };
        self.state.owners_cache.put(project.id, file);
        self.state.render_again(project.id);
    }
}
