//! Answers that are text: logs of jobs and files of repositories.

use gitlab::api::Endpoint as GitlabEndpoint;
use gitlab::api::projects::jobs::JobTrace;
use gitlab::api::projects::repository::files::FileRaw;
use http::Request;
use http::header::ACCEPT;

use super::client::Client;
use super::error::Error;
use super::fault::Fault;
use super::transport::{Call, LeftOut, Wanted};
use crate::base::api::Endpoint;

/// Bytes of a log that are read at most: twice what a runner lets a job write by default.
const LONGEST_LOG: usize = 8 << 20;

/// Bytes of a log that are kept while it is read.
const KEPT_OF_LOG: usize = 64 << 10;

/// Bytes of a file that is read from a repository.
const LONGEST_FILE: usize = 1 << 20;

/// The end of a job's log. It may hold secrets.
#[derive(Clone)]
pub struct LogTail {
    /// The last bytes that were read.
    pub bytes: Vec<u8>,
    /// Whether something lies before them.
    pub cut_before: bool,
    /// Whether the log is longer than what is read of one, so that its end is not known.
    pub cut_after: bool,
}

impl std::fmt::Debug for LogTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogTail({} bytes)", self.bytes.len())
    }
}

impl Client {
    /// The end of a job's log; `None` where GitLab knows no such job or shows no log of it.
    pub async fn job_log(&self, project: u64, job: u64) -> Result<Option<LogTail>, Error> {
        let mut call = self.call(
            Endpoint::JobTrace,
            format!("job {job} of project {project}"),
        );
        call.wanted = Wanted::Tail {
            keep: KEPT_OF_LOG,
            read: LONGEST_LOG,
        };
        let endpoint = call.built(JobTrace::builder().project(project).job(job).build())?;
        let text = call.text(&endpoint).await?;
        Ok(text.map(|(bytes, left_out)| LogTail {
            bytes,
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
        call.wanted = Wanted::Tail {
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
            let fault = Fault::TooLarge {
                limit: LONGEST_FILE,
            };
            return Err(call.error(&call.url_of(&endpoint)?, 1, fault));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

impl Call<'_> {
    async fn text(
        &self,
        endpoint: &(impl GitlabEndpoint + Sync),
    ) -> Result<Option<(Vec<u8>, LeftOut)>, Error> {
        let url = self.url_of(endpoint)?;
        let request = Request::get(url.as_str()).header(ACCEPT, "text/plain, */*;q=0.1");
        match self.ask(&url, request).await {
            Ok(answer) => {
                let left_out = answer.extensions().get().copied().unwrap_or_default();
                Ok(Some((answer.into_body().into(), left_out)))
            }
            Err(error) if matches!(error.fault(), Fault::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
