//! Checks passwords against bcrypt hashes, off the threads that serve, and remembers some results.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::config::User;

/// Results that are remembered, of each kind. As in the toolkit.
const REMEMBERED: usize = 100;

/// The users of a file; never empty.
pub(in crate::http) struct Users {
    hashes: HashMap<String, SecretString>,
    /// Checked for unknown users, so that the time does not tell them from known ones.
    stand_in: SecretString,
}

impl Users {
    /// `None` without users.
    pub(super) fn of(users: Vec<User>) -> Option<Self> {
        let costs = users.iter().map(|user| cost(user.hash.expose_secret()));
        let stand_in = stand_in(costs.max()?);
        let hashes = users.into_iter().map(|user| (user.name, user.hash));
        Some(Self {
            hashes: hashes.collect(),
            stand_in,
        })
    }
}

/// Salt and hash fit no password; only the time counts.
fn stand_in(cost: &str) -> SecretString {
    format!("$2b${cost}${}", "u".repeat(53)).into()
}

/// The two digits of a hash that was checked when the file was read.
fn cost(hash: &str) -> &str {
    hash.get(4..6).unwrap_or("10")
}

/// The checks of passwords. They survive a change of the file.
pub(in crate::http) struct Passwords {
    /// Results are remembered by a keyed digest, so that no password stays in memory.
    key: [u8; 64],
    /// One check at a time: each takes a core for a while.
    turns: Semaphore,
    fitting: Recent,
    wrong: Recent,
}

/// The last digests.
#[derive(Default)]
struct Recent(Mutex<VecDeque<[u8; 32]>>);

impl Recent {
    fn has(&self, digest: &[u8; 32]) -> bool {
        self.lock().contains(digest)
    }

    fn add(&self, digest: [u8; 32]) {
        let mut recent = self.lock();
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(digest);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<[u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passwords {
    pub(super) fn new() -> Self {
        let mut key = [0; 64];
        // Without random numbers the digests could be found by trying, by somebody who reads this process' memory.
        let _ = getrandom::fill(&mut key);
        Self {
            key,
            turns: Semaphore::new(1),
            fitting: Recent::default(),
            wrong: Recent::default(),
        }
    }

    /// Whether it is the password of a user. Takes as long for an unknown user as for a wrong password.
    pub(super) async fn fits(&self, users: &Users, name: String, password: Vec<u8>) -> bool {
        let known = users.hashes.get(&name);
        let hash = known.unwrap_or(&users.stand_in);
        let digest = self.digest(&[name.as_bytes(), hash.expose_secret().as_bytes(), &password]);
        if let Some(fits) = self.remembered(&digest) {
            return fits;
        }
        let Ok(_turn) = self.turns.acquire().await else {
            return false;
        };
        // Another request may have asked the same meanwhile.
        if let Some(fits) = self.remembered(&digest) {
            return fits;
        }
        let hash = hash.clone();
        let checked = tokio::task::spawn_blocking(move || {
            bcrypt::verify(password, hash.expose_secret()).unwrap_or(false)
        });
        let fits = checked.await.unwrap_or(false) && known.is_some();
        let results = if fits { &self.fitting } else { &self.wrong };
        results.add(digest);
        fits
    }

    fn remembered(&self, digest: &[u8; 32]) -> Option<bool> {
        if self.fitting.has(digest) {
            Some(true)
        } else {
            self.wrong.has(digest).then_some(false)
        }
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, password: &str) -> User {
        User {
            name: name.to_owned(),
            hash: bcrypt::hash(password, 4).unwrap().into(),
        }
    }

    async fn fits(passwords: &Passwords, users: &Users, name: &str, password: &str) -> bool {
        let password = password.as_bytes().to_vec();
        passwords.fits(users, name.to_owned(), password).await
    }

    #[test]
    fn the_hash_that_stands_in_for_unknown_users_is_checked_to_the_end() {
        let users = Users::of(vec![user("alice", "secret")]).unwrap();
        let hash = users.stand_in.expose_secret();
        assert_eq!(cost(hash), "04");
        assert!(!bcrypt::verify("secret", hash).unwrap());
    }

    #[tokio::test]
    async fn only_the_password_of_the_user_fits_also_the_second_time() {
        let users = Users::of(vec![user("alice", "secret"), user("bob", "other")]).unwrap();
        let passwords = Passwords::new();
        for _ in 0..2 {
            assert!(fits(&passwords, &users, "alice", "secret").await);
            for (name, password) in [
                ("alice", "other"),
                ("bob", "secret"),
                ("eve", "secret"),
                ("alice", ""),
            ] {
                assert!(
                    !fits(&passwords, &users, name, password).await,
                    "{name} {password}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_removed_user_and_a_changed_password_do_not_fit_any_more() {
        let passwords = Passwords::new();
        let users = Users::of(vec![user("alice", "secret"), user("bob", "other")]).unwrap();
        assert!(fits(&passwords, &users, "alice", "secret").await);
        assert!(fits(&passwords, &users, "bob", "other").await);
        let users = Users::of(vec![user("alice", "changed")]).unwrap();
        assert!(!fits(&passwords, &users, "alice", "secret").await);
        assert!(fits(&passwords, &users, "alice", "changed").await);
        assert!(!fits(&passwords, &users, "bob", "other").await);
    }

    #[tokio::test]
    async fn many_wrong_passwords_are_not_kept_and_displace_no_right_one() {
        let users = Users::of(vec![user("alice", "secret")]).unwrap();
        let passwords = Passwords::new();
        assert!(fits(&passwords, &users, "alice", "secret").await);
        for n in 0..REMEMBERED + 20 {
            assert!(!fits(&passwords, &users, "alice", &n.to_string()).await);
        }
        assert_eq!(passwords.wrong.lock().len(), REMEMBERED);
        assert_eq!(passwords.fitting.lock().len(), 1);
    }
}
