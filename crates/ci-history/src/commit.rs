//! Title and author of a commit, as messages show them.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::line::{shortened, visible_line};
use super::mask::{MASKED, Masker};
use super::pattern::pattern;

/// Most characters of a title.
const TITLE_CHARS: usize = 120;

/// Most characters of an author's name or handle.
const AUTHOR_CHARS: usize = 80;

/// Characters of a text from GitLab that are looked at. A secret that this cuts is beyond what is kept.
const READ_CHARS: usize = 2_000;

/// E-mail addresses, and whatever stands in angle brackets like one.
static ADDRESSES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"<[^<>\s]*@[^<>\s]*>|[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}[\p{L}\p{N}-]+",
    )
});

/// Title and author of a commit, masked: no secret, no e-mail address, one short line each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitInfo {
    // First, so that of two states the one that knows the handle is the greater.
    handle: Option<Box<str>>,
    title: Box<str>,
    author: Box<str>,
}

/// The same as GitLab gives it. It may contain secrets and e-mail addresses, and is never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnmaskedCommit {
    /// Handle of the author, if GitLab's user of the job is the author.
    pub handle: Option<String>,
    /// First line of the message.
    pub title: String,
    /// Name of the author; empty if unknown.
    pub author: String,
}

impl CommitInfo {
    /// As it was saved; empty texts are unknown ones.
    pub fn saved(title: Box<str>, author: Box<str>, handle: Option<Box<str>>) -> Self {
        Self {
            handle,
            title,
            author,
        }
    }

    /// First line of the message; empty if unknown.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Handle of the author, else the author's name; empty if neither is known.
    pub fn author(&self) -> &str {
        self.handle.as_deref().unwrap_or(&self.author)
    }

    /// Name of the author; empty if unknown.
    pub fn author_name(&self) -> &str {
        &self.author
    }

    /// Handle of the author.
    pub fn handle(&self) -> Option<&str> {
        self.handle.as_deref()
    }
}

impl UnmaskedCommit {
    /// Masks and shortens. `None` if nothing is left.
    pub fn masked(&self, masker: &Masker) -> Option<Arc<CommitInfo>> {
        let handle = self.handle.as_deref();
        let handle = handle.map(|handle| shown(handle, AUTHOR_CHARS, masker));
        let author = shown(&self.author, AUTHOR_CHARS, masker);
        let info = CommitInfo {
            handle: handle.filter(|handle| !handle.is_empty() && **handle != *MASKED),
            title: shown(&self.title, TITLE_CHARS, masker),
            // A name that was only an address.
            author: if *author == *MASKED {
                Box::default()
            } else {
                author
            },
        };
        (!info.title.is_empty() || !info.author().is_empty()).then(|| Arc::new(info))
    }
}

impl std::fmt::Debug for UnmaskedCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnmaskedCommit({} bytes)", self.title.len())
    }
}

fn shown(text: &str, most: usize, masker: &Masker) -> Box<str> {
    let text: String = text.chars().take(READ_CHARS).collect();
    let text = visible_line(&text);
    // Mask first: the rules would not recognize a secret that was cut.
    let text = masker.masked(&text);
    let text = ADDRESSES.replace_all(&text, MASKED);
    shortened(text.trim(), most, usize::MAX).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(title: &str, author: &str) -> Option<Arc<CommitInfo>> {
        let raw = UnmaskedCommit {
            handle: None,
            title: title.to_owned(),
            author: author.to_owned(),
        };
        raw.masked(&Masker::new(["own-secret"]))
    }

    #[test]
    fn a_title_is_one_line_without_secrets_addresses_and_signs_that_cannot_be_seen() {
        for (title, wanted) in [
            ("Raise the limit", "Raise the limit"),
            (
                "Merge branch 'fix' into 'main'",
                "Merge branch 'fix' into 'main'",
            ),
            (
                "Use glpat-aB3_d-EfGhIjKlMnOpQr for CI",
                "Use [masked] for CI",
            ),
            ("Set PASSWORD=hunter2 in CI", "Set PASSWORD=[masked] in CI"),
            ("Rotate own-secret", "Rotate [masked]"),
            (
                "Fix\u{1b}[31m red\u{7}\r\n\nSigned-off",
                "Fix red Signed-off",
            ),
            ("abc\u{202e}fed\u{2066}\u{200b}\u{0}", "abcfed"),
            ("Thank ada.l+ci@mail.example.com", "Thank [masked]"),
            (
                "Revert work of Jörg <jörg@büro.example>",
                "Revert work of Jörg [masked]",
            ),
            ("Let root <root@localhost> in", "Let root [masked] in"),
            (
                "Bump @scope/pkg from left-pad@1.2.3 to @2",
                "Bump @scope/pkg from left-pad@1.2.3 to @2",
            ),
        ] {
            assert_eq!(masked(title, "").unwrap().title(), wanted, "{title:?}");
        }
        let long = masked(&"ä".repeat(500), "").unwrap();
        assert_eq!(long.title(), format!("{}…", "ä".repeat(TITLE_CHARS - 1)));
        let cut_secret = format!("{} glpat-aB3_d-EfGhIjKlMnOpQr", "x".repeat(TITLE_CHARS - 8));
        assert!(!masked(&cut_secret, "").unwrap().title().contains("glpat"));
        assert_eq!(masked("\u{202e} \n", ""), None);
    }

    #[test]
    fn the_author_is_the_handle_else_the_name_and_never_an_address() {
        let of = |handle: Option<&str>, author: &str| {
            let raw = UnmaskedCommit {
                handle: handle.map(str::to_owned),
                title: "x".to_owned(),
                author: author.to_owned(),
            };
            raw.masked(&Masker::default()).unwrap().author().to_owned()
        };
        assert_eq!(of(Some("ada"), "Ada Lovelace"), "ada");
        assert_eq!(of(None, "Ada Lovelace"), "Ada Lovelace");
        assert_eq!(of(None, "ada@example.com"), "");
        assert_eq!(of(None, "Ada <ada@example.com>"), "Ada [masked]");
        assert_eq!(of(Some(""), "Ada\nLovelace"), "Ada Lovelace");
    }

    #[test]
    fn what_is_not_masked_is_not_printed() {
        let raw = UnmaskedCommit {
            handle: None,
            title: "hunter2".to_owned(),
            author: String::new(),
        };
        assert_eq!(format!("{raw:?}"), "UnmaskedCommit(7 bytes)");
    }

    proptest! {
        #[test]
        fn any_title_becomes_a_short_line(title: String, author: String) {
            if let Some(info) = masked(&title, &author) {
                prop_assert!(info.title().chars().count() <= TITLE_CHARS);
                prop_assert!(info.author().chars().count() <= AUTHOR_CHARS);
                prop_assert!(!info.title().chars().chain(info.author().chars()).any(char::is_control));
            }
        }
    }
}
