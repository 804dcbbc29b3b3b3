//! Why a job failed, as a small closed set: GitLab's `failure_reason` grouped for labels.

use serde::{Deserialize, Serialize};

/// Group of failure reasons; the label `failure_class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FailureClass {
    /// The job's own script.
    Script,
    /// Runner or GitLab.
    Infrastructure,
    /// The job ran longer than it may.
    Timeout,
    /// A job, artifact or downstream pipeline it needs.
    Dependency,
    /// The pipeline's, the job's or the runner's configuration.
    Configuration,
    /// Quota, protection or permission.
    Policy,
    /// GitLab gave no reason, or one this program does not know.
    Unknown,
}

impl FailureClass {
    /// All classes, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::Script,
        Self::Infrastructure,
        Self::Timeout,
        Self::Dependency,
        Self::Configuration,
        Self::Policy,
        Self::Unknown,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Infrastructure => "infrastructure",
            Self::Timeout => "timeout",
            Self::Dependency => "dependency",
            Self::Configuration => "configuration",
            Self::Policy => "policy",
            Self::Unknown => "unknown",
        }
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
                // Said by the adapter where GitLab says nothing.
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
