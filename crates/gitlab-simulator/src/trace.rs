//! Logs of jobs, and files of repositories.

use super::entity::{CiStatus, Job};
use super::world::World;

impl World {
    /// Replaces the log of a job.
    pub fn set_log(&mut self, job: u64, text: &str) {
        self.logs.insert(job, text.to_owned());
    }

    /// Erases the log of a job, as GitLab does for a user: the log is empty from then on.
    pub fn erase_log(&mut self, job: u64) {
        self.erased_logs.insert(job, self.now);
        self.set_log(job, "");
    }

    /// Adds or replaces a file in a project's repository, on every branch.
    pub fn set_file(&mut self, project: u64, path: &str, text: &str) {
        let key = (project, path.to_owned());
        self.files.insert(key, text.to_owned());
    }

    /// Removes a file from a project's repository.
    pub fn remove_file(&mut self, project: u64, path: &str) {
        self.files.remove(&(project, path.to_owned()));
    }

    /// The log of a job so far; empty before the job started.
    pub(super) fn log_of(&self, job: &Job) -> String {
        if let Some(text) = self.logs.get(&job.id) {
            return text.clone();
        }
        if job.started_at.is_none() {
            return String::new();
        }
        let section = |name: &str, edge: &str| format!("section_{edge}:1767600000:{name}\r\x1b[0K");
        let mut log = format!(
            "\x1b[0KRunning with gitlab-runner 18.4.0\x1b[0;m\n\
             {}\x1b[0K\x1b[36;1mGetting source from Git repository\x1b[0;m\n\
             Fetching changes with git depth set to 50...\n{}{}\
             \x1b[0K\x1b[36;1mExecuting \"step_script\" stage of the job script\x1b[0;m\n\
             \x1b[32;1m$ make {}\x1b[0;m\n",
            section("get_sources", "start"),
            section("get_sources", "end"),
            section("step_script", "start"),
            job.name(),
        );
        let ending = match (job.status, job.failure_reason.as_deref()) {
            (CiStatus::Success, _) => "\x1b[32;1mJob succeeded\x1b[0;m\n".to_owned(),
            (CiStatus::Failed, Some("runner_system_failure")) => {
                "\x1b[31;1mERROR: Job failed (system failure): the machine is gone\x1b[0;m\n"
                    .to_owned()
            }
            (CiStatus::Failed, Some("job_execution_timeout")) => {
                "\x1b[31;1mERROR: Job failed: execution took longer than 1h0m0s seconds\x1b[0;m\n"
                    .to_owned()
            }
            (CiStatus::Failed, _) => format!(
                "running 128 tests\ntest {}::works_as_before ... FAILED\n\
                 assertion `left == right` failed\n  left: 3\n right: 2\n\
                 make: *** [Makefile:12: {}] Error 1\n{}\
                 \x1b[31;1mERROR: Job failed: exit code 1\n\x1b[0;m",
                job.name(),
                job.name(),
                section("step_script", "end"),
            ),
            _ => String::new(),
        };
        log.push_str(&ending);
        log
    }

    /// A file of a project's repository.
    pub(super) fn file(&self, project: u64, path: &str) -> Option<&str> {
        let key = (project, path.to_owned());
        self.files.get(&key).map(String::as_str)
    }
}
