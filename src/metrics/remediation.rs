//! How bringing failed jobs back goes.

use strum::{IntoStaticStr, VariantArray};

use super::telemetry::Telemetry;
use crate::base::label::Label as _;

/// The label `reason` of `job_failure_exporter_remediation_paused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Pause {
    /// Many jobs fail at the same time.
    Outage,
    /// GitLab keeps failing.
    GitlabDown,
    /// The record of actions cannot be saved.
    NotSaved,
    /// An operator stopped everything.
    Halted,
    /// The token may not act in some projects.
    NoRights,
}

/// The label `result` of `job_failure_exporter_remediation_actions_total`.
const RESULTS: [&str; 3] = ["started", "refused", "not_done"];

impl Telemetry {
    /// Remediation was configured to go so far, with these rules and their actions. The counters of a rule begin at
    /// zero, so that its first action is an increase.
    pub fn remediation(&self, mode: &str, rules: &[(&str, &str)]) {
        self.remediation_mode.with_label_values(&[mode]).set(1);
        for pause in Pause::ALL {
            self.remediation_paused(*pause, 0);
        }
        for (rule, action) in rules {
            for result in RESULTS {
                self.remediation_actions
                    .with_label_values(&[*action, *rule, result]);
            }
            self.remediation_decisions
                .with_label_values(&[*rule, "refuse", "no_rights"]);
            self.remediation_recovered.with_label_values(&[rule]);
            self.remediation_failed_again.with_label_values(&[rule]);
        }
    }

    /// Something was decided about a failure.
    pub fn remediation_decided(&self, rule: &str, decision: &str, reason: &str) {
        let labels = [rule, decision, reason];
        self.remediation_decisions.with_label_values(&labels).inc();
    }

    /// GitLab has started an action, refused it, or never saw it.
    pub fn remediation_acted(&self, action: &str, rule: &str, result: &str) {
        let labels = [action, rule, result];
        self.remediation_actions.with_label_values(&labels).inc();
    }

    /// What an action started has passed, or failed again.
    pub fn remediation_ended(&self, rule: &str, has_passed: bool) {
        let counter = if has_passed {
            &self.remediation_recovered
        } else {
            &self.remediation_failed_again
        };
        counter.with_label_values(&[rule]).inc();
    }

    /// So many failures wait for their turn.
    pub fn remediation_pending(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.remediation_pending.set(count);
    }

    /// Why nothing is done, or in how many projects.
    pub fn remediation_paused(&self, pause: Pause, count: usize) {
        let gauge = self.remediation_paused.with_label_values(&[pause.as_str()]);
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The jobs whose circuits are open: project, ref, track and name of each.
    pub fn retry_circuits<'a>(&self, open: impl Iterator<Item = [&'a str; 4]>) {
        self.retry_circuit.reset();
        for labels in open {
            self.retry_circuit.with_label_values(&labels).set(1);
        }
    }
}
