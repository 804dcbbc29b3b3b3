//! One cycle of one project: lists what moved, reads its jobs, hands both over.

use futures_util::{StreamExt as _, stream};
use tracing::Instrument as _;

use super::cursor::{Listed, PollCursor};
use super::details::DetailsBy;
use super::family::FamilyJobs;
use super::hook_trust::HookTrust;
use super::intervals::CONCURRENT_REQUESTS;
use super::pending::ReadPlan;
use super::poller::Poller;
use super::reader::Reader;
use super::seats::Swept;
use super::sight::Doubt;
use super::span::pipeline_span;
use crate::gitlab::{Error, ErrorKind, MovedChild, Project};
use ci_history::{PipelineObservation, is_another};

/// A cycle gives up after so many errors in a row that may concern single pipelines.
const ERRORS_IN_A_ROW: u32 = 3;

/// Pipelines of the past that a project reads before others have their turn.
const PAST_AT_ONCE: usize = 5;

/// What a project's first cycle does with all but its newest pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    Read,
    /// They are read once the newest pipelines of every project were.
    PutOff,
}

/// Why a cycle failed.
#[derive(Debug)]
pub(super) struct CycleError {
    pub(super) error: Error,
    /// Whether it concerns the whole project, and not a pipeline.
    pub(super) is_general: bool,
}

impl CycleError {
    fn of_pipeline(error: Error) -> Self {
        Self {
            is_general: concerns_all(&error),
            error,
        }
    }
}

impl Poller {
    /// Runs one cycle, which lists what moved unless a sweep has. What was read is handed over even if something else
    /// failed; returns the first error.
    pub(super) async fn cycle(
        &self,
        project: &Project,
        cursor: &mut PollCursor,
        trust: &mut HookTrust,
        swept: Option<Swept>,
        past: Past,
    ) -> Result<(), CycleError> {
        let reader = &self.reader;
        let is_first = cursor.updated_after().is_none();
        let children = swept.as_ref().map(|it| it.children.clone());
        let api = if swept.is_some() {
            DetailsBy::Swept
        } else {
            DetailsBy::Rest
        };
        let mut listed = self.list(project, cursor, swept).await?;
        self.compare_with_hooks(cursor, trust, &listed.pipelines);
        let tracks = &reader.watch.tracks;
        let refs: Vec<_> = (listed.pipelines.iter())
            .map(|pipeline| tracks.ref_of(&pipeline.ref_name))
            .collect();
        if cursor.meets_new_ref(refs.iter().map(|name| &**name)) {
            listed = self.list(project, cursor, None).await?;
        }
        self.ask_for_contradicted(project, &listed.pipelines).await;
        let lost = self.events.refs_to_read_back(project);
        if !lost.is_empty() {
            cursor.read_back(&lost);
            listed = self.list(project, cursor, None).await?;
        }
        let now = reader.observations.gitlab_now();
        let mut plan = cursor.take_listing(listed, now);
        if is_first && past == Past::PutOff {
            let branch = project.default_branch.as_deref();
            let is_watched = |name: &&str| reader.watch.refs.matches(name, branch);
            plan = cursor.put_off_past(plan, branch.filter(is_watched));
        }
        let ReadPlan { mut fresh, again } = plan;
        if let Some(children) = children {
            let found = self.with_moved_children(project, cursor, &children).await;
            fresh.extend(found);
        }
        let mut read = reader.read_by(api, project, cursor, fresh).await;
        if !again.is_empty() {
            // A pipeline that failed the last time may take long to fail again.
            self.events.publish(project);
            read = read.and(reader.read_by(api, project, cursor, again).await);
        }
        read.map_err(CycleError::of_pipeline)
    }

    /// The pipelines that ended and of which a child has moved since, such as by a job that was retried.
    async fn with_moved_children(
        &self,
        project: &Project,
        cursor: &mut PollCursor,
        children: &[MovedChild],
    ) -> Vec<PipelineObservation> {
        let mut found = Vec::new();
        for root in cursor.take_children(children) {
            match self.reader.client.pipeline(project.id, root).await {
                // Listings give no duration: it is worked out of the jobs.
                Ok(pipeline) if self.reader.watches(project, &pipeline) => {
                    found.push(PipelineObservation {
                        duration: None,
                        ..pipeline
                    });
                }
                Ok(_) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    tracing::debug!("a child of pipeline {root} has moved: {error}");
                    cursor.children_not_read();
                }
            }
        }
        found
    }

    /// Looks whether webhooks told of all that GitLab shows to have moved.
    pub(super) fn compare_with_hooks(
        &self,
        cursor: &PollCursor,
        trust: &mut HookTrust,
        listing: &[PipelineObservation],
    ) {
        let now = self.reader.observations.gitlab_now();
        let moved = listing.iter().filter(|it| !cursor.has_seen(it));
        if let Some(pipeline) = trust.missed(moved, now) {
            tracing::warn!(
                pipeline,
                "no webhook told of this pipeline: the project is polled at the usual pace again"
            );
        }
    }

    async fn list(
        &self,
        project: &Project,
        cursor: &PollCursor,
        swept: Option<Swept>,
    ) -> Result<Listed, CycleError> {
        match self.reader.list(project, cursor, swept).await {
            Ok(listed) => Ok(listed),
            Err(error) => Err(CycleError {
                error: self.reader.client.why_refused(project.id, error).await,
                is_general: true,
            }),
        }
    }

    /// Asks GitLab for the known pipelines that the listing contradicts. An error of a request leaves all as it is: the
    /// next contradiction asks again.
    async fn ask_for_contradicted(&self, project: &Project, listing: &[PipelineObservation]) {
        for known in self.events.contradicted(project, listing) {
            let is_replaced = match self.reader.client.pipeline(project.id, known.id).await {
                Ok(seen) => is_another(&known, &seen),
                Err(error) => error.is_not_found(),
            };
            if is_replaced {
                self.events.replaced(project, &known);
            }
        }
    }
}

