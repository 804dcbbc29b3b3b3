//! GitLab's version, and what our token may and until when: asked at the start and every hour.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::gitlab_clock::GitLabClock;
use crate::base::DAY;
use crate::base::human::day;
use crate::gitlab::{Client, TokenFacts};
use crate::metrics::Telemetry;

const INTERVAL: Duration = Duration::from_hours(1);

/// From so many days before its end on, the end of the token is told.
const DAYS_OF_NOTICE: i64 = 14;

/// Asks for what concerns all projects.
pub(super) struct Instance {
    pub(super) client: Client,
    pub(super) telemetry: Telemetry,
    pub(super) clock: std::sync::Arc<GitLabClock>,
    /// Whether there is a token to ask about.
    pub(super) has_token: bool,
}

/// What was told already.
#[derive(Default)]
struct Told {
    version: Option<String>,
    scopes: Option<Vec<String>>,
    days_left: Option<i64>,
}

impl Instance {
    /// Until `stop`. Nothing here stops anything else from working.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut told = Told::default();
        let asking = async {
            loop {
                self.ask(&mut told).await;
                tokio::time::sleep(INTERVAL).await;
            }
        };
        tokio::select! {
            () = asking => {}
            () = stop.cancelled() => {}
        }
    }

    async fn ask(&self, told: &mut Told) {
        match self.client.version().await {
            Ok(version) if told.version.as_ref() != Some(&version) => {
                tracing::info!("GitLab {version}");
                told.version = Some(version);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!("GitLab does not tell its version: {error}"),
        }
        if !self.has_token {
            return;
        }
        match self.client.token_facts().await {
            Ok(facts) => self.note(&facts, told),
            // Not every kind of token can ask about itself.
            Err(error) => tracing::debug!("GitLab does not tell about the token: {error}"),
        }
    }

    fn note(&self, facts: &TokenFacts, told: &mut Told) {
        self.telemetry.token_expiry(facts.expires_at);
        if told.scopes.as_ref() != Some(&facts.scopes) {
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
            told.scopes = Some(facts.scopes.clone());
        }
        let Some(end) = facts.expires_at else {
            return;
        };
        let days_left = (end.unix() - self.clock.gitlab_now().unix()).div_euclid(DAY);
        if days_left < DAYS_OF_NOTICE && told.days_left != Some(days_left) {
            tracing::warn!("the GitLab token ends in {days_left} days; renew it");
            told.days_left = Some(days_left);
        }
    }
}
