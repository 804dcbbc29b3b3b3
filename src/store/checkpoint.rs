//! Checkpoint of a backfill, kept beside the documents of its project until it is done.

use ci_history::{Rules, Timeline, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::document::{Saved, decode, embed};
use super::json::{DocumentError, parse, to_json};
use super::times::{seconds, time};

/// Version this program writes, and the only one it reads: a checkpoint does not outlive an upgrade.
const VERSION: u32 = 1;

/// The timelines that a backfill has read of a project so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillCheckpoint {
    /// Selection and counting rules, in words: a checkpoint of another scope is not used.
    pub scope: String,
    /// From when on pipelines are read.
    pub since: Timestamp,
    /// The latest sign of a pipeline when they were first listed.
    pub listed: Option<Timestamp>,
    /// Pipelines up to this one were read.
    pub done: u64,
    /// Without watermarks.
    pub timelines: Vec<Timeline>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointDocument {
    version: u32,
    scope: String,
    since: i64,
    listed: Option<i64>,
    done: u64,
    timelines: Vec<Box<RawValue>>,
}

impl BackfillCheckpoint {
    pub(super) fn encode(self, rules: &Rules) -> Vec<u8> {
        let document = |timeline| {
            let watermark = None;
            embed(
                &Saved {
                    timeline,
                    watermark,
                    has_gap: false,
                    scope: super::document::SavedScope::default(),
                },
                rules,
            )
        };
        to_json(&CheckpointDocument {
            version: VERSION,
            scope: self.scope,
            since: self.since.unix(),
            listed: seconds(self.listed),
            done: self.done,
            timelines: self.timelines.into_iter().map(document).collect(),
        })
    }

    /// `None` for a checkpoint of another version.
    pub(super) fn decode(text: &[u8]) -> Result<Option<Self>, DocumentError> {
        let document: CheckpointDocument = parse(text)?;
        if document.version != VERSION {
            return Ok(None);
        }
        let timelines = document.timelines.iter();
        let timelines = timelines.map(|text| Ok(decode(text.get().as_bytes())?.timeline));
        Ok(Some(Self {
            scope: document.scope,
            since: Timestamp::of_clock(document.since),
            listed: time(document.listed),
            done: document.done,
            timelines: timelines.collect::<Result<_, DocumentError>>()?,
        }))
    }
}
