//! Sets remediation up, and tells what it decides and does in metrics and log.

use std::sync::Arc;
use std::time::Duration;

use super::client::acting_client;
use super::error::DaemonError;
use super::state::State;
use crate::base::api::Endpoint;
use crate::config::{ActionKind, Config, Mode, Word as _};
use crate::gitlab::TransportMetrics;
use crate::http::Remedies;
use crate::ingest::{PollHint, Waker};
use crate::metrics::{Pause, Telemetry};
use crate::remediation::{
    Action, Callers, Condition, Decided, Executor, Ledger, Observer, Parts, Progress, Verdict,
};
use crate::store::Store;

/// Who may ask, and what acts.
type Opened = (Arc<Remedies>, Arc<Executor>);

/// What remediation of a configuration needs: who may ask, and what acts. `None` if it is off.
pub(super) fn open(
    config: &Config,
    state: &Arc<State>,
    store: &Store,
    waker: Waker,
) -> Result<Option<Opened>, DaemonError> {
    let settings = &config.remediation;
    let telemetry = state.telemetry().clone();
    let rules = settings.rules.iter();
    let rules: Vec<_> = rules
        .map(|rule| (&*rule.name, rule.action.word()))
        .collect();
    telemetry.remediation(settings.mode.word(), &rules);
    if settings.mode == Mode::Off {
        return Ok(None);
    }
    let sent = Sent {
        telemetry: telemetry.clone(),
    };
    let client = acting_client(&config.gitlab, settings, &config.limits, Arc::new(sent))?;
    let executor = Arc::new(Executor::new(Parts {
        client,
        failures: state.clone(),
        store: store.clone(),
        settings: settings.clone(),
        tracks: config.watch.tracks.clone(),
        poll_interval: config.watch.interval,
        observer: Arc::new(Told { telemetry, waker }),
    }));
    let callers = Callers::new(settings.callers.clone());
    let remedies = Remedies::new(executor.clone(), callers, form_key()?);
    Ok(Some((Arc::new(remedies), executor)))
}

fn form_key() -> Result<[u8; 32], DaemonError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(DaemonError::Random)?;
    Ok(random)
}

/// The pipeline to read after an action. GitLab may end a new attempt at once, and list its pipeline as before.
fn moved_by(action: &Action) -> Option<u64> {
    if action.progress != Progress::Started {
        return None;
    }
    match action.kind {
        ActionKind::Recover | ActionKind::Play => Some(action.pipeline_id),
        ActionKind::Restart => action.started,
        ActionKind::RunSchedule => None,
    }
}

/// Counts the requests. The circuit breaker and the budget that are shown are those of polling.
struct Sent {
    telemetry: Telemetry,
}

impl TransportMetrics for Sent {
    fn answered(&self, endpoint: Endpoint, status_class: &'static str, elapsed: Duration) {
        self.telemetry.api_request(endpoint, status_class, elapsed);
    }

    fn retried(&self, _: Endpoint, _: &'static str) {
        self.telemetry.api_retry();
    }
}

/// Counts and logs.
struct Told {
    telemetry: Telemetry,
    waker: Waker,
}

impl Observer for Told {
    fn decided(&self, decided: &Decided) {
        let rule = decided.rule.as_deref().unwrap_or_default();
        let (decision, reason) = decided.verdict.words();
        self.telemetry.remediation_decided(rule, decision, reason);
        let job = &decided.job;
        let (project, ref_name, name) = (&*job.project, &*job.ref_name, &*job.name);
        let job_id = job.job_id;
        match decided.verdict {
            Verdict::NoRule | Verdict::Wait(_) => tracing::debug!(
                project,
                "ref" = ref_name,
                job = name,
                job_id,
                rule,
                decision,
                reason,
                "decided about a failed job"
            ),
            Verdict::Act { .. } | Verdict::Refuse(_) => tracing::info!(
                project,
                "ref" = ref_name,
                job = name,
                job_id,
                rule,
                decision,
                reason,
                "decided about a failed job"
            ),
        }
    }

    fn acted(&self, action: &Action) {
        let (kind, rule) = (action.kind.word(), action.rule());
        let result: &'static str = action.progress.into();
        match action.progress {
            Progress::Intended => {}
            Progress::Started | Progress::Refused | Progress::NotDone => {
                self.telemetry.remediation_acted(kind, rule, result);
            }
            Progress::Recovered => self.telemetry.remediation_ended(rule, true),
            Progress::FailedAgain => self.telemetry.remediation_ended(rule, false),
        }
        tracing::info!(
            number = action.number,
            project = &*action.job.project,
            "ref" = &*action.job.ref_name,
            job = &*action.job.job,
            job_id = action.job_id,
            pipeline_id = action.pipeline_id,
            action = kind,
            by = &*action.by,
            result,
            started = action.started,
            answer = action.answer.as_deref(),
            "acted on a failed job"
        );
        if let Some(pipeline) = moved_by(action) {
            let hint = PollHint {
                pipeline,
                moved: true,
                is_urgent: true,
            };
            self.waker.wake(action.job.project_id, Some(hint));
        }
    }

    fn recorded(&self, ledger: &Ledger) {
        let open = ledger.circuits().iter().filter(|it| it.opened.is_some());
        self.telemetry.retry_circuits(open.map(|circuit| {
            let job = &circuit.job;
            let track = job.track.as_deref().unwrap_or_default();
            [&*job.project, &*job.ref_name, track, &*job.job]
        }));
    }

    fn waiting(&self, count: usize, conditions: &[(Condition, usize)]) {
        self.telemetry.remediation_pending(count);
        for (condition, count) in conditions {
            let pause = match condition {
                Condition::Outage => Pause::Outage,
                Condition::GitlabDown => Pause::GitlabDown,
                Condition::NotSaved => Pause::NotSaved,
                Condition::Halted => Pause::Halted,
                Condition::NoRights => Pause::NoRights,
            };
            self.telemetry.remediation_paused(pause, *count);
        }
    }
}
