//! Globs that look as if they were meant as regular expressions, and the other way round.

use std::sync::LazyLock;

use regex::Regex;

/// A `*` that repeats a character nobody would repeat: `release/*`, `feature-*`.
static GLOB_STAR: LazyLock<Regex> = LazyLock::new(|| pattern(r"(^|[^\\])([A-Za-z0-9/_-])\*"));
/// What regular expressions have and globs over names do not need.
static REGEX_SIGNS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\.[*+]|^\^|\$$|\\[dwsDWS.]|\([^)]*\|[^)]*\)|\]\+"));

#[expect(
    clippy::expect_used,
    reason = "constant patterns, compiled by the tests"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

/// What is odd about a regular expression that must match a whole name, and what was probably meant.
pub(super) fn doubt_of_regex(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('/').and_then(|it| it.strip_suffix('/'))
        && !inner.is_empty()
    {
        return Some(format!(
            "`{text}` stands between slashes, as in .gitlab-ci.yml; here they belong to the name, so it matches nothing. \
             Write `{}`",
            inner.replace("\\/", "/")
        ));
    }
    let bare = text.strip_prefix('^').unwrap_or(text);
    for prefix in ["refs/heads/", "refs/tags/"] {
        if let Some(name) = bare.strip_prefix(prefix) {
            return Some(format!(
                "`{text}` matches nothing: GitLab names branches and tags without `{prefix}`. Write `{name}`"
            ));
        }
    }
    GLOB_STAR.is_match(text).then(|| {
        format!(
            "`{text}` looks like a glob; this key takes regular expressions that match the whole name. Write `{}` if `*` is \
             to stand for any text",
            GLOB_STAR.replace_all(text, "$1$2.*")
        )
    })
}

/// The same of a glob.
pub(super) fn doubt_of_glob(text: &str) -> Option<String> {
    REGEX_SIGNS.is_match(text).then(|| {
        let advice = match as_glob(text) {
            Some(glob) => format!("Write `{glob}`"),
            None => "Write it with `*` for any text, `[0-9]` for one of these characters and `{a,b}` for either".to_owned(),
        };
        format!("`{text}` looks like a regular expression; this key takes globs. {advice}")
    })
}

/// The glob that matches about the same, where there is one.
fn as_glob(regex: &str) -> Option<String> {
    let text = regex.strip_prefix('^').unwrap_or(regex);
    let text = text.strip_suffix('$').unwrap_or(text);
    let text = text.replace(".*", "*").replace(".+", "*");
    let text = text.replace("\\d+", "[0-9]*").replace("\\d", "[0-9]");
    let text = text.replace("\\.", ".");
    let is_plain = !text.is_empty() && !text.contains(['\\', '(', ')', '|', '+', '^', '$']);
    is_plain.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_in_place_of_a_regular_expression_is_told_with_the_expression() {
        for (glob, regex) in [
            ("release/*", "`release/.*`"),
            ("feature-*", "`feature-.*`"),
            ("*-stable|v1*", "`*-stable|v1.*`"),
            ("/^release\\/.*$/", "`^release/.*$`"),
            ("refs/heads/main", "`main`"),
            ("^refs/tags/v.*", "`v.*`"),
        ] {
            let doubt = doubt_of_regex(glob).unwrap_or_else(|| panic!("{glob}"));
            assert!(doubt.contains(regex), "{doubt}");
        }
        for regex in [
            "release/.*",
            "^main$",
            r"feature-\d+",
            r"feature-\d*",
            "v[0-9]*",
            "(a|b)*",
            "refs/merge-requests/.*",
            "main",
            "colou?r",
        ] {
            assert_eq!(doubt_of_regex(regex), None, "{regex}");
        }
    }

    #[test]
    fn a_regular_expression_in_place_of_a_glob_is_told_with_the_glob() {
        for (regex, glob) in [
            ("platform/attic/.*", "`platform/attic/*`"),
            ("^main$", "`main`"),
            (r"feature-\d+", "`feature-[0-9]*`"),
            ("deploy-.+", "`deploy-*`"),
            ("(a|b)", "`{a,b}`"),
            ("v[0-9]+", "`{a,b}`"),
        ] {
            let doubt = doubt_of_glob(regex).unwrap_or_else(|| panic!("{regex}"));
            assert!(doubt.contains(glob), "{doubt}");
        }
        for glob in [
            "platform/attic/**",
            "deploy-*",
            "{a,b}",
            "v[0-9]*",
            "a.b",
            "*",
        ] {
            assert_eq!(doubt_of_glob(glob), None, "{glob}");
        }
    }
}
