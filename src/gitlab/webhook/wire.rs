//! The shapes of GitLab's webhooks, field by field as they came; jobs, variables, users and messages are not read.

use crate::gitlab::wire::{Value, shapes};

shapes! {
    /// The part of every hook that tells one kind from another.
    Envelope { object_kind }

    /// `object_kind: build`.
    JobHook {
        #[serde(rename = "ref")]
        ref_name,
        build_id,
        build_status,
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
        /// Null unless the pipeline is of a merge request.
        merge_request: Value<'a, MergeRequest<'a>>,
    }

    /// The pipeline itself.
    Attributes {
        id,
        #[serde(rename = "ref")]
        ref_name,
        status,
        source,
    }

    /// Its number within the project.
    MergeRequest { iid }

    /// Something of which only the id matters, or its path.
    Related { id, path_with_namespace }
}
