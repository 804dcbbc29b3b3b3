//! GitLab's version, and scopes and end of the token: asked at the start, every hour,
//! and when the token was replaced.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::gitlab_clock::GitLabClock;
use super::journal::Journal;
use crate::base::DAY;
use crate::base::human::day;
use crate::gitlab::{Client, TokenFacts};
use crate::metrics::Telemetry;

const INTERVAL: Duration = Duration::from_hours(1);

/// The end of the token is logged from so many days before it on.
const DAYS_OF_NOTICE: i64 = 14;

/// Asks GitLab about itself and the token.
pub(super) struct Instance {
    pub(super) client: Client,
    pub(super) telemetry: Telemetry,
    pub(super) clock: Arc<GitLabClock>,
    pub(super) journal: Arc<Journal>,
    /// Whether there is a token to ask about.
    pub(super) has_token: bool,
}

/// What was logged already.
#[derive(Default)]
struct Logged {
    version: Option<String>,
    scopes: Option<Vec<String>>,
    days_left: Option<i64>,
}

impl Instance {
    /// Runs until `stop`. Errors are only logged.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut logged = Logged::default();
        let asking = async {
            loop {
                self.ask(&mut logged).await;
                tokio::select! {
                    () = tokio::time::sleep(INTERVAL) => {}
                    () = self.client.token_renewed() => {}
                }
            }
        };
        tokio::select! {
            () = asking => {}
            () = stop.cancelled() => {}
        }
    }

    async fn ask(&self, logged: &mut Logged) {
        match self.client.version().await {
            Ok(version) if logged.version.as_ref() != Some(&version) => {
                tracing::info!("GitLab {version}");
                self.journal.gitlab_version(&version);
                logged.version = Some(version);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!("GitLab gives no version: {error}"),
        }
        if !self.has_token {
            return;
        }
        match self.client.token_facts().await {
            Ok(facts) => self.note(&facts, logged),
            // Not every kind of token can ask about itself.
            Err(error) => tracing::debug!("GitLab says nothing about the token: {error}"),
        }
    }

    fn note(&self, facts: &TokenFacts, logged: &mut Logged) {
        self.telemetry.token_expiry(facts.expires_at);
        if logged.scopes.as_ref() != Some(&facts.scopes) {
            self.telemetry.token_scopes(&facts.scopes);
            let scopes = facts.scopes.join(", ");
            let end = facts.expires_at;
            let end = end.map_or("never".to_owned(), |end| day(end.unix()));
            tracing::info!(%scopes, %end, "the GitLab token");
            if !facts.reads_the_api() {
                tracing::warn!(
                    "the GitLab token has neither the scope `read_api` nor `api`, but: {scopes}; most of \
                     what is asked will be refused"
                );
            }
            logged.scopes = Some(facts.scopes.clone());
        }
        let Some(end) = facts.expires_at else {
            return;
        };
        let days_left = (end.unix() - self.clock.gitlab_now().unix()).div_euclid(DAY);
        if days_left < DAYS_OF_NOTICE && logged.days_left != Some(days_left) {
            tracing::warn!("the GitLab token ends in {days_left} days; renew it");
            logged.days_left = Some(days_left);
        }
    }
}
