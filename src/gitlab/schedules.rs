//! Pipeline schedules: the questions about them, and what is read of the answers.

use std::sync::Arc;

use gitlab::api::projects::pipeline_schedules::{PipelineSchedule, PipelineSchedules};
use serde_json::value::RawValue;

use super::client::Client;
use super::error::Error;
use super::paging::Limit;
use super::record::{Identified, Listing, Reader, RejectReason, Rejected};
use super::wire;
use crate::base::api::Endpoint;
use crate::model::Timestamp;

/// A pipeline schedule of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// GitLab's id.
    pub id: u64,
    /// What somebody wrote to say what it is for; empty where nobody did.
    pub description: Arc<str>,
    /// Branch or tag that it runs on, without `refs/heads/` or `refs/tags/`.
    pub ref_name: Arc<str>,
    /// When GitLab is going to run it, or should have.
    pub next_run_at: Option<Timestamp>,
    /// Whether it is switched on.
    pub active: bool,
    /// When it last changed: each run moves [`Schedule::next_run_at`].
    pub updated_at: Option<Timestamp>,
}

/// What only the schedule alone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detail {
    last_run: Option<Timestamp>,
}

impl Identified for Schedule {
    fn id(&self) -> u64 {
        self.id
    }
}

impl Client {
    /// The pipeline schedules of a project.
    pub async fn schedules(&self, project: u64) -> Result<Listing<Schedule>, Error> {
        let call = self.call(Endpoint::Schedules, format!("project {project}"));
        let endpoint = call.built(PipelineSchedules::builder().project(project).build())?;
        call.list(&endpoint, Limit::ALL, schedule).await
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
        Ok(call.one(&endpoint, detail).await?.last_run)
    }
}

pub(super) fn schedule(record: &RawValue) -> Result<Schedule, Rejected> {
    let (mut read, wire): (_, wire::Schedule<'_>) = Reader::open("schedule", record)?;
    let id = read.id(wire.id)?;
    let ref_name = read.required("ref", wire.ref_name, RejectReason::MissingRef)?;
    Ok(Schedule {
        id,
        description: read
            .text("description", wire.description)?
            .unwrap_or_default(),
        ref_name: short_ref(&ref_name),
        next_run_at: read.time("next_run_at", wire.next_run_at)?,
        active: read.flag("active", wire.active)?,
        updated_at: read.time("updated_at", wire.updated_at)?,
    })
}

/// Since 17 GitLab gives full names of refs.
fn short_ref(name: &Arc<str>) -> Arc<str> {
    let short = name
        .strip_prefix("refs/heads/")
        .or_else(|| name.strip_prefix("refs/tags/"))
        .filter(|short| !short.is_empty());
    short.map_or_else(|| name.clone(), Arc::from)
}

pub(super) fn detail(record: &RawValue) -> Result<Detail, Rejected> {
    let (mut read, wire): (_, wire::Schedule<'_>) = Reader::open("schedule", record)?;
    read.id(wire.id)?;
    let Some(pipeline) = wire.last_pipeline else {
        return Ok(Detail { last_run: None });
    };
    let (read, wire): (_, wire::Pipeline<'_>) = Reader::open("schedule", pipeline)?;
    let last_run = read.time("last_pipeline.created_at", wire.created_at)?;
    Ok(Detail { last_run })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
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
        let found = schedule(&raw(&documented())).unwrap();
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
            assert_eq!(&*schedule(&raw(&record)).unwrap().ref_name, short);
        }
    }

    #[test]
    fn a_schedule_without_a_ref_is_rejected_and_one_without_a_description_is_not() {
        let mut record = documented();
        record["description"] = Value::Null;
        record["next_run_at"] = Value::Null;
        assert_eq!(&*schedule(&raw(&record)).unwrap().description, "");
        record["ref"] = json!("");
        let rejected = schedule(&raw(&record)).unwrap_err();
        assert_eq!(rejected.reason, RejectReason::MissingRef);
    }

    #[test]
    fn the_last_run_is_when_the_last_pipeline_was_created() {
        let last_run = |pipeline: Value| {
            let mut record = documented();
            record["last_pipeline"] = pipeline;
            detail(&raw(&record)).unwrap().last_run.map(Timestamp::unix)
        };
        let created = json!({"id": 332, "created_at": "2017-05-19T13:40:00.000Z"});
        assert_eq!(last_run(created), Some(1_495_201_200));
        assert_eq!(last_run(json!({"id": 332})), None);
        assert_eq!(last_run(Value::Null), None);
    }
}
