//! Reads the pipelines that webhooks name. What counts is what the API says of them.

use std::collections::BTreeMap;

use super::cursor::PollCursor;
use super::details::DetailsBy;
use super::family::FamilyJobs;
use super::hints::Hinted;
use super::hook_trust::HookTrust;
use super::poller::Poller;
use super::reader::Reader;
use super::sight::may_move_on;
use super::strangers::Strangers;
use super::turns::Turns;
use crate::config::ChildPipelines;
use crate::gitlab::{Error, Project};
use ci_history::PipelineObservation;

/// The source of a child pipeline.
const CHILD: &str = "parent_pipeline";

/// The hints to read.
pub(super) struct ToRead<'a> {
    pub(super) hinted: Hinted,
    /// Whether pipelines that go on may be read together with others.
    pub(super) together: bool,
    pub(super) turns: &'a Turns,
}

/// What a hint comes to.
enum Found {
    /// The jobs of this pipeline and of its children are to be read.
    Pipeline(PipelineObservation),
    /// The same, and GitLab says that it has moved since it was read.
    Moved(PipelineObservation),
    /// Only its own jobs are: one of them moved, and it goes on.
    OwnJobs(PipelineObservation),
    /// Nothing is to be read.
    Nothing,
    /// Only a whole cycle shows what happened.
    NeedsCycle,
}

impl Poller {
    /// Reads hinted pipelines; false if a whole cycle is needed as well.
    pub(super) async fn read_hinted(
        &self,
        project: &Project,
        cursor: &mut PollCursor,
        strangers: &mut Strangers,
        trust: &mut HookTrust,
        to_read: ToRead<'_>,
    ) -> bool {
        let ToRead {
            hinted,
            together,
            turns,
        } = to_read;
        let reader = &self.reader;
        let permit = turns.of_cycle().await;
        let now = reader.observations.gitlab_now();
        // Several children may ask for the same parent.
        let mut wanted = BTreeMap::new();
        let mut own = Vec::new();
        let mut needs_cycle = hinted.overflowed;
        for (id, told) in &hinted.pipelines {
            let found = reader.find(project, cursor, strangers, *id, told.moved);
            match found.await {
                Found::Pipeline(pipeline) => {
                    trust.told(pipeline.id, now);
                    // A child leads to what is known of its parent, of which the API may have told more just now.
                    wanted.entry(pipeline.id).or_insert(pipeline);
                }
                Found::Moved(pipeline) => {
                    trust.confirmed();
                    trust.told(pipeline.id, now);
                    wanted.insert(pipeline.id, pipeline);
                }
                Found::OwnJobs(pipeline) => {
                    trust.told(pipeline.id, now);
                    own.push(pipeline);
                }
                Found::Nothing => {}
                Found::NeedsCycle => {
                    trust.told(*id, now);
                    needs_cycle = true;
                }
            }
        }
        own.retain(|pipeline| !wanted.contains_key(&pipeline.id));
        let mut wanted: Vec<_> = wanted.into_values().collect();
        let mut going_on = Vec::new();
        if together {
            let has_ended = |id: u64| hinted.pipelines.get(&id).is_some_and(|told| told.ended);
            let waits = |it: &PipelineObservation| !has_ended(it.id) && reader.waits(cursor, it);
            going_on.extend(own.extract_if(.., |it| waits(it)));
            going_on.extend(wanted.extract_if(.., |it| waits(it)));
        }
        for pipeline in own {
            let read = reader.read_own_jobs(project, cursor, pipeline).await;
            needs_cycle |= read.is_err();
        }
        // The whole cycle will meet an error again, and report it.
        let mut read = reader.read(project, cursor, wanted).await;
        hinted.ended().for_each(|id| cursor.expect_end(id));
        if !going_on.is_empty() {
            self.events.publish(project);
            let is_alone = hinted.is_urgent && turns.reads_at_once();
            let api = if is_alone {
                DetailsBy::Rest
            } else {
                // One that waits for other projects holds up none.
                drop(permit);
                DetailsBy::of_hinted(going_on.len())
            };
            read = read.and(reader.read_by(api, project, cursor, going_on).await);
        }
        self.events.publish(project);
        read.is_ok() && !needs_cycle
    }
}

