//! The addresses of a list's pages: the page that follows, and the same records in smaller pages.

use http::Response;
use http::header::{self, HeaderMap};
use url::Url;

use super::answer::origin_and_path;
use super::error_kind::ErrorKind;

/// Relations of a `Link` that GitLab gives with every page, also with the last one.
const GITLABS_RELATIONS: [&str; 4] = ["next", "prev", "first", "last"];

/// What an answer says about the page after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NextPage {
    At(Url),
    /// This is the last page.
    None,
    /// The answer has no header about pages: a proxy removed them, or this page holds everything.
    Unknown,
}

/// The page after `current`: `Link: rel="next"` where `is_ours` accepts it, else `X-Next-Page`.
pub(super) fn next_page<B>(
    current: &Url,
    answer: &Response<B>,
    is_ours: impl Fn(&Url) -> bool,
) -> Result<NextPage, ErrorKind> {
    let links = links(current, answer.headers());
    let link = |wanted: &str| links.iter().find(|(relation, _)| relation == wanted);
    match link("next") {
        Some((_, url)) if is_ours(url) => return Ok(NextPage::At(url.clone())),
        _ => {}
    }
    match (numbered(current, answer.headers()), link("next")) {
        (Some(NextPage::At(page)), _) => Ok(NextPage::At(page)),
        (_, Some((_, url))) => Err(ErrorKind::Paging(format!(
            "the next page is said to be at {}, which is not this GitLab's API; not followed, so that the token stays here",
            origin_and_path(url)
        ))),
        (Some(last), None) => Ok(last),
        (None, None) if GITLABS_RELATIONS.iter().any(|name| link(name).is_some()) => {
            Ok(NextPage::None)
        }
        (None, None) => Ok(NextPage::Unknown),
    }
}

/// The page after `current`, counted by hand.
pub(super) fn counted_on(current: &Url) -> Url {
    let page = number(current, "page").unwrap_or(1);
    with(current, &[("page", page.saturating_add(1))])
}

/// The records of a page in smaller pages: the first of these. `None` for a page of one record.
pub(super) fn in_smaller_pages(current: &Url) -> Option<Url> {
    let size = size(current).filter(|size| *size > 1)?;
    // A whole number of smaller pages begins where this page begins.
    let parts = (2..=size).find(|divisor| size % divisor == 0)?;
    let mut changes = vec![("per_page", size / parts)];
    if let Some(page) = number(current, "page") {
        changes.push(("page", page.saturating_sub(1).saturating_mul(parts) + 1));
    }
    Some(with(current, &changes))
}

/// The largest number of records on a page.
pub(super) fn size(url: &Url) -> Option<u64> {
    number(url, "per_page")
}

/// Whether a page is asked for by the record before it. GitLab announces such a page after the last record, too.
pub(super) fn is_keyset(url: &Url) -> bool {
    let is_mark = |key: &str| matches!(key, "cursor" | "id_after" | "pagination");
    url.query_pairs().any(|(key, _)| is_mark(&key))
}

/// An address with other values of these parameters.
pub(super) fn with(url: &Url, changes: &[(&str, u64)]) -> Url {
    let is_kept = |key: &str| changes.iter().all(|(name, _)| *name != key);
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| is_kept(key))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    let mut url = url.clone();
    let mut pairs = url.query_pairs_mut();
    pairs.clear().extend_pairs(kept);
    for (name, value) in changes {
        pairs.append_pair(name, &value.to_string());
    }
    drop(pairs);
    url
}

fn number(url: &Url, name: &str) -> Option<u64> {
    let mut pairs = url.query_pairs();
    let (_, value) = pairs.find(|(key, _)| key == name)?;
    value.parse().ok().filter(|number| *number > 0)
}

