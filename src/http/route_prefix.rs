//! The path below which everything is served, and with which links begin.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use url::Url;

use super::content::Content;
use super::response::{HTML, Response, plain};

/// Where requests arrive and where links lead. The two differ behind a proxy that removes the path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutePrefix {
    /// Empty, or `/` and names, as in `/ci/exporter`.
    served: String,
    /// The same of the addresses that browsers have.
    linked: String,
}

/// The path of a request did not begin with the prefix.
#[derive(Debug, Clone, Copy)]
struct Outside;

/// The request came over TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct OverTls;

/// Beginnings of the attributes that hold paths on the pages. Text and other attributes cannot contain them: a quotation mark
/// in them is escaped.
const LINKS: [&str; 3] = [" href=\"/", " action=\"/", " src=\"/"];

impl RoutePrefix {
    /// `served` is the path of `external_url` unless it is given.
    pub fn new(served: Option<&str>, external_url: Option<&Url>) -> Self {
        let external = external_url.map(|url| url.path().trim_end_matches('/'));
        let served = served.or(external).unwrap_or_default();
        Self {
            served: served.to_owned(),
            linked: external.unwrap_or(served).to_owned(),
        }
    }

    /// Removes the prefix from the path of a request, or notes that it is missing.
    pub(super) fn enter<B>(&self, mut request: Request<B>) -> Request<B> {
        if self.served.is_empty() {
            return request;
        }
        if let Some(inner) = self.inner(request.uri()) {
            *request.uri_mut() = inner;
        } else {
            request.extensions_mut().insert(Outside);
        }
        request
    }