impl Reader {
    /// Whether a pipeline goes on, and its jobs may be read together with those of others.
    pub(super) fn waits(&self, cursor: &PollCursor, pipeline: &PipelineObservation) -> bool {
        self.details.would_ask(pipeline).is_some() && !cursor.family(pipeline.id).has_children()
    }

    /// Reads the own jobs of a pipeline that has not ended, with one request. Its children are left to the next
    /// cycle.
    async fn read_own_jobs(
        &self,
        project: &Project,
        cursor: &mut PollCursor,
        mut pipeline: PipelineObservation,
    ) -> Result<(), Error> {
        let found = self.client.pipeline_jobs(project.id, pipeline.id).await?;
        let read = FamilyJobs::of(found);
        if read.own.is_settled() && cursor.family(pipeline.id).childless {
            cursor.expect_end(pipeline.id);
        }
        self.hand_over(project, &mut pipeline, read);
        Ok(())
    }

    /// Finds the pipeline whose jobs are to be read, with at most one request.
    async fn find(
        &self,
        project: &Project,
        cursor: &PollCursor,
        strangers: &mut Strangers,
        id: u64,
        moved: bool,
    ) -> Found {
        let open = cursor.open(id);
        if let Some(pipeline) = open.filter(|open| !moved || open.id != id) {
            return if pipeline.id == id && may_move_on(pipeline.status) {
                Found::OwnJobs(pipeline)
            } else {
                Found::Pipeline(pipeline)
            };
        }
        if strangers.include(id) {
            return Found::Nothing;
        }
        if !cursor.knows(id) && !strangers.may_ask() {
            return Found::NeedsCycle;
        }
        let pipeline = match self.client.pipeline(project.id, id).await {
            // Listings give no duration: it is worked out of the jobs, so that hooks and polling tell the same.
            Ok(pipeline) => PipelineObservation {
                duration: None,
                ..pipeline
            },
            Err(error) if error.is_not_found() && !cursor.knows(id) => {
                strangers.not_yet(id);
                return Found::Nothing;
            }
            Err(_) => return Found::NeedsCycle,
        };
        let is_followed = self.watch.child_pipelines == ChildPipelines::Follow;
        if pipeline.source.as_deref() == Some(CHILD) && is_followed {
            return self
                .find_parent(project, cursor, strangers, &pipeline)
                .await;
        }
        // Polling has decided about what moved before. A hook must not bring back what it left out.
        let is_news = cursor.is_open(id) || pipeline.updated_at >= cursor.updated_after();
        if is_news && (self.watches(project, &pipeline) || cursor.is_open(id)) {
            return if cursor.has_seen(&pipeline) {
                Found::Pipeline(pipeline)
            } else {
                Found::Moved(pipeline)
            };
        }
        if self.watches(project, &pipeline) {
            strangers.not_yet(id);
        } else {
            strangers.not_watched(id);
        }
        Found::Nothing
    }

    /// Finds the parent of a child pipeline that is not known to be unfinished: a job of it may have been retried, which
    /// moves no parent that does not wait for the child.
    async fn find_parent(
        &self,
        project: &Project,
        cursor: &PollCursor,
        strangers: &mut Strangers,
        child: &PipelineObservation,
    ) -> Found {
        let Some((parent, sight)) = cursor.parent_of(child.id) else {
            return Found::NeedsCycle;
        };
        if sight == (child.updated_at, child.status) {
            strangers.not_yet(child.id);
            return Found::Nothing;
        }
        match self.client.pipeline(project.id, parent).await {
            Ok(parent) if self.watches(project, &parent) => Found::Pipeline(PipelineObservation {
                duration: None,
                ..parent
            }),
            Ok(_) => Found::Nothing,
            Err(_) => Found::NeedsCycle,
        }
    }
}