/// The links of an answer by their relation.
fn links(current: &Url, headers: &HeaderMap) -> Vec<(String, Url)> {
    let values = headers.get_all(header::LINK).iter();
    let links = values
        .filter_map(|value| http_link::parse_link_header(value.to_str().ok()?, current).ok())
        .flatten();
    links
        .flat_map(|link| {
            let relations = link.rel.split_ascii_whitespace();
            let relations: Vec<_> = relations.map(str::to_ascii_lowercase).collect();
            let target = link.target;
            relations
                .into_iter()
                .map(move |relation| (relation, target.clone()))
        })
        .collect()
}

/// `X-Next-Page`: an empty one says that there is no other page.
fn numbered(current: &Url, headers: &HeaderMap) -> Option<NextPage> {
    match headers.get("x-next-page")?.to_str().ok()?.trim() {
        "" => Some(NextPage::None),
        page => Some(NextPage::At(with(current, &[("page", page.parse().ok()?)]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        Url::parse(&format!("https://git.example/api/v4/{path}")).unwrap()
    }

    fn next(pairs: &[(&'static str, &str)]) -> Result<NextPage, ErrorKind> {
        let mut answer = Response::new(());
        for (name, value) in pairs {
            answer.headers_mut().append(*name, value.parse().unwrap());
        }
        next_page(&url("x?per_page=100&page=1"), &answer, |url| {
            url.host_str() == Some("git.example")
        })
    }

    #[test]
    fn the_next_page_is_the_link_else_the_number() {
        let link = r#"<https://git.example/api/v4/x?page=1>; rel="first", <https://git.example/api/v4/x?cursor=a,b>; rel="next""#;
        let linked = Ok(NextPage::At(url("x?cursor=a,b")));
        assert_eq!(next(&[("link", link), ("x-next-page", "9")]), linked);
        let numbered = Ok(NextPage::At(url("x?per_page=100&page=2")));
        assert_eq!(next(&[("x-next-page", "2")]), numbered);
    }

    #[test]
    fn the_last_page_says_so_and_one_without_headers_does_not() {
        let first = (
            "link",
            r#"<https://git.example/api/v4/x?page=1>; rel="first""#,
        );
        for last in [
            vec![("x-next-page", "")],
            vec![first],
            vec![first, ("x-next-page", "")],
        ] {
            assert_eq!(next(&last), Ok(NextPage::None), "{last:?}");
        }
        let foreign = ("link", "<https://cdn.example>; rel=preconnect");
        for unsaid in [
            vec![],
            vec![("x-next-page", "../2")],
            vec![("link", "nonsense")],
            vec![foreign],
        ] {
            assert_eq!(next(&unsaid), Ok(NextPage::Unknown), "{unsaid:?}");
        }
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_not_followed() {
        let link = (
            "link",
            r#"<https://evil.example/api/v4/x?page=2&t=1>; rel="next""#,
        );
        for pairs in [vec![link], vec![link, ("x-next-page", "")]] {
            let refused = next(&pairs).unwrap_err();
            assert_eq!(<&str>::from(&refused), "paging");
            assert!(format!("{refused:?}").contains("https://evil.example/api/v4/x,"));
        }
        let numbered = Ok(NextPage::At(url("x?per_page=100&page=2")));
        assert_eq!(next(&[link, ("x-next-page", "2")]), numbered);
    }

    #[test]
    fn smaller_pages_begin_where_the_large_one_began() {
        for (large, small) in [
            ("x?per_page=100", Some("x?per_page=50")),
            ("x?per_page=100&page=3", Some("x?per_page=50&page=5")),
            ("x?per_page=25&page=2", Some("x?per_page=5&page=6")),
            ("x?per_page=15&page=1", Some("x?per_page=5&page=1")),
            ("x?per_page=7&page=2", Some("x?per_page=1&page=8")),
            ("x?per_page=1&page=2", None),
            ("x?cursor=a", None),
            ("x?cursor=a&per_page=100", Some("x?cursor=a&per_page=50")),
        ] {
            assert_eq!(in_smaller_pages(&url(large)), small.map(url), "{large}");
        }
        assert_eq!(counted_on(&url("x?per_page=5")), url("x?per_page=5&page=2"));
        assert_eq!(counted_on(&url("x?page=7")), url("x?page=8"));
    }
}
