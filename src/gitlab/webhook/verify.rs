//! Who sent a hook: the secret token, the signature, and whether it came before.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ci_history::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::base::live_secret::LiveSecret;

/// Seconds by which a signed hook may be older or newer than GitLab's clock.
const TOLERANCE: i64 = 5 * 60;

/// Signatures of one hook that are tried.
const MOST_SIGNATURES: usize = 8;

const TIMESTAMP: &str = "webhook-timestamp";

/// Signed hooks that are remembered; those older than the tolerance are refused anyway.
const REMEMBERED: usize = 100_000;

/// Checks hooks against the configured credentials.
pub struct Verifier {
    credentials: Vec<Credential>,
    seen: Mutex<Seen>,
}

/// What a sender proves to know: a secret token, a signing key, or both. Either may be replaced at any time.
pub struct Credential {
    /// The secret token.
    pub token: Option<Arc<LiveSecret<str>>>,
    /// The signing key, decoded.
    pub key: Option<Arc<LiveSecret<[u8]>>>,
}

/// A hash of the id of a signed hook: senders choose how long their ids are.
type IdHash = [u8; 16];

/// The signed hooks that came, oldest first.
#[derive(Default)]
struct Seen {
    ids: HashSet<IdHash>,
    order: VecDeque<(i64, IdHash)>,
}

/// Why a hook is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token, or another one.
    #[error(
        "X-Gitlab-Token is missing or wrong; give the hook the secret token of `webhooks.gitlab.token_file`"
    )]
    Token,
    /// No signature, or one by another key or of another body.
    #[error(
        "webhook-signature is missing or wrong; give the hook the signing token of `webhooks.gitlab.signing_key_file`"
    )]
    Signature,
    /// Sent too long ago, or in the future.
    #[error("webhook-timestamp is missing or more than five minutes off GitLab's clock")]
    Stale,
    /// Came before; answered as if it were new.
    #[error("this webhook-id came before")]
    Replayed,
}

impl Credential {
    fn check_head(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(token) = &self.token {
            let given = headers.get("x-gitlab-token");
            let given = given.map_or(&[][..], |value| value.as_bytes());
            let is_right = token.with(|token| bool::from(given.ct_eq(token.as_bytes())));
            if is_right != Some(true) {
                return Err(Refusal::Token);
            }
        }
        if self.key.is_some() && !headers.contains_key("webhook-signature") {
            return Err(Refusal::Signature);
        }
        Ok(())
    }

    /// Checks headers and body, but for the time.
    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        self.check_head(headers)?;
        let Some(key) = &self.key else {
            return Ok(());
        };
        let keyed = key.with(|key| Hmac::<Sha256>::new_from_slice(key).ok());
        let Some(mut signed) = keyed.flatten() else {
            return Err(Refusal::Signature);
        };
        let (id, timestamp) = (text(headers, "webhook-id"), text(headers, TIMESTAMP));
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            signed.update(part);
        }
        // Several are given while a key is changed for another one.
        let given = text(headers, "webhook-signature");
        let valid = given.split(' ').take(MOST_SIGNATURES).any(|signature| {
            signature
                .strip_prefix("v1,")
                .and_then(|encoded| STANDARD.decode(encoded).ok())
                .is_some_and(|code| signed.clone().verify_slice(&code).is_ok())
        });
        valid.then_some(()).ok_or(Refusal::Signature)
    }
}

impl Verifier {
    /// Takes hooks that prove one of the credentials.
    pub fn new(credentials: Vec<Credential>) -> Self {
        Self {
            credentials,
            seen: Mutex::default(),
        }
    }

    /// Checks what the headers alone can show, so that a stranger's body is not even read.
    pub fn check_head(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let checks = self.credentials.iter().map(|it| it.check_head(headers));
        first_of(checks).map(|_| ())
    }

    /// Checks the whole hook; returns the number of its credential. `now` is the time by GitLab's clock.
    pub fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<usize, Refusal> {
        let checks = self.credentials.iter().map(|it| it.check(headers, body));
        let number = first_of(checks)?;
        if self.credentials[number].key.is_some() {
            let at: i64 = text(headers, TIMESTAMP)
                .parse()
                .map_err(|_| Refusal::Stale)?;
            if at.abs_diff(now.unix()) > TOLERANCE.unsigned_abs() {
                return Err(Refusal::Stale);
            }
            self.note(hash(number, text(headers, "webhook-id")), at, now)?;
        }
        Ok(number)
    }

    fn note(&self, id: IdHash, at: i64, now: Timestamp) -> Result<(), Refusal> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = &mut *seen;
        while let Some((at, _)) = seen.order.front() {
            let outlived = *at < now.unix() - 2 * TOLERANCE;
            if !outlived && seen.order.len() < REMEMBERED {
                break;
            }
            if let Some((_, id)) = seen.order.pop_front() {
                seen.ids.remove(&id);
            }
        }
        if !seen.ids.insert(id) {
            return Err(Refusal::Replayed);
        }
        seen.order.push_back((at, id));
        Ok(())
    }
}

/// The number of the first check that succeeds, else the last refusal.
fn first_of(checks: impl Iterator<Item = Result<(), Refusal>>) -> Result<usize, Refusal> {
    let mut refusal = Refusal::Token;
    for (number, check) in checks.enumerate() {
        match check {
            Ok(()) => return Ok(number),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Senders with different credentials have ids of their own.
fn hash(credential: usize, id: &str) -> IdHash {
    let digest = Sha256::digest(format!("{credential}.{id}"));
    let mut hash = IdHash::default();
    hash.copy_from_slice(&digest[..size_of::<IdHash>()]);
    hash
}