    fn inner(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path_and_query()?.as_str().strip_prefix(&self.served)?;
        // `/ci-old` is not below `/ci`.
        rest.starts_with('/').then_some(())?;
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// The answer to a request outside the prefix: the way to the pages for `/` and for the prefix without its last `/`.
    pub(super) fn outside<B>(&self, request: &Request<B>) -> Option<Response> {
        request.extensions().get::<Outside>()?;
        let path = request.uri().path();
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let (served, linked) = (&self.served, &self.linked);
        if is_read && (path == "/" || path == served) {
            let mut response = plain(StatusCode::FOUND, format!("the pages are at {linked}/\n"));
            let location = HeaderValue::from_str(&format!("{linked}/")).ok()?;
            response.headers_mut().insert(header::LOCATION, location);
            return Some(response);
        }
        let message = format!(
            "found a path outside {served}/, wanted one below it, such as {served}/metrics: `web.route_prefix`, or else the \
             path of `web.external_url`, says where this exporter is served\n"
        );
        Some(plain(StatusCode::NOT_FOUND, message))
    }

    /// Puts the links of a page below the prefix. They are written as if it were served at the root.
    pub(super) fn link(&self, response: Response) -> Response {
        let is_page =
            response.headers().get(header::CONTENT_TYPE) == Some(&HeaderValue::from_static(HTML));
        if self.linked.is_empty() || !is_page {
            return response;
        }
        response.map(|content| match content {
            Content::Whole(page) => Content::Whole(self.linked_page(page)),
            other @ Content::Metrics(_) => other,
        })
    }

    fn linked_page(&self, page: Bytes) -> Bytes {
        let Ok(page) = str::from_utf8(&page) else {
            return page;
        };
        let mut linked = page.to_owned();
        for link in LINKS {
            let attribute = link.trim_end_matches('/');
            linked = linked.replace(link, &format!("{attribute}{}/", self.linked));
        }
        linked.into()
    }

    /// Cookies are of these pages alone, and do not leave TLS.
    pub(super) fn bind_cookies(&self, headers: &mut HeaderMap, is_over_tls: bool) {
        let Some(cookie) = headers.get(header::SET_COOKIE) else {
            return;
        };
        let secure = if is_over_tls { "; Secure" } else { "" };
        let path = format!("; Path={}/{secure}", self.linked);
        let bound = [cookie.as_bytes(), path.as_bytes()].concat();
        if let Ok(bound) = HeaderValue::from_bytes(&bound) {
            headers.insert(header::SET_COOKIE, bound);
        }
    }
}

/// Whether the browser speaks TLS to the exporter, or to a proxy before it.
pub(super) fn is_over_tls<B>(request: &Request<B>) -> bool {
    let forwarded = request.headers().get("x-forwarded-proto");
    request.extensions().get::<OverTls>().is_some()
        || forwarded.is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response::text;

    fn prefix(served: Option<&str>, external_url: Option<&str>) -> RoutePrefix {
        let url = external_url.map(|url| Url::parse(url).unwrap());
        RoutePrefix::new(served, url.as_ref())
    }

    #[test]
    fn the_path_of_the_external_url_is_served_and_linked_unless_a_proxy_removes_it() {
        let external = Some("https://ci.example/a/b/");
        for (served, url, wanted) in [
            (None, None, ("", "")),
            (None, Some("https://ci.example/"), ("", "")),
            (None, external, ("/a/b", "/a/b")),
            (Some(""), external, ("", "/a/b")),
            (Some("/x"), external, ("/x", "/a/b")),
            (Some("/x"), Some("https://ci.example/"), ("/x", "")),
            (Some("/x"), None, ("/x", "/x")),
        ] {
            let found = prefix(served, url);
            assert_eq!(
                (&*found.served, &*found.linked),
                wanted,
                "{served:?} {url:?}"
            );
        }
    }

    #[test]
    fn only_paths_below_the_prefix_get_in() {
        let prefix = prefix(Some("/ci"), None);
        let enter = |path: &str| prefix.enter(Request::get(path).body(()).unwrap());
        for (path, inner) in [
            ("/ci/", "/"),
            ("/ci/?q=a", "/?q=a"),
            ("/ci/metrics", "/metrics"),
            ("/ci/ci/x%2Fy", "/ci/x%2Fy"),
            (
                "http://ci.example/ci/metrics?a",
                "http://ci.example/metrics?a",
            ),
        ] {
            let request = enter(path);
            assert_eq!(request.uri().to_string(), inner);
            assert!(prefix.outside(&request).is_none(), "{path}");
        }
        for (path, status) in [
            ("/", 302),
            ("/ci", 302),
            ("/ci?q=a", 302),
            ("/metrics", 404),
            ("/cide/metrics", 404),
            ("/CI/metrics", 404),
            ("//ci/metrics", 404),
            ("/%63i/metrics", 404),
        ] {
            let answer = prefix.outside(&enter(path)).unwrap();
            assert_eq!(answer.status(), status, "{path}");
        }
        let post = Request::post("/").body(()).unwrap();
        assert_eq!(prefix.outside(&prefix.enter(post)).unwrap().status(), 404);
    }

    #[test]
    fn links_of_pages_get_the_prefix_and_text_stays() {
        let hostile = " href=\"/x\" action=\"/y";
        let page = maud::html! {
            a href="/" title=(hostile) { (hostile) }
            a href="https://gitlab.example/" { "GitLab" }
            form action="/actions/retry" { input value="/metrics"; }
            script src="/script.js" {}
        };
        let page = page.into_string();
        let linked = |prefix: &RoutePrefix, kind| {
            let response = prefix.link(text(StatusCode::OK, kind, page.clone()));
            let Content::Whole(bytes) = response.into_body() else {
                panic!("a whole page");
            };
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let prefix = prefix(Some("/ci"), None);
        assert_eq!(
            linked(&prefix, HTML),
            page.replace("<a href=\"/\"", "<a href=\"/ci/\"")
                .replace("<form action=\"/a", "<form action=\"/ci/a")
                .replace("<script src=\"/", "<script src=\"/ci/")
        );
        assert_eq!(linked(&prefix, "text/plain"), page);
        assert_eq!(linked(&RoutePrefix::default(), HTML), page);
    }
}
