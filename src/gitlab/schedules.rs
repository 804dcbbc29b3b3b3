//! Pipeline schedules: requests and records.

use std::sync::Arc;

use ci_history::Timestamp;
use gitlab::api::projects::pipeline_schedules::{PipelineSchedule, PipelineSchedules};

use super::client::Client;
use super::error::Error;
use super::listing::{Listing, RejectReason, Rejected};
use super::paging::Limit;
use super::record::{Reader, Record};
use super::wire::{self, Value};
use crate::base::api::Endpoint;

/// A pipeline schedule of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// GitLab's id.
    pub id: u64,
    /// May be empty.
    pub description: Arc<str>,
    /// Branch or tag that it runs on, without `refs/heads/` or `refs/tags/`.
    pub ref_name: Arc<str>,
    /// When GitLab is going to run it, or should have.
    pub next_run_at: Option<Timestamp>,
    /// Whether GitLab runs it.
    pub active: bool,
    /// When it last changed: each run moves [`Schedule::next_run_at`].
    pub updated_at: Option<Timestamp>,
}

/// When the last pipeline of a schedule was created; only the single schedule tells.
struct LastRun(Option<Timestamp>);

impl Client {
    /// The pipeline schedules of a project.
    pub async fn schedules(&self, project: u64) -> Result<Listing<Schedule>, Error> {
        let call = self.call(Endpoint::Schedules, format!("project {project}"));
        let endpoint = call.built(PipelineSchedules::builder().project(project).build())?;
        call.list(&endpoint, Limit::ALL).await
    }

    /// When the last pipeline of a schedule was created; `None` if there is none.
    pub async fn schedule_last_run(
        &self,
        project: u64,
        schedule: u64,
    ) -> Result<Option<Timestamp>, Error> {
        let subject = format!("pipeline schedule {schedule} of project {project}");
        let call = self.call(Endpoint::Schedule, subject);
        let endpoint = call.built(
            PipelineSchedule::builder()
                .project(project)
                .id(schedule)
                .build(),
        )?;
        Ok(call.one::<LastRun>(&endpoint).await?.0)
    }
}

impl Record for Schedule {
    const KIND: &'static str = "schedule";
    type Wire<'a> = wire::Schedule<'a>;

    fn read(read: &mut Reader, wire: wire::Schedule<'_>) -> Result<Self, Rejected> {
        let id = read.id(&wire.id)?;
        let ref_name = read.required("ref", &wire.ref_name, RejectReason::MissingRef)?;
        let description = read.text("description", &wire.description)?;
        Ok(Self {
            id,
            description: description.unwrap_or_default().into(),
            ref_name: short_ref(ref_name).into(),
            next_run_at: read.time("next_run_at", &wire.next_run_at)?,
            active: read.flag("active", &wire.active)?,
            updated_at: read.time("updated_at", &wire.updated_at)?,
        })
    }
}

impl Record for LastRun {
    const KIND: &'static str = "schedule";
    type Wire<'a> = wire::Schedule<'a>;

    fn read(read: &mut Reader, wire: wire::Schedule<'_>) -> Result<Self, Rejected> {
        read.id(&wire.id)?;
        if matches!(wire.last_pipeline, Value::Missing) {
            return Ok(Self(None));
        }
        let (read, pipeline) = Reader::open(Self::KIND, wire.last_pipeline)?;
        let created_at = read.time("last_pipeline.created_at", &pipeline.created_at)?;
        Ok(Self(created_at))
    }
}

/// Since 17 GitLab gives full names of refs.
fn short_ref(name: &str) -> &str {
    name.strip_prefix("refs/heads/")
        .or_else(|| name.strip_prefix("refs/tags/"))
        .filter(|short| !short.is_empty())
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::record::decode_one;
    use super::*;

    fn schedule(record: &Value) -> Result<Schedule, Rejected> {
        decode_one(&record.to_string()).map(|(_, schedule)| schedule)
    }

    fn documented() -> Value {
        json!({
            "id": 13, "description": "Test schedule pipeline", "ref": "refs/heads/main",
            "cron": "* * * * *", "cron_timezone": "Asia/Tokyo",
            "next_run_at": "2017-05-19T13:41:00.000Z", "active": true,
            "created_at": "2017-05-19T13:31:08.849Z", "updated_at": "2017-05-19T13:40:17.727Z",
            "owner": {"id": 1, "username": "root"},
        })
    }

    #[test]
    fn a_schedule_is_read_with_the_short_name_of_its_ref() {
        let found = schedule(&documented()).unwrap();
        assert_eq!(
            (found.id, &*found.ref_name, found.active),
            (13, "main", true)
        );
        assert_eq!(found.next_run_at.map(Timestamp::unix), Some(1_495_201_260));
        for (full, short) in [
            ("refs/tags/v1", "v1"),
            ("release/refs/heads/x", "release/refs/heads/x"),
            ("refs/heads/", "refs/heads/"),
        ] {
            let mut record = documented();
            record["ref"] = json!(full);
            assert_eq!(&*schedule(&record).unwrap().ref_name, short);
        }
    }

    #[test]
    fn a_schedule_without_a_ref_is_rejected_and_one_without_a_description_is_not() {
        let mut record = documented();
        record["description"] = Value::Null;
        record["next_run_at"] = Value::Null;
        assert_eq!(&*schedule(&record).unwrap().description, "");
        record["ref"] = json!("");
        let rejected = schedule(&record).unwrap_err();
        assert_eq!(rejected.reason, RejectReason::MissingRef);
    }

    #[test]
    fn the_last_run_is_when_the_last_pipeline_was_created() {
        let last_run = |pipeline: Value| {
            let mut record = documented();
            record["last_pipeline"] = pipeline;
            let (_, LastRun(time)) = decode_one(&record.to_string()).unwrap();
            time.map(Timestamp::unix)
        };
        let created = json!({"id": 332, "created_at": "2017-05-19T13:40:00.000Z"});
        assert_eq!(last_run(created), Some(1_495_201_200));
        assert_eq!(last_run(json!({"id": 332})), None);
        assert_eq!(last_run(Value::Null), None);
    }
}
