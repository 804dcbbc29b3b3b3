//! Webhooks on their way to the exporters: some are lost, some come twice, and none in its order.

use std::iter;

use fastrand::Rng;
use futures_util::future::join_all;
use gitlab_simulator::{Handle, Hook};
use tokio::sync::mpsc::UnboundedReceiver;

use super::exporter::Exporter;
use testkit::client;
use testkit::daemon::{Daemon, Place};

const TOKEN: &str = "of-the-hooks";

/// So many at a time; more are lost.
const AT_A_TIME: usize = 30;

/// What became of some webhooks.
#[derive(Default)]
pub(crate) struct Delivered {
    pub(crate) lost: usize,
    pub(crate) twice: usize,
}

/// Lets an exporter take webhooks.
pub(crate) fn open(place: &Place) {
    std::fs::write(place.config().with_file_name("hook-token"), TOKEN).unwrap();
    place.configure_also("webhooks: {gitlab: {token_file: hook-token}}\n");
}

/// The webhooks of a GitLab.
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

    /// Sends what there is to the exporters that run.
    pub(crate) async fn deliver(&mut self, exporters: &[Exporter], random: &mut Rng) -> Delivered {
        let mut hooks: Vec<Hook> = iter::from_fn(|| self.waiting.try_recv().ok()).collect();
        random.shuffle(&mut hooks);
        let mut delivered = Delivered {
            lost: hooks.len().saturating_sub(AT_A_TIME),
            twice: 0,
        };
        hooks.truncate(AT_A_TIME);
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
        assert!(sent.unwrap().status() != 401, "the token is right");
    }
}
