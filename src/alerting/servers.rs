//! Asks the servers, and puts their answers together.

use std::sync::Arc;

use super::alertmanager::{Alertmanager, Routed};
use super::alerts::joined;
use super::asker::Asker;
use super::cached::Cached;
use super::client::{AskError, ClientError};
use super::conclude;
use super::figures::{Figures, figures_query};
use super::labels::{JobLabels, Labels};
use super::levels::{Owner, written_query};
use super::links::{alertmanager_of, silence_of_job};
use super::prometheus::{AlertRule, Prometheus};
use super::report::{Overview, Report, ServerReport};
use super::survey::Survey;
use super::thresholds::{Threshold, checks};
use crate::base::server_access::ServerAccess;

/// The servers to ask, as far as their addresses are known. Answers about all alerts are used again for some seconds.
pub struct Servers {
    asker: Asker,
    prometheus: Option<Prometheus>,
    alertmanager: Option<Alertmanager>,
    rules: Cached<Answer<Vec<AlertRule>>>,
    routed: Cached<Answer<Routed>>,
}

/// What a server answered, or its error in words.
type Answer<T> = Result<T, String>;

/// The answer of a server; `None` if its address is not known.
type Shared<T> = Option<Arc<Answer<T>>>;

/// What Prometheus knows of a job.
#[derive(Default)]
struct Known {
    thresholds: Vec<Threshold>,
    /// The labels of its series.
    labels: Option<Labels>,
    /// Why it has no series of the job.
    missing: Option<String>,
}

impl Servers {
    /// Asks no server whose address is not given.
    ///
    /// # Errors
    ///
    /// If this machine cannot speak TLS.
    pub fn new(
        prometheus: Option<ServerAccess>,
        alertmanager: Option<ServerAccess>,
        asker: Asker,
    ) -> Result<Self, ClientError> {
        let prometheus = prometheus.map(|server| Prometheus::new(server, asker));
        let alertmanager = alertmanager.map(|server| Alertmanager::new(server, asker));
        Ok(Self {
            asker,
            prometheus: prometheus.transpose()?,
            alertmanager: alertmanager.transpose()?,
            rules: Cached::default(),
            routed: Cached::default(),
        })
    }

    /// Asks for all alerts.
    pub async fn overview(&self) -> Overview {
        let (rules, routed) = tokio::join!(self.rules(), self.routed());
        Overview {
            prometheus: reported(
                self.prometheus.as_ref().map(Prometheus::url),
                rules.as_ref(),
            ),
            alertmanager: reported(
                self.alertmanager.as_ref().map(Alertmanager::url),
                routed.as_ref(),
            ),
            alerts: joined(
                told(rules.as_ref()).map(Vec::as_slice),
                told(routed.as_ref()),
                |_| true,
            ),
            for_people: self.for_people(told(rules.as_ref())),
        }
    }

    /// Asks for everything about a job at `now`, in Unix seconds. A server's error becomes a conclusion.
    pub async fn ask(&self, job: JobLabels<'_>, now: i64) -> Report {
        let (rules, routed) = tokio::join!(self.rules(), self.routed());
        let known = match (&self.prometheus, told(rules.as_ref())) {
            (Some(prometheus), Some(rules)) => {
                let asking = known(prometheus, rules, job);
                let known = prometheus.in_time(asking).await;
                known.map_err(|error| error.to_string())
            }
            _ => Ok(Known::default()),
        };
        let is_of_job = |labels: &Labels| job.are_in(labels);
        let mut report = Report {
            prometheus: reported(
                self.prometheus.as_ref().map(Prometheus::url),
                rules.as_ref(),
            ),
            alertmanager: reported(
                self.alertmanager.as_ref().map(Alertmanager::url),
                routed.as_ref(),
            ),
            alerts: joined(
                told(rules.as_ref()).map(Vec::as_slice),
                told(routed.as_ref()),
                is_of_job,
            ),
            ..Report::default()
        };
        self.conclude_on_servers(&known, &mut report);
        let known = known.unwrap_or_default();
        report.silence_url = self.silence_url(&report, &known, told(rules.as_ref()));
        let rules = told(rules.as_ref()).filter(|_| known.missing.is_none());
        report.thresholds = known.thresholds;
        conclude_on_alerts(&mut report, rules.map(Vec::as_slice), now);
        report
    }

    /// Asks what the servers are and whether what is shipped is at work.
    pub async fn survey(&self) -> Survey {
        let prometheus = async {
            let survey = self.prometheus.as_ref()?.survey().await;
            Some(survey.map_err(|error| error.to_string()))
        };
        let alertmanager = async {
            let survey = self.alertmanager.as_ref()?.survey().await;
            Some(survey.map_err(|error| error.to_string()))
        };
        let (prometheus, alertmanager) = tokio::join!(prometheus, alertmanager);
        Survey {
            prometheus,
            alertmanager,
        }
    }

