//! Times, links and commits as HTML.

use ci_history::{CommitInfo, Timestamp};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::base::human;

/// `3 h ago`, with the time itself as a tooltip.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> Markup {
    let utc = human::utc(then.unix());
    html! {
        time datetime=(utc) title=(utc) { (human::ago(now.unix().saturating_sub(then.unix()))) }
    }
}

/// A time in the future: `in 3 h 2 min`. What was expected earlier is expected `any moment`.
pub(super) fn ahead(at: Timestamp, now: Timestamp) -> Markup {
    let left = at.unix().saturating_sub(now.unix());
    let utc = human::utc(at.unix());
    let words = match u64::try_from(left) {
        Err(_) | Ok(0) => "any moment".to_owned(),
        Ok(left) => {
            let left = std::time::Duration::from_secs(left);
            format!("in {}", human::span(left.as_secs_f64()))
        }
    };
    html! { time datetime=(utc) title=(utc) { (words) } }
}

/// A link to GitLab, or the content alone unless a browser fetches the URL: it comes from outside and may be
/// `javascript:`.
pub(super) fn link(url: Option<&str>, content: &Markup) -> Markup {
    match url.filter(|url| is_web(url)) {
        Some(url) => html! { a href=(url) { (content) } },
        None => content.clone(),
    }
}

pub(super) fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// A path that breaks between its parts, not within a word.
pub(super) fn breakable(path: &str) -> Markup {
    html! {
        bdi {
            @for (at, part) in path.split('/').enumerate() {
                @if at > 0 { "/" wbr; }
                (part)
            }
        }
    }
}

/// Text in which names stand between backticks.
pub(super) fn with_code(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A page of a project in GitLab.
pub(super) fn in_gitlab(project_url: &str, kind: &str, id: &str) -> String {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    format!("{project_url}/-/{kind}/{id}")
}

/// The first eight characters of a commit, as people quote it.
pub(super) fn short(commit: &str) -> &str {
    commit
        .char_indices()
        .nth(8)
        .map_or(commit, |(end, _)| &commit[..end])
}

/// A commit, with a link to its page in GitLab.
pub(super) fn commit(commit: Option<&str>, project_url: Option<&str>) -> Markup {
    match commit {
        None => html! { span.faint { "not known" } },
        Some(commit) => {
            let url = project_url.map(|base| in_gitlab(base, "commit", commit));
            link(
                url.as_deref(),
                &html! { code title=(commit) { bdi { (short(commit)) } } },
            )
        }
    }
}

/// Title and author of a commit.
pub(super) fn said(info: Option<&CommitInfo>) -> Markup {
    html! {
        @if let Some(info) = info {
            @if !info.title().is_empty() { " “" bdi { (info.title()) } "”" }
            @if !info.author().is_empty() { " by " b { bdi { (info.author()) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        let content = html! { "job" };
        let linked = link(Some("https://gitlab.example/?a=\"&b"), &content).into_string();
        assert_eq!(
            linked,
            "<a href=\"https://gitlab.example/?a=&quot;&amp;b\">job</a>"
        );
        for url in [
            None,
            Some("javascript:alert(1)"),
            Some(" https://x"),
            Some(""),
        ] {
            assert_eq!(link(url, &content).into_string(), "job");
        }
    }

    #[test]
    fn what_is_ahead_is_never_ago() {
        let at = |seconds: i64| Timestamp::from_unix(1_700_000_000 + seconds).unwrap();
        for (seconds, words) in [(90, "in 1 min"), (0, "any moment"), (-90, "any moment")] {
            let shown = ahead(at(seconds), at(0)).into_string();
            assert!(shown.contains(words), "{shown}");
        }
    }

    #[test]
    fn names_between_backticks_are_code() {
        let text = with_code("see `circuit <list>` & `x`").into_string();
        assert_eq!(
            text,
            "see <code>circuit &lt;list&gt;</code> &amp; <code>x</code>"
        );
        assert_eq!(with_code("none").into_string(), "none");
    }

    #[test]
    fn commits_are_cut_between_characters() {
        assert_eq!(short("0123456789abcdef"), "01234567");
        assert_eq!(short("äöüäöüäöü"), "äöüäöüäö");
        assert_eq!(short(""), "");
    }
}
