//! Failure classes: GitLab's `failure_reason` grouped into a small closed set of label values.

use serde::{Deserialize, Serialize};
use strum::{EnumCount, IntoStaticStr, VariantArray};

/// Group of failure reasons.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    EnumCount,
    VariantArray,
    IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub enum FailureClass {
    /// The job's script failed.
    Script,
    /// The runner or GitLab failed.
    Infrastructure,
    /// The job exceeded its time limit.
    Timeout,
    /// A needed job, artifact or downstream pipeline failed or is missing.
    Dependency,
    /// The configuration of the pipeline, job or runner is wrong.
    Configuration,
    /// A quota, protection or missing permission stopped the job.
    Policy,
    /// GitLab gave no reason or an unknown one.
    Unknown,
}

impl FailureClass {
    /// Every class, in order of declaration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.as_array().expect("every variant once");

    /// Value of the label `failure_class`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Groups GitLab's reason (`Enums::Ci::CommitStatus.failure_reasons`, 19.x).
    pub fn of_reason(reason: Option<&str>) -> Self {
        match reason {
            Some("script_failure") => Self::Script,
            Some(
                "api_failure"
                | "data_integrity_failure"
                | "duo_workflow_connection_failure"
                | "job_router_failure"
                | "no_matching_runner"
                | "no_updates_canceling"
                | "no_updates_running"
                | "runner_external_dependency_failure"
                | "runner_interrupted"
                | "runner_system_failure"
                | "runner_unsupported"
                | "scheduler_failure"
                | "stale_schedule"
                | "stuck_or_timeout_failure"
                | "stuck_pending_no_matching_runners"
                | "stuck_pending_with_matching_runners"
                | "unmet_prerequisites",
            ) => Self::Infrastructure,
            Some(
                "job_execution_server_timeout"
                | "job_execution_timeout"
                | "job_token_expired"
                | "server_timeout_canceling"
                | "server_timeout_running",
            ) => Self::Timeout,
            Some(
                "downstream_pipeline_creation_failed"
                // Set by the exporter: GitLab gives no reason here.
                | "downstream_pipeline_failed"
                | "missing_dependency_failure"
                | "reached_downstream_pipeline_trigger_rate_limit",
            ) => Self::Dependency,
            Some(
                "bridge_pipeline_is_child_pipeline"
                | "downstream_bridge_project_not_found"
                | "downstream_project_trigger_resolved_to_empty"
                | "environment_creation_failure"
                | "invalid_bridge_trigger"
                | "pipeline_loop_detected"
                | "reached_max_descendant_pipelines_depth"
                | "reached_max_pipeline_hierarchy_size"
                | "runner_configuration_error"
                | "secrets_provider_not_found"
                | "trace_size_exceeded"
                | "upstream_bridge_project_not_found",
            ) => Self::Configuration,
            Some(
                "archived_failure"
                | "builds_disabled"
                | "ci_quota_exceeded"
                | "deployment_rejected"
                | "duo_workflow_not_allowed"
                | "failed_outdated_deployment_job"
                | "forward_deployment_failure"
                | "id_token_burned_project_path"
                | "insufficient_bridge_permissions"
                | "insufficient_upstream_permissions"
                | "ip_restriction_failure"
                | "project_deleted"
                | "protected_environment_failure"
                | "secrets_manager_access_denied"
                | "user_blocked",
            ) => Self::Policy,
            _ => Self::Unknown,
        }
    }
}
