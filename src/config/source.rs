//! Sources of pipelines, as GitLab names them.

use super::word::Word;

/// What started a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source(pub(super) &'static str);

impl Word for Source {
    /// Without `parent_pipeline`: GitLab leaves child pipelines out of its lists.
    const ALL: &'static [Self] = &[
        Self("push"),
        Self("web"),
        Self("api"),
        Self("schedule"),
        Self("trigger"),
        Self("chat"),
        Self("webide"),
        Self("pipeline"),
        Self("merge_request_event"),
        Self("external"),
        Self("external_pull_request_event"),
        Self("ondemand_dast_scan"),
        Self("ondemand_dast_validation"),
        Self("security_orchestration_policy"),
        Self("container_registry_push"),
        Self("duo_workflow"),
        Self("pipeline_execution_policy_schedule"),
        Self("unknown"),
    ];

    fn word(self) -> &'static str {
        self.0
    }
}