impl Poller {
    /// Reads pipelines again whose jobs contradicted their status. An error is met again by the next cycle,
    /// which reports it.
    pub(super) async fn read_doubtful(&self, project: &Project, cursor: &mut PollCursor) {
        let doubtful = cursor.take_doubtful(self.reader.observations.gitlab_now());
        if let Err(error) = self.reader.read(project, cursor, doubtful).await {
            tracing::debug!("not read again: {error}");
        }
        self.events.publish(project);
    }
}

impl Poller {
    /// Reads some of the pipelines that were put off. Those that fail are met again by the next cycle. Returns whether
    /// the next ones can be read.
    pub(super) async fn read_past(&self, project: &Project, cursor: &mut PollCursor) -> bool {
        let wanted = cursor.take_past(PAST_AT_ONCE);
        let read = self.reader.read(project, cursor, wanted).await;
        if let Err(error) = &read {
            tracing::debug!("the past is read later: {error}");
        }
        self.events.publish(project);
        read.is_ok()
    }
}

impl Reader {
    /// Reads the jobs of pipelines by REST, and hands them over in the order of the pipelines.
    pub(super) async fn read(
        &self,
        project: &Project,
        cursor: &mut PollCursor,
        wanted: Vec<PipelineObservation>,
    ) -> Result<(), Error> {
        self.read_by(DetailsBy::Rest, project, cursor, wanted).await
    }

    pub(super) async fn read_by(
        &self,
        api: DetailsBy,
        project: &Project,
        cursor: &mut PollCursor,
        wanted: Vec<PipelineObservation>,
    ) -> Result<(), Error> {
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|pipeline| {
                let family = cursor.family(pipeline.id);
                (pipeline, family)
            })
            .collect();
        let mut answers = stream::iter(wanted)
            .map(|(pipeline, known)| async move {
                let span = pipeline_span(pipeline.id);
                let read = self.read_pipeline(project, &pipeline, known, api);
                let answer = read.instrument(span.clone()).await;
                (pipeline, answer, span)
            })
            .buffered(CONCURRENT_REQUESTS);
        let mut first_error = None;
        let mut in_a_row = 0;
        while let Some((pipeline, answer, span)) = answers.next().await {
            let taking = self.take(project, cursor, pipeline, answer);
            let Err(error) = taking.instrument(span).await else {
                in_a_row = 0;
                continue;
            };
            in_a_row += 1;
            let ends_the_cycle = concerns_all(&error) || in_a_row == ERRORS_IN_A_ROW;
            first_error.get_or_insert(error);
            if ends_the_cycle {
                break;
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Takes an answer. A pipeline that is removed, or fails for hours, is no error.
    async fn take(
        &self,
        project: &Project,
        cursor: &mut PollCursor,
        pipeline: PipelineObservation,
        answer: Result<FamilyJobs, Error>,
    ) -> Result<(), Error> {
        let id = pipeline.id;
        let outcome = match answer {
            Ok(read) => self.take_jobs(project, cursor, pipeline, read).await,
            Err(error) if error.is_not_found() => {
                let confirmed = self.confirm_removed(project, &pipeline, error).await;
                confirmed.map(|()| cursor.removed(id))
            }
            Err(error) => Err(error),
        };
        match outcome {
            Err(error)
                if !concerns_all(&error) && cursor.failed(id, self.observations.gitlab_now()) =>
            {
                tracing::warn!(
                    "the jobs of this pipeline could not be read for hours, and are tried ever more seldom: {error}"
                );
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Hands over a pipeline with the jobs that could be read.
    async fn take_jobs(
        &self,
        project: &Project,
        cursor: &mut PollCursor,
        mut pipeline: PipelineObservation,
        mut read: FamilyJobs,
    ) -> Result<(), Error> {
        let mut concluded = read.conclude(pipeline.status);
        let listed = read.listed(pipeline.status);
        let failed = read.failed.take();
        let family = std::mem::take(&mut read.family);
        let jobs = self.hand_over(project, &mut pipeline, read);
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(listed) = listed {
            let unlisted = self.ask_for_unlisted(project, &pipeline, &listed).await;
            if unlisted == Some(Doubt::Withdrawn) {
                // Without the withdrawn attempts others describe their jobs.
                self.observed(project, &pipeline, &jobs);
            }
            concluded.doubt = concluded.doubt.or(unlisted);
        }
        let now = self.observations.gitlab_now();
        if cursor.read(&pipeline, concluded, now) {
            let has_other_jobs = pipeline.has_other_jobs;
            pipeline = self.client.pipeline(project.id, pipeline.id).await?;
            pipeline.has_other_jobs = has_other_jobs;
            self.observed(project, &pipeline, &jobs);
            cursor.read(&pipeline, concluded, now);
        }
        cursor.keep_family(&pipeline, family, now);
        Ok(())
    }
}

/// Whether an error on one pipeline would certainly meet the others as well.
fn concerns_all(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unauthorized(_)
            | ErrorKind::RateLimited { .. }
            | ErrorKind::CircuitOpen { .. }
            | ErrorKind::Certificate(_)
    )
}