    async fn rules(&self) -> Shared<Vec<AlertRule>> {
        let prometheus = self.prometheus.as_ref()?;
        let asking = async { prometheus.rules().await.map_err(|error| error.to_string()) };
        Some(self.rules.get(asking).await)
    }

    async fn routed(&self) -> Shared<Routed> {
        let alertmanager = self.alertmanager.as_ref()?;
        let asking = async {
            alertmanager
                .routed()
                .await
                .map_err(|error| error.to_string())
        };
        Some(self.routed.get(asking).await)
    }

    /// What the servers do not tell, and why.
    fn conclude_on_servers(&self, known: &Answer<Known>, report: &mut Report) {
        match (&mut report.prometheus, known) {
            (None, _) => report.problems.push(format!(
                "Prometheus was not asked for thresholds and alerts: {}.",
                self.asker.how_to_set("Prometheus")
            )),
            (
                Some(ServerReport {
                    error: Some(error), ..
                }),
                _,
            ) => {
                report.problems.push(error.clone());
            }
            (Some(server), Err(error)) => {
                server.error = Some(error.clone());
                report.problems.push(error.clone());
            }
            (Some(_), Ok(known)) => report.problems.extend(known.missing.clone()),
        }
        match &report.alertmanager {
            None => report.problems.push(format!(
                "Alertmanager was not asked for silences, inhibitions and receivers: {}.",
                self.asker.how_to_set("Alertmanager")
            )),
            Some(server) => report.problems.extend(server.error.clone()),
        }
    }

    /// The labels of the job come from an alert or its series, the address of Alertmanager from the rules or the settings.
    fn silence_url(
        &self,
        report: &Report,
        known: &Known,
        rules: Option<&Vec<AlertRule>>,
    ) -> Option<String> {
        let mut alerts = report.alerts.iter();
        let of_alert = alerts.find(|alert| !alert.label("job_name").is_empty());
        let labels = known.labels.as_ref();
        let labels = labels.or_else(|| of_alert.map(|alert| &alert.labels))?;
        Some(silence_of_job(&self.for_people(rules)?, labels))
    }

    /// Where people reach Alertmanager, by the rules, else where it is asked.
    fn for_people(&self, rules: Option<&Vec<AlertRule>>) -> Option<String> {
        let mut rules = rules.into_iter().flatten();
        let of_rules = rules.find_map(|rule| alertmanager_of(&rule.annotations.silence_url));
        let own = self.alertmanager.as_ref().map(Alertmanager::url);
        of_rules.map(str::to_owned).or(own)
    }
}

/// A server with its error.
fn reported<T>(url: Option<String>, answer: Option<&Arc<Answer<T>>>) -> Option<ServerReport> {
    Some(ServerReport {
        url: url?,
        error: answer?.as_ref().as_ref().err().cloned(),
    })
}

/// What a server told; `None` after an error, too.
fn told<T>(answer: Option<&Arc<Answer<T>>>) -> Option<&T> {
    answer?.as_ref().as_ref().ok()
}

/// A sentence for each alert that is active, and for each that is not.
fn conclude_on_alerts(report: &mut Report, rules: Option<&[AlertRule]>, now: i64) {
    let active = report.alerts.iter();
    let mut conclusions: Vec<_> = active
        .map(|alert| conclude::active(alert, report, now))
        .collect();
    report.checks = checks(rules.unwrap_or_default(), &report.thresholds, now);
    let quiet = report.checks.iter();
    let quiet = quiet.filter(|check| report.active(check).is_none());
    conclusions.extend(quiet.map(conclude::quiet));
    report.conclusions.clone_from(&report.problems);
    report.conclusions.append(&mut conclusions);
}

async fn known(
    prometheus: &Prometheus,
    rules: &[AlertRule],
    job: JobLabels<'_>,
) -> Result<Known, AskError> {
    let series = prometheus.series(job).await?;
    let missing = prometheus.missing(rules, &series, job).await?;
    let labels = series.first().map(|series| series.labels().clone());
    if missing.is_some() {
        return Ok(Known {
            thresholds: Vec::new(),
            labels,
            missing,
        });
    }
    let info = series.iter().find(|series| series.name() == "job_info");
    let of_info = |name| info.map_or("", |info| info.label(name)).to_owned();
    let owner = Owner {
        team: of_info("team"),
        stage: of_info("stage"),
    };
    let written = prometheus.query(&written_query(job, &owner)).await?;
    let figures = Figures::of(&prometheus.query(&figures_query(job)).await?);
    Ok(Known {
        thresholds: Threshold::all(&written, &figures),
        labels,
        missing,
    })
}
