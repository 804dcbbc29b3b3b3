//! How times and names are put for people.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::{Span, Timestamp};

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
    match url.filter(|url| is_web(url)) {
        Some(url) => html! { a href=(url) { (content) } },
        None => content.clone(),
    }
}

/// Whether an address is one that a browser fetches.
pub(super) fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// A page of a project in GitLab.
pub(super) fn in_gitlab(project_url: &str, kind: &str, id: &str) -> String {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    format!("{project_url}/-/{kind}/{id}")
}

/// A duration in its two largest units.
pub(super) fn span(span: Span) -> String {
    let seconds = span.micros() / 1_000_000;
    match seconds {
        0..10 => format!("{:.1} s", span.seconds()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
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
    fn durations_take_two_units() {
        for (seconds, words) in [
            (0.25, "0.2 s"),
            (59.9, "59 s"),
            (61.0, "1 min 1 s"),
            (7_260.0, "2 h 1 min"),
        ] {
            assert_eq!(span(Span::from_seconds(seconds).unwrap()), words);
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
