//! Names of the documents in the attic: those that fell to the retention, or were replaced, for as long as they may be
//! brought back.

use std::fmt;

use ci_history::{TimelineKey, Timestamp};

use super::layout::{ATTIC, document_path, project_of_folder};

/// Whether the document stays where it is, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// It is moved.
    Move,
    /// It is copied: another one is about to replace it.
    Copy,
}

/// A document in the attic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AtticName {
    /// When it was put there, by GitLab's clock.
    pub at: Timestamp,
    /// Below the root of the store.
    name: String,
}

impl AtticName {
    /// The name that the document of a timeline gets.
    pub(super) fn of(key: &TimelineKey, at: Timestamp) -> Self {
        let path = document_path(key);
        let stem = path.strip_suffix(".json").unwrap_or(&path);
        Self {
            at,
            name: format!("{ATTIC}/{stem}@{}.json", at.unix()),
        }
    }

    /// `None` for anything that is no document of the attic.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let stem = name
            .strip_prefix(ATTIC)?
            .strip_prefix('/')?
            .strip_suffix(".json")?;
        let (project, stem) = stem.split_once('/')?;
        project_of_folder(project)?;
        let (_, seconds) = stem.rsplit_once('@')?;
        Some(Self {
            at: Timestamp::from_unix(seconds.parse().ok()?)?,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for AtticName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_the_document_was_put_there() {
        let at = Timestamp::of_clock(1_700_000_000);
        let name = AtticName::of(&TimelineKey::new(7, "release/1@2"), at);
        assert_eq!(name.name, "attic/7/release%2F1%402@1700000000.json");
        assert_eq!(AtticName::parse(&name.name), Some(name));
        for other in [
            "7/main.json",
            "attic/7/main.json",
            "attic/7/x@y.json",
            "attic/reports/x@1.json",
            "attic/x@1.json",
        ] {
            assert_eq!(AtticName::parse(other), None, "{other}");
        }
    }
}
