//! The record of actions as it is saved.

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;

/// Version this program writes, and the only one it reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document<T> {
    version: u32,
    #[serde(flatten)]
    ledger: T,
}

/// The document of a ledger.
pub(super) fn encode(ledger: &Ledger) -> Result<Vec<u8>, String> {
    let document = Document {
        version: VERSION,
        ledger,
    };
    serde_json::to_vec(&document).map_err(|error| error.to_string())
}

/// Reads a document.
///
/// # Errors
///
/// What is wrong with it. It is then not overwritten: without the record, failures would be acted on twice.
pub(super) fn decode(text: &[u8]) -> Result<Ledger, String> {
    #[derive(Deserialize)]
    struct OnlyVersion {
        version: u32,
    }
    let OnlyVersion { version } = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    if version != VERSION {
        return Err(format!(
            "it has version {version}, and this program reads version {VERSION}"
        ));
    }
    let document: Document<Ledger> = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    Ok(document.ledger)
}
