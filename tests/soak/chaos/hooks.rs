//! Delivers webhooks to the exporters: shuffled, some of them lost, some twice.

use std::iter;

use fastrand::Rng;
use futures_util::future::join_all;
use gitlab_simulator::{Handle, Hook};
use tokio::sync::mpsc::UnboundedReceiver;

use super::exporter::Exporter;
use testkit::client;
use testkit::daemon::{Daemon, Place};

const TOKEN: &str = "of-the-hooks";

/// Maximum number of webhooks per delivery. Further ones are lost.
const MAX_PER_DELIVERY: usize = 30;

/// Result of a delivery.
#[derive(Default)]
pub(crate) struct Delivered {
    pub(crate) lost: usize,
    pub(crate) twice: usize,
}

/// Configures an exporter to accept webhooks.
pub(crate) fn enable(place: &Place) {
    std::fs::write(place.config().with_file_name("hook-token"), TOKEN).unwrap();
    place.configure_also("webhooks: {gitlab: {token_file: hook-token}}\n");
}

/// The undelivered webhooks of a GitLab.
pub(crate) struct Hooks {
    waiting: UnboundedReceiver<Hook>,
    client: reqwest::Client,
}

impl Hooks {
    pub(crate) fn of(gitlab: &Handle) -> Self {
        Self {
            waiting: gitlab.hooks(),
            client: client(),
        }
    }

    /// Sends all waiting webhooks to the running exporters.
    pub(crate) async fn deliver(&mut self, exporters: &[Exporter], random: &mut Rng) -> Delivered {
        let mut hooks: Vec<Hook> = iter::from_fn(|| self.waiting.try_recv().ok()).collect();
        random.shuffle(&mut hooks);
        let mut delivered = Delivered {
            lost: hooks.len().saturating_sub(MAX_PER_DELIVERY),
            twice: 0,
        };
        hooks.truncate(MAX_PER_DELIVERY);
        for hook in hooks {
            let times = [0, 1, 1, 2][random.usize(..4)];
            delivered.lost += usize::from(times == 0);
            delivered.twice += usize::from(times == 2);
            for _ in 0..times {
                let running = exporters.iter().filter_map(|it| it.running.as_ref());
                join_all(running.map(|daemon| self.send(daemon, &hook))).await;
            }
        }
        delivered
    }

    async fn send(&self, daemon: &Daemon, hook: &Hook) {
        let url = format!("http://{}/hooks/gitlab", daemon.address());
        let request = self.client.post(url).header("X-Gitlab-Token", TOKEN);
        let sent = request.body(hook.body.to_string()).send().await;
        assert!(
            sent.unwrap().status() != 401,
            "the exporter refused the webhook token"
        );
    }
}
