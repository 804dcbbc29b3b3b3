//! How long to wait between two cycles of a project.

use std::time::Duration;

use tokio::time::Instant;

use super::cycle::CycleError;
use crate::base::backoff::Backoff;
use crate::config::Watch;
use crate::gitlab::ErrorKind;

/// A project is quiet after so long without activity.
const QUIET_AFTER: Duration = Duration::from_mins(15);

/// Interval for a project whose CI/CD is switched off.
const CI_DISABLED: Duration = Duration::from_hours(1);

/// Intervals that a project waits at most while GitLab refuses it.
const LONGEST_REFUSED: u32 = 16;

/// What the webhooks of a project are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hooks {
    /// None came lately.
    Silent,
    /// Some came. They tell when something is going on, so that the project is quiet sooner.
    Usual,
    /// They tell of everything that moves. Polling is the safety net.
    Trusted,
}

/// See the module.
pub(super) struct Pace {
    last_active: Instant,
    /// Cycles in a row that GitLab refused.
    refused: u32,
    ci_disabled: bool,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            last_active: Instant::now(),
            refused: 0,
            ci_disabled: false,
        }
    }

    /// Notes how a cycle went, and whether something is going on in the project.
    pub(super) fn note(&mut self, outcome: &Result<(), CycleError>, active: bool) {
        if active {
            self.last_active = Instant::now();
        }
        let general = outcome.as_ref().err().filter(|failed| failed.is_general);
        let error = general.map(|failed| &failed.error);
        self.ci_disabled = error.is_some_and(|error| matches!(error.kind(), ErrorKind::CiDisabled));
        self.refused = match error {
            Some(error) if !error.is_retryable() => self.refused.saturating_add(1),
            _ => 0,
        };
    }

    /// Whether GitLab would refuse an earlier cycle, too.
    pub(super) fn backs_off(&self) -> bool {
        self.ci_disabled || self.refused > 0
    }

    /// Time until the next cycle.
    pub(super) fn wait(&self, watch: &Watch, hooks: Hooks) -> Duration {
        if self.ci_disabled {
            return CI_DISABLED.max(watch.idle_interval);
        }
        let quiet_after = match hooks {
            Hooks::Silent => QUIET_AFTER,
            Hooks::Usual | Hooks::Trusted => watch.interval,
        };
        let quiet = self.last_active.elapsed() >= quiet_after;
        let interval = match (quiet, hooks) {
            (true, Hooks::Trusted) => watch.hooked_interval,
            (true, _) | (false, Hooks::Trusted) => watch.idle_interval,
            (false, _) => watch.interval,
        };
        // A little shorter by chance, so that projects do not ask in step.
        let backoff = Backoff::new(interval, interval * LONGEST_REFUSED).with_jitter(0.1);
        backoff.delay(self.refused)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Config, Overrides};

    #[test]
    fn a_project_whose_hooks_come_is_quiet_sooner_and_still_polled() {
        let overrides = Overrides {
            projects: vec!["group/app".to_owned()],
            ..Overrides::default()
        };
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = Config::load(None, &overrides, &|name| env.get(name).cloned()).unwrap();
        let mut pace = Pace::new();
        pace.last_active -= Duration::from_mins(2);
        let watch = &config.watch;
        assert!(pace.wait(watch, Hooks::Silent) <= watch.interval);
        let wait = pace.wait(watch, Hooks::Usual);
        assert!(wait > watch.interval && wait <= watch.idle_interval);
        let wait = pace.wait(watch, Hooks::Trusted);
        assert!(wait > watch.idle_interval && wait <= watch.hooked_interval);
        // While something is going on, a webhook that is lost is not missed for so long.
        pace.note(&Ok(()), true);
        let wait = pace.wait(watch, Hooks::Trusted);
        assert!(wait > watch.interval && wait <= watch.idle_interval);
    }
}
