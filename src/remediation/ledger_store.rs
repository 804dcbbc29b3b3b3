//! Reads and writes the record of actions, noticing what another exporter writes.

use super::ledger::Ledger;
use super::ledger_document::{decode, encode};
use crate::store::{Store, Version};

/// How often a change gives way to another exporter's.
const TRIES: u32 = 8;

/// The record in the store.
pub(super) struct LedgerStore {
    store: Store,
    /// Held while a change is read and written. Of other processes the store tells.
    changing: tokio::sync::Mutex<()>,
}

/// What became of a change.
pub(super) enum Change<T> {
    /// It is saved.
    Saved(T),
    /// There was nothing to change.
    Kept(T),
}

impl<T> Change<T> {
    pub(super) fn into_inner(self) -> T {
        match self {
            Self::Saved(value) | Self::Kept(value) => value,
        }
    }
}

impl LedgerStore {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// Whether a second exporter would notice what this one writes.
    pub(super) fn is_exclusive(&self) -> bool {
        self.store.conditional_writes() != Some(false)
    }

    /// The record as it is saved now.
    pub(super) async fn read(&self) -> Result<(Ledger, Version), String> {
        let read = self.store.remediation().await;
        let (text, version) = read.map_err(|error| error.to_string())?;
        match text {
            None => Ok((Ledger::default(), version)),
            Some(text) => {
                let ledger = decode(&text).map_err(|error| {
                    format!(
                        "the record of remediation cannot be read: {error}; move `{}` away to begin a new one",
                        Store::REMEDIATION
                    )
                })?;
                Ok((ledger, version))
            }
        }
    }

    /// Changes the record. `change` is applied to the newest one, again if another exporter was faster; `None` of it
    /// leaves the record as it is.
    pub(super) async fn change<T>(
        &self,
        mut change: impl FnMut(&mut Ledger) -> (bool, T),
    ) -> Result<(Ledger, Change<T>), String> {
        let _changing = self.changing.lock().await;
        for _ in 0..TRIES {
            let (mut ledger, version) = self.read().await?;
            let (is_changed, value) = change(&mut ledger);
            if !is_changed {
                return Ok((ledger, Change::Kept(value)));
            }
            let saved = self
                .store
                .save_remediation(encode(&ledger)?, &version)
                .await;
            if saved.map_err(|error| error.to_string())? {
                return Ok((ledger, Change::Saved(value)));
            }
        }
        Err("other exporters keep changing the record of remediation".to_owned())
    }
}
