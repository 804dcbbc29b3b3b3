//! How times and names are put for people.

use maud::{Markup, html};

use crate::model::Timestamp;

/// `3 h ago`, with the time itself as a tooltip.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(utc(then)) title=(utc(then)) { (distance(now.unix().saturating_sub(then.unix()))) }
    }
}

/// In words of at most two digits and one unit, so that it fits into a cell.
fn distance(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match seconds {
        // Clocks differ a little.
        ..-60 => "in the future".to_owned(),
        -60..5 => "just now".to_owned(),
        5..MINUTE => format!("{seconds} s ago"),
        MINUTE..HOUR => format!("{} min ago", seconds / MINUTE),
        HOUR..DAY => format!("{} h ago", seconds / HOUR),
        _ => format!("{} d ago", seconds / DAY),
    }
}

/// As RFC 3339 has it; the bare number for a time beyond its years.
pub(super) fn utc(time: Timestamp) -> String {
    match jiff::Timestamp::from_second(time.unix()) {
        Ok(time) => time.to_string(),
        Err(_) => time.unix().to_string(),
    }
}

/// A link to GitLab if the address is one that a browser fetches, else the content alone: an
/// address comes from outside and may be `javascript:`.
pub(super) fn link(url: Option<&str>, content: &Markup) -> Markup {
    match url.filter(|url| url.starts_with("https://") || url.starts_with("http://")) {
        Some(url) => html! { a href=(url) { (content) } },
        None => content.clone(),
    }
}

/// The part of a commit that people quote.
pub(super) fn short(commit: &str) -> &str {
    commit
        .char_indices()
        .nth(8)
        .map_or(commit, |(end, _)| &commit[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_short() {
        for (seconds, words) in [
            (-3600, "in the future"),
            (-59, "just now"),
            (0, "just now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (7_199, "1 h ago"),
            (86_400, "1 d ago"),
            (i64::MAX, "106751991167300 d ago"),
        ] {
            assert_eq!(distance(seconds), words);
        }
    }

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
    fn commits_are_cut_between_characters() {
        assert_eq!(short("0123456789abcdef"), "01234567");
        assert_eq!(short("äöüäöüäöü"), "äöüäöüäö");
        assert_eq!(short(""), "");
    }
}
