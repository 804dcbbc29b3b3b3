//! The commits of failures in a timeline's document: each once, however many jobs failed at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arcstr::ArcStr;
use ci_history::stored::History;
use ci_history::{CommitInfo, Timeline};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommitDocument {
    #[serde(default, skip_serializing_if = "str::is_empty")]
    title: Box<str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    author: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handle: Option<Box<str>>,
}

/// What is known of commits, by their ids.
#[derive(Default)]
pub(super) struct Commits(BTreeMap<ArcStr, Arc<CommitInfo>>);

impl Commits {
    /// The commits at which jobs or pipelines of a timeline failed.
    pub(super) fn of(timeline: &Timeline) -> Self {
        let mut commits = Self::default();
        commits.add(&timeline.pipelines);
        for job in timeline.jobs.values() {
            commits.add(&job.history);
        }
        commits
    }

    fn add(&mut self, history: &History) {
        for execution in &history.kept {
            for attempt in &execution.attempts {
                self.note(&execution.commit, attempt.commit_info());
            }
        }
        if let Some(start) = &history.baseline.streak_start
            && let Some(commit) = &start.commit
        {
            self.note(commit, start.info.as_ref());
        }
    }

    fn note(&mut self, commit: &ArcStr, info: Option<&Arc<CommitInfo>>) {
        let Some(info) = info else { return };
        match self.0.get_mut(commit) {
            Some(known) if *known < *info => *known = info.clone(),
            Some(_) => {}
            None => {
                self.0.insert(commit.clone(), info.clone());
            }
        }
    }

    pub(super) fn get(&self, commit: &str) -> Option<Arc<CommitInfo>> {
        self.0.get(commit).cloned()
    }

    pub(super) fn documents(&self) -> BTreeMap<ArcStr, CommitDocument> {
        let documents = self.0.iter().map(|(commit, info)| {
            let document = CommitDocument {
                title: info.title().into(),
                author: info.author_name().into(),
                handle: info.handle().map(Box::from),
            };
            (commit.clone(), document)
        });
        documents.collect()
    }

    pub(super) fn read(documents: BTreeMap<ArcStr, CommitDocument>) -> Self {
        let commits = documents.into_iter().map(|(commit, document)| {
            let CommitDocument {
                title,
                author,
                handle,
            } = document;
            (commit, Arc::new(CommitInfo::saved(title, author, handle)))
        });
        Self(commits.collect())
    }
}
