//! The shapes of GitLab's webhooks, field by field as they came; variables, users and messages are not read.

use crate::gitlab::wire::{Job, Value, shapes};

shapes! {
    /// The part of every hook that tells one kind from another.
    Envelope { object_kind }

    /// `object_kind: build`.
    JobHook {
        #[serde(rename = "ref")]
        ref_name,
        build_id,
        build_name,
        build_stage,
        build_status,
        build_created_at,
        build_started_at,
        build_finished_at,
        build_duration,
        build_queued_duration,
        build_allow_failure,
        /// `unknown_failure` on a success, too.
        build_failure_reason,
        /// Absent before GitLab 13.
        pipeline_id,
        project_id,
        /// Its id is the pipeline's.
        commit: Value<'a, Related<'a>>,
        project: Value<'a, Related<'a>>,
    }

    /// `object_kind: pipeline`.
    PipelineHook {
        object_attributes: Value<'a, Attributes<'a>>,
        project: Value<'a, Related<'a>>,
        /// As the jobs of the API, without a few fields.
        builds: Option<Vec<Value<'a, Job<'a>>>>,
    }

    /// The pipeline itself.
    Attributes {
        id,
        #[serde(rename = "ref")]
        ref_name,
        status,
        source,
    }

    /// Something of which only the id matters, or its path.
    Related { id, path_with_namespace }
}
