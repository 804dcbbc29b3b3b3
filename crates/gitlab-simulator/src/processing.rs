//! Processing of a pipeline: which jobs start or are skipped at their turn, and the status of the whole.

use super::entity::{CiStatus, Job};
use super::moment::Moment;
use super::status::composite;
use super::world::World;

/// What becomes of a created job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Starts,
    Waits,
    IsSkipped,
}

impl World {
    /// Enqueues or skips the jobs whose turn it is, then updates the pipeline's status.
    pub(super) fn process(&mut self, id: u64) {
        let Some(stages) = self.pipelines.get(&id).map(|p| p.stages.clone()) else {
            return;
        };
        for stage in &stages {
            let created: Vec<u64> = self
                .latest_jobs(id)
                .filter(|job| job.plan.stage == *stage && job.status == CiStatus::Created)
                .map(|job| job.id)
                .collect();
            for job in created {
                self.process_job(job);
            }
        }
        if let Some(status) = composite(self.latest_jobs(id)) {
            self.move_pipeline(id, status);
        }
    }

    /// Enqueues or skips a created job if it is its turn.
    pub(super) fn process_job(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        match self.turn_of(job) {
            Turn::Starts => self.enqueue(id),
            Turn::Waits => {}
            Turn::IsSkipped => self.skip(id),
        }
    }

    fn turn_of(&self, job: &Job) -> Turn {
        let pipeline = job.pipeline_id;
        if let Some(needs) = &job.plan.needs {
            let needed = self.latest_jobs(pipeline);
            let needed: Vec<&Job> = needed.filter(|n| needs.contains(&n.plan.name)).collect();
            return turn_after_needs(&needed);
        }
        let stages = self.pipelines.get(&pipeline).map(|p| p.stages.as_slice());
        let stages = stages.unwrap_or_default().iter();
        let before: Vec<&String> = stages
            .take_while(|stage| **stage != job.plan.stage)
            .collect();
        let prior = composite(
            self.latest_jobs(pipeline)
                .filter(|job| before.contains(&&job.plan.stage)),
        );
        turn_after(prior)
    }

    fn skip(&mut self, id: u64) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.status = CiStatus::Skipped;
        }
        self.send_job_hook(id);
    }

    fn move_pipeline(&mut self, id: u64, status: CiStatus) {
        let now = self.now;
        let duration = self.busy_seconds(id);
        let Some(pipeline) = self.pipelines.get_mut(&id) else {
            return;
        };
        if pipeline.status == status {
            return;
        }
        pipeline.status = status;
        pipeline.updated_at = now;
        if status == CiStatus::Running {
            pipeline.started_at = pipeline.started_at.or(Some(now));
        }
        if status.is_terminal() {
            pipeline.finished_at = Some(now);
            pipeline.duration = duration;
        }
        self.send_pipeline_hook(id);
        if status.is_terminal() {
            self.end_bridge_of(id, status);
        }
    }

    /// The newest attempt of every job of a pipeline.
    pub(super) fn latest_jobs(&self, pipeline: u64) -> impl Iterator<Item = &Job> {
        self.jobs_of(pipeline).filter(|job| !job.retried)
    }

    /// Whole seconds in which at least one job ran.
    fn busy_seconds(&self, pipeline: u64) -> Option<i64> {
        let mut spans: Vec<(Moment, Moment)> = self
            .jobs_of(pipeline)
            .filter_map(|job| Some((job.started_at?, job.finished_at?)))
            .collect();
        spans.sort_unstable();
        let mut busy = 0;
        let mut until = spans.first()?.0;
        for (start, end) in spans {
            busy += (end.millis() - start.max(until).millis()).max(0);
            until = until.max(end);
        }
        Some(busy / 1000)
    }
}

fn turn_after(prior: Option<CiStatus>) -> Turn {
    match prior {
        None | Some(CiStatus::Success | CiStatus::Skipped) => Turn::Starts,
        Some(CiStatus::Failed | CiStatus::Canceled) => Turn::IsSkipped,
        Some(_) => Turn::Waits,
    }
}

/// A job with `needs` is skipped if a needed job does not run at all, and waits until all have ended.
fn turn_after_needs(needed: &[&Job]) -> Turn {
    let is_idle = |job: &&&Job| match job.status {
        CiStatus::Skipped => true,
        CiStatus::Manual => job.plan.allow_failure,
        _ => false,
    };
    if needed.iter().any(|job| is_idle(&job)) {
        Turn::IsSkipped
    } else if needed.iter().all(|job| job.status.is_terminal()) {
        turn_after(composite(needed.iter().copied()))
    } else {
        Turn::Waits
    }
}
