//! The first look at many new projects: the newest pipelines of their default branches with their jobs, by one GraphQL
//! request for several projects.
//!
//! What is seen counts at once, and REST reads it again with everything else: GraphQL does not tell all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use tokio::sync::oneshot;

use super::cursor::{NEWEST, PollCursor};
use super::family::FamilyJobs;
use super::poller::Poller;
use super::reader::Reader;
use crate::gitlab::{NewestPipeline, NotTold, Project};

/// Projects of one request. Each may list a thousand jobs.
const PROJECTS: usize = 5;

/// Requests under way at a time.
const CONCURRENT: usize = 4;

/// What was seen of one project. A sender that is dropped says that its pipelines are to be listed by REST.
pub(super) type Look = Vec<NewestPipeline>;

/// A project that waits for the first look at it.
pub(super) struct LookedAt {
    pub(super) project: u64,
    pub(super) branch: Arc<str>,
    pub(super) answer: oneshot::Sender<Look>,
}

impl Reader {
    /// Looks at projects. Those that GitLab does not tell of are told so.
    pub(super) async fn look_at(&self, wanted: Vec<LookedAt>) {
        let mut by_branch: BTreeMap<Arc<str>, Vec<LookedAt>> = BTreeMap::new();
        for project in wanted {
            let branch = project.branch.clone();
            by_branch.entry(branch).or_default().push(project);
        }
        let mut questions = Vec::new();
        for (branch, mut projects) in by_branch {
            while !projects.is_empty() {
                let rest = projects.split_off(projects.len().min(PROJECTS));
                questions.push((branch.clone(), projects));
                projects = rest;
            }
        }
        let asking = questions
            .into_iter()
            .map(|(branch, projects)| self.look_at_some(branch, projects));
        let mut asking = stream::iter(asking).buffer_unordered(CONCURRENT);
        while let Some(goes_on) = asking.next().await {
            if !goes_on {
                // Dropping the senders tells the others.
                return;
            }
        }
    }

    /// Asks for projects with the same default branch, for fewer where GitLab takes too long. Returns whether to ask
    /// for others.
    async fn look_at_some(&self, branch: Arc<str>, projects: Vec<LookedAt>) -> bool {
        let mut open = vec![projects];
        while let Some(mut projects) = open.pop() {
            let ids: Vec<_> = projects.iter().map(|it| it.project).collect();
            let told = self.client.newest_pipelines(&ids, &branch, NEWEST).await;
            match told {
                Ok((mut looks, _)) => {
                    for waiting in projects {
                        if let Some(look) = looks.remove(&waiting.project) {
                            // A project that is not watched any more does not wait.
                            let _ = waiting.answer.send(look);
                        }
                    }
                }
                Err(NotTold::TooMuch(error)) if projects.len() > 1 => {
                    tracing::debug!(projects = projects.len(), "fewer projects at once: {error}");
                    let others = projects.split_off(projects.len() / 2);
                    open.extend([others, projects]);
                }
                Err(NotTold::TooMuch(error)) => {
                    tracing::debug!("the newest pipelines are listed by REST: {error}");
                }
                Err(NotTold::Unsupported(error) | NotTold::Failed(error)) => {
                    tracing::info!(
                        "the newest pipelines are listed by REST, as GitLab does not tell them by GraphQL: {error}"
                    );
                    return false;
                }
            }
        }
        true
    }
}

impl Poller {
    /// Shows what was seen of a project. A pipeline of which GraphQL does not tell enough is read by REST, so that no
    /// streak has a hole.
    pub(super) async fn show_look(&self, project: &Project, cursor: &mut PollCursor, look: Look) {
        let reader = &self.reader;
        let mut to_read = Vec::new();
        // Oldest first, as cycles read.
        for NewestPipeline { mut pipeline, jobs } in look.into_iter().rev() {
            if !reader.watches(project, &pipeline) {
                continue;
            }
            pipeline.web_url = project.url_of_pipeline(pipeline.id);
            let seen = jobs.map(FamilyJobs::of);
            let seen = seen.filter(|seen| seen.conclude(pipeline.status).doubt.is_none());
            match seen {
                Some(seen) => {
                    cursor.looked_at(&pipeline);
                    reader.hand_over(project, &mut pipeline, seen);
                }
                None => to_read.push(pipeline),
            }
        }
        // The whole cycle will meet an error again, and report it.
        if let Err(error) = reader.read(project, cursor, to_read).await {
            tracing::debug!("not all of the newest pipelines were read: {error}");
        }
        self.events.publish(project);
    }
}
