//! Delivers webhooks to the exporters: shuffled, some of them lost, some twice, and lies between them.

use std::iter;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use futures_util::future::join_all;
use gitlab_simulator::{Handle, Hook};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::mpsc::UnboundedReceiver;

use super::exporter::Exporter;
use super::forger::Forger;
use testkit::client;
use testkit::daemon::{Daemon, Place};

const TOKEN: &str = "the-token-of-the-hooks";
const KEY: &[u8] = b"the signing key of all the hooks";

/// Maximum number of webhooks per delivery. Further ones are lost.
const MAX_PER_DELIVERY: usize = 30;

/// Maximum number of lies per delivery.
const MOST_FORGED: usize = 4;

/// Result of a delivery.
#[derive(Default)]
pub(crate) struct Delivered {
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    pub(crate) forged: usize,
    /// Refused by an exporter that takes GitLab's clock for another one.
    pub(crate) stale: usize,
}

/// Configures an exporter to accept webhooks with a token and a signature.
pub(crate) fn enable(place: &Place) {
    let file = |name: &str| place.config().with_file_name(name);
    std::fs::write(file("hook-token"), TOKEN).unwrap();
    let key = format!("whsec_{}", STANDARD.encode(KEY));
    std::fs::write(file("hook-key"), key).unwrap();
    place.configure_also(
        "webhooks: {gitlab: {token_file: hook-token, signing_key_file: hook-key}}\n",
    );
}

/// The undelivered webhooks of a GitLab.
pub(crate) struct Hooks {
    waiting: UnboundedReceiver<Hook>,
    client: reqwest::Client,
    forger: Forger,
    sent: u64,
}

impl Hooks {
    pub(crate) fn of(gitlab: &Handle) -> Self {
        Self {
            waiting: gitlab.hooks(),
            client: client(),
            forger: Forger::default(),
            sent: 0,
        }
    }

    /// Sends all waiting webhooks to the running exporters, at this time of GitLab.
    pub(crate) async fn deliver(
        &mut self,
        exporters: &[Exporter],
        random: &mut Rng,
        now: i64,
    ) -> Delivered {
        let mut hooks: Vec<Hook> = iter::from_fn(|| self.waiting.try_recv().ok()).collect();
        random.shuffle(&mut hooks);
        let mut delivered = Delivered {
            lost: hooks.len().saturating_sub(MAX_PER_DELIVERY),
            ..Delivered::default()
        };
        hooks.truncate(MAX_PER_DELIVERY);
        let mut batch = Vec::new();
        for hook in hooks {
            self.forger.remember(&hook, random);
            let times = [0, 1, 1, 2][random.usize(..4)];
            delivered.lost += usize::from(times == 0);
            delivered.twice += usize::from(times == 2);
            batch.extend(iter::repeat_n(hook, times));
        }
        for _ in 0..random.usize(..=MOST_FORGED) {
            if let Some(lie) = self.forger.forge(random) {
                delivered.forged += 1;
                batch.insert(random.usize(..=batch.len()), lie);
            }
        }
        for hook in batch {
            self.sent += 1;
            let running = exporters.iter().filter_map(|it| it.running.as_ref());
            let sent = join_all(running.map(|daemon| self.send(daemon, &hook, now))).await;
            delivered.stale += sent.into_iter().filter(|taken| !taken).count();
        }
        delivered
    }

    /// Returns whether the exporter took it.
    async fn send(&self, daemon: &Daemon, hook: &Hook, now: i64) -> bool {
        let body = hook.body.to_string();
        let id = self.sent.to_string();
        let mut code = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        code.update(format!("{id}.{now}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(code.finalize().into_bytes()));
        let url = format!("http://{}/hooks/gitlab", daemon.address());
        let request = self.client.post(url).header("X-Gitlab-Token", TOKEN);
        let request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", signature);
        let answer = request.body(body).send().await.unwrap();
        let is_taken = answer.status() != 401;
        let text = answer.text().await.unwrap();
        assert!(
            is_taken || text.contains("webhook-timestamp"),
            "the exporter refused the secrets of the webhooks: {text}"
        );
        is_taken
    }
}
