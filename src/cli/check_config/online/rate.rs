//! The requests a second that polling needs, against the configured rate. Nothing is asked.

use super::finding::Findings;
use crate::config::Config;
use crate::ingest::{NeededRate, USUAL_ACTIVE_SHARE};

/// Judges the rate for so many projects.
pub(super) fn judge(config: &Config, projects: usize, findings: &Findings) {
    if projects == 0 {
        return;
    }
    let allowed = config.gitlab.requests_per_second;
    let needed = NeededRate::estimated(
        &config.watch,
        config.gitlab.api,
        projects,
        USUAL_ACTIVE_SHARE,
    );
    let share = USUAL_ACTIVE_SHARE * 100.0;
    match needed.advice(allowed) {
        Some(advice) => findings.warn(format!(
            "with {share} % of {projects} projects busy, {advice}"
        )),
        None => findings.ok(format!(
            "{allowed} requests a second are allowed, and {projects} projects of which {share} % are busy need about {needed}"
        )),
    }
}
