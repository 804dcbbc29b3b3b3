//! What GitLab lists right before an action.

use std::collections::BTreeMap;
use std::sync::Arc;

use ci_history::Status;

/// One attempt of a job in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedJob {
    /// GitLab's job id.
    pub(super) id: u64,
    /// Full name.
    pub(super) name: Arc<str>,
    /// Stage.
    pub(super) stage: Arc<str>,
    /// Status.
    pub(super) status: Status,
    /// Whether the pipeline passes although the job fails.
    pub(super) allow_failure: bool,
    /// Whether GitLab keeps no definition of the job any more.
    pub(super) archived: bool,
    /// Whether GitLab lists it with a deployment of the project, or the configuration says that it deploys.
    pub(super) deploys: bool,
    /// Who started it.
    pub(super) user: Option<u64>,
}

/// What GitLab lists right before an action.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed {
    /// The user of the token that acts.
    pub(super) me: u64,
    /// Branch or tag of the pipeline.
    pub(super) ref_name: Option<Arc<str>>,
    /// Every attempt of every job of the pipeline that has the failed job.
    pub(super) jobs: Vec<ListedJob>,
    /// The same of the parent, if that pipeline is a child: a retry revives its skipped jobs, too.
    pub(super) parent_jobs: Vec<ListedJob>,
    /// The newest finished pipeline of the ref and track.
    pub(super) newest_finished: Option<u64>,
    /// The newest pipeline of the ref, whatever its status.
    pub(super) newest: Option<u64>,
}

impl Listed {
    /// An attempt.
    pub(super) fn attempt(&self, id: u64) -> Option<&ListedJob> {
        self.jobs.iter().find(|job| job.id == id)
    }

    /// Whether an attempt is a deployment.
    pub(super) fn deploys(&self, id: u64) -> bool {
        self.attempt(id).is_some_and(|job| job.deploys)
    }

    /// The newest attempt of a job.
    pub(super) fn newest_of(&self, name: &str) -> Option<&ListedJob> {
        newest(&self.jobs).remove(name)
    }

    /// How many attempts of a job the user of the token started.
    pub(super) fn tries_of_mine(&self, name: &str) -> usize {
        let mine = |job: &&ListedJob| *job.name == *name && job.user == Some(self.me);
        self.jobs.iter().filter(mine).count()
    }

    /// An attempt of a job that the user of the token started after another attempt.
    pub(super) fn mine_after(&self, name: &str, id: u64) -> Option<&ListedJob> {
        let after =
            |job: &&ListedJob| *job.name == *name && job.id > id && job.user == Some(self.me);
        self.jobs.iter().filter(after).min_by_key(|job| job.id)
    }

    /// Whether a job of an earlier stage failed, so that it has to come back first.
    pub(super) fn has_failed_upstream(&self, job: &ListedJob) -> bool {
        let stages = stage_order(&self.jobs);
        let order = |stage: &str| stages.get(stage).copied();
        newest(&self.jobs).into_values().any(|other| {
            other.status == Status::Failed
                && !other.allow_failure
                && order(&other.stage) < order(&job.stage)
        })
    }

    /// Whether a retry of the job starts one that deploys: GitLab lets skipped jobs of its stage and of later ones
    /// run when the retried one passes, those of the parent pipeline included.
    pub(super) fn revives_deployment(&self, job: &ListedJob) -> bool {
        let stages = stage_order(&self.jobs);
        let order = |stage: &str| stages.get(stage).copied();
        let is_revived = |other: &ListedJob| {
            matches!(other.status, Status::Skipped | Status::Created) && other.deploys
        };
        let behind = newest(&self.jobs)
            .into_values()
            .any(|other| is_revived(other) && order(&other.stage) >= order(&job.stage));
        behind || newest(&self.parent_jobs).into_values().any(is_revived)
    }
}

/// The newest attempt of each job.
fn newest(jobs: &[ListedJob]) -> BTreeMap<&str, &ListedJob> {
    let mut newest: BTreeMap<&str, &ListedJob> = BTreeMap::new();
    for job in jobs {
        let known = newest.entry(&job.name).or_insert(job);
        if job.id > known.id {
            *known = job;
        }
    }
    newest
}

/// The order of the stages: GitLab creates the jobs of a pipeline stage by stage, and lists no order.
fn stage_order(jobs: &[ListedJob]) -> BTreeMap<&str, u64> {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for job in jobs {
        let id = first.entry(&job.stage).or_insert(job.id);
        *id = (*id).min(job.id);
    }
    first
}
