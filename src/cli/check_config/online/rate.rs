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

#[cfg(test)]
mod tests {
    use super::super::finding::{Finding, Level, Part};
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn a_rate_that_is_too_low_is_a_warning() {
        let overrides = Overrides {
            groups: vec!["acme".to_owned()],
            ..Overrides::default()
        };
        let mut config = Config::load(None, &overrides, &|_| None).unwrap();
        let mut level = |rate, projects| {
            config.gitlab.requests_per_second = rate;
            let findings = Findings::about(Part::Rate);
            judge(&config, projects, &findings);
            findings.list().first().map(Finding::level)
        };
        assert_eq!(level(10.0, 1000), Some(Level::Ok));
        assert_eq!(level(0.5, 1000), Some(Level::Warning));
        assert_eq!(level(0.5, 0), None);
    }
}
