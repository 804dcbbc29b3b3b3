//! Single jobs, and answers that are text: logs of jobs and files of repositories.

use gitlab::api::projects::jobs::{Job as GetJob, JobTrace};
use gitlab::api::projects::repository::files::FileRaw;

use super::client::Client;
use super::error::Error;
use super::error_kind::ErrorKind;
use super::listing::Rejected;
use super::record::{Reader, Record};
use super::transport::Expected;
use super::wire::{self, Value};
use crate::base::api::Endpoint;

/// Longest part of a log that is read, in bytes: twice the default limit of a runner.
const LONGEST_LOG: usize = 8 << 20;

/// End of a log that is kept, in bytes.
const KEPT_OF_LOG: usize = 64 << 10;

/// Largest file that is read from a repository, in bytes.
const LONGEST_FILE: usize = 1 << 20;

/// The end of a job's log. It may hold secrets.
#[derive(Clone)]
pub struct LogTail {
    /// The last bytes that were read.
    pub bytes: Vec<u8>,
    /// Whether the log has bytes before them.
    pub cut_before: bool,
    /// Whether the log is longer than the limit, so that its end is not known.
    pub cut_after: bool,
}

impl std::fmt::Debug for LogTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogTail({} bytes)", self.bytes.len())
    }
}

/// Whether the log of a job was erased.
struct LogIsErased(bool);

impl Record for LogIsErased {
    const KIND: &'static str = "job";
    type Wire<'a> = wire::ErasedJob<'a>;

    fn read(_: &mut Reader, wire: wire::ErasedJob<'_>) -> Result<Self, Rejected> {
        Ok(Self(matches!(wire.erased_at, Value::Text(_))))
    }
}

impl Client {
    /// Whether somebody erased the log of a job, or the job itself.
    pub async fn log_was_erased(&self, project: u64, job: u64) -> Result<bool, Error> {
        let found = self.find_job(project, job).await?;
        Ok(found.is_none_or(|LogIsErased(is_erased)| is_erased))
    }

    /// Whether GitLab has a job of this id in a project. It knows no trigger jobs by their ids.
    pub async fn has_job(&self, project: u64, job: u64) -> Result<bool, Error> {
        Ok(self.find_job(project, job).await?.is_some())
    }

    async fn find_job(&self, project: u64, job: u64) -> Result<Option<LogIsErased>, Error> {
        let subject = format!("job {job} of project {project}");
        let call = self.call(Endpoint::Job, subject);
        let endpoint = call.built(GetJob::builder().project(project).job(job).build())?;
        match call.one(&endpoint).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The end of a job's log; `None` where GitLab knows no such job or shows no log of it.
    pub async fn job_log(&self, project: u64, job: u64) -> Result<Option<LogTail>, Error> {
        let mut call = self.call(
            Endpoint::JobTrace,
            format!("job {job} of project {project}"),
        );
        call.expected = Expected::Tail {
            keep: KEPT_OF_LOG,
            read: LONGEST_LOG,
        };
        let endpoint = call.built(JobTrace::builder().project(project).job(job).build())?;
        let text = call.text(&endpoint).await?;
        Ok(text.map(|(bytes, left_out)| LogTail {
            bytes: bytes.into(),
            cut_before: left_out.before > 0,
            cut_after: left_out.after,
        }))
    }

    /// A file of a project's repository, as it is on a branch; `None` where there is none.
    pub async fn repository_file(
        &self,
        project: u64,
        path: &str,
        branch: &str,
    ) -> Result<Option<String>, Error> {
        let subject = format!("file {path} of project {project}");
        let mut call = self.call(Endpoint::RepositoryFile, subject);
        call.expected = Expected::Tail {
            keep: LONGEST_FILE,
            read: LONGEST_FILE,
        };
        let mut builder = FileRaw::builder();
        let endpoint = builder.project(project).file_path(path).ref_(branch);
        let endpoint = call.built(endpoint.build())?;
        let Some((bytes, left_out)) = call.text(&endpoint).await? else {
            return Ok(None);
        };
        if left_out.after {
            let limit = LONGEST_FILE;
            let kind = ErrorKind::TooLarge { limit };
            return Err(call.error(&call.url_of(&endpoint)?, 1, kind));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
