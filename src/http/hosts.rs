//! The names under which requests reach the exporter: a page of another site may have its name lead here (DNS
//! rebinding), and would then read and act as a page of the exporter.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::uri::Authority;
use http::{HeaderMap, Request, header};
use url::Url;

use crate::base::listen_address::ListenAddress;

/// Characters of a wrong name that are repeated.
const LONGEST_REPEATED: usize = 100;

/// Endings of names that only the DNS of a Kubernetes cluster resolves.
const OF_A_CLUSTER: [&str; 2] = [".svc", ".svc.cluster.local"];

/// The names that requests may be for.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Whether only this machine can connect.
    is_loopback: bool,
    external_url: Option<Url>,
}

impl Hosts {
    /// Those of an exporter that listens on this address.
    pub fn new(address: &ListenAddress, external_url: Option<Url>) -> Self {
        Self {
            is_loopback: address.is_loopback(),
            external_url,
        }
    }

    /// All.
    pub(super) fn any() -> Self {
        Self::default()
    }

    /// Checks the name that a request is for. `is_essential`: it is a scrape or a probe, which come by any name unless
    /// only this machine can connect. A request without a name is of no browser.
    ///
    /// # Errors
    ///
    /// What was found, what was wanted, and what to do.
    pub(super) fn check<B>(&self, request: &Request<B>, is_essential: bool) -> Result<(), String> {
        if !self.is_loopback && (is_essential || self.external_url.is_none()) {
            return Ok(());
        }
        let mut names = request.headers().get_all(header::HOST).iter();
        let name = names.next().filter(|name| !name.is_empty());
        if names.next().is_some() {
            return Err("found several headers `Host`, wanted one".to_owned());
        }
        let name = match name.map(|name| Authority::try_from(name.as_bytes())) {
            None => None,
            Some(Ok(name)) => Some(name),
            Some(Err(_)) => return Err("the header `Host` is no name or address".to_owned()),
        };
        let names = [name.as_ref(), request.uri().authority()];
        let mut wrong = names.into_iter().flatten().map(Authority::host);
        match wrong.find(|name| !self.accepts(name)) {
            None => Ok(()),
            Some(name) => Err(self.refusal(name)),
        }
    }

    fn accepts(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let external = self.external_url.as_ref().and_then(Url::host_str);
        if external.is_some_and(|external| external.trim_end_matches('.') == name) {
            return true;
        }
        let v6 = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let v6 = v6.and_then(|address| address.parse::<Ipv6Addr>().ok());
        let v4 = name.parse::<Ipv4Addr>().ok();
        let is_own = name == "localhost"
            || name.ends_with(".localhost")
            || v4.is_some_and(|address| address.is_loopback())
            || v6.is_some_and(|address| address.to_canonical().is_loopback());
        if self.is_loopback || is_own {
            return is_own;
        }
        // Nobody else can have these names resolved: addresses, pods and services, machines of the own network.
        v4.is_some()
            || v6.is_some()
            || !name.contains('.')
            || OF_A_CLUSTER.iter().any(|ending| name.ends_with(ending))
    }

    fn refusal(&self, name: &str) -> String {
        let name: String = name.chars().take(LONGEST_REPEATED).collect();
        let wanted = match &self.external_url {
            Some(url) => format!("the name of `web.external_url`, {url}"),
            None => "localhost".to_owned(),
        };
        let others = if self.is_loopback {
            "an address of this machine"
        } else {
            "an IP address"
        };
        format!(
            "this request is for the host `{name}`, wanted {wanted}, or {others}; set `web.external_url` to the \
             address at which people reach these pages"
        )
    }

    /// Whether a browser says that a page of another site sent the request. Programs say nothing.
    pub(super) fn is_from_elsewhere<B>(&self, request: &Request<B>) -> bool {
        let headers = request.headers();
        let site = text_of(headers, "sec-fetch-site");
        if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return true;
        }
        let Some(origin) = text_of(headers, "origin") else {
            return false;
        };
        // A proxy may hand on another name.
        let external = self.external_url.as_ref().map(Url::origin);
        if external.is_some_and(|external| external.ascii_serialization() == origin) {
            return false;
        }
        let host = request.uri().authority().map(Authority::as_str);
        let host = host.or_else(|| text_of(headers, "host"));
        let of_origin = origin.split_once("://").map(|(_, host)| host);
        of_origin.is_none() || of_origin != host
    }
}

/// A header's only value. Several, or one that is no text, are a value that equals nothing.
fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().unwrap_or_default();
    Some(if values.next().is_some() { "" } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(address: &str, external_url: Option<&str>) -> Hosts {
        let external_url = external_url.map(|url| Url::parse(url).unwrap());
        Hosts::new(&ListenAddress::parse(address).unwrap(), external_url)
    }

    fn accepted(hosts: &Hosts, name: &str, is_essential: bool) -> bool {
        let request = Request::get("/").header("host", name).body(()).unwrap();
        hosts.check(&request, is_essential).is_ok()
    }

    #[test]
    fn on_loopback_only_names_of_this_machine_and_the_external_one_are_accepted() {
        for address in ["127.0.0.1:1", "localhost:1", "[::1]:1"] {
            let hosts = hosts(address, Some("https://ci.example/exporter/"));
            for name in [
                "localhost:10141",
                "LOCALHOST",
                "localhost.",
                "127.0.0.1:10141",
                "127.9.9.9",
                "[::1]:10141",
                "ci.example",
                "CI.example:443",
                "",
            ] {
                assert!(accepted(&hosts, name, false), "{name}");
            }
            for name in [
                "evil.example",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
                "192.0.2.7",
                "[2001:db8::1]:80",
                "ci.example.evil.example",
                "a b",
                "[::1",
            ] {
                assert!(!accepted(&hosts, name, false), "{name}");
                assert!(!accepted(&hosts, name, true), "{name}");
            }
        }
    }

    #[test]
    fn elsewhere_pages_need_a_name_that_only_the_owner_can_resolve() {
        let named = hosts(":10141", Some("https://ci.example/"));
        for name in [
            "ci.example",
            "10.0.0.7:10141",
            "[2001:db8::1]:10141",
            "exporter:10141",
            "exporter-1.exporter-pods.ci.svc",
            "exporter.ci.svc.cluster.local:10141",
            "localhost",
        ] {
            assert!(accepted(&named, name, false), "{name}");
        }
        for name in [
            "evil.example:10141",
            "a.svc.evil.example",
            "10.0.0.7.evil.example",
        ] {
            assert!(!accepted(&named, name, false), "{name}");
            assert!(accepted(&named, name, true), "a scrape for {name}");
        }
        assert!(accepted(&hosts(":10141", None), "anything.example", false));
    }

    #[test]
    fn the_name_of_the_address_counts_as_well_and_several_names_are_refused() {
        let hosts = hosts("127.0.0.1:1", None);
        let request = Request::get("http://evil.example/").header("host", "localhost");
        let error = hosts.check(&request.body(()).unwrap(), true).unwrap_err();
        assert!(
            error.contains("`evil.example`, wanted localhost"),
            "{error}"
        );
        let request = Request::get("/").header("host", "localhost");
        let request = request.header("host", "evil.example").body(()).unwrap();
        assert!(hosts.check(&request, true).is_err());
        let request = Request::get("/").body(()).unwrap();
        assert!(hosts.check(&request, false).is_ok(), "no browser");
    }

    #[test]
    fn a_request_is_of_this_site_by_its_own_name_or_the_external_one() {
        let hosts = hosts(":10141", Some("https://ci.example/exporter/"));
        let of = |headers: &[(&str, &str)]| {
            let mut request = Request::post("/").header("host", "10.0.0.7:10141");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            hosts.is_from_elsewhere(&request.body(()).unwrap())
        };
        for headers in [
            &[][..],
            &[("origin", "http://10.0.0.7:10141")],
            &[("origin", "https://ci.example")],
            &[
                ("origin", "https://ci.example"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(!of(headers), "{headers:?}");
        }
        for headers in [
            &[("origin", "null")][..],
            &[("origin", "")],
            &[("origin", "http://10.0.0.7")],
            &[("origin", "http://ci.example")],
            &[("origin", "https://ci.example.evil.example")],
            &[
                ("origin", "https://ci.example"),
                ("origin", "https://evil.example"),
            ],
            &[
                ("origin", "https://ci.example"),
                ("sec-fetch-site", "same-site"),
            ],
            &[("sec-fetch-site", "cross-site")],
        ] {
            assert!(of(headers), "{headers:?}");
        }
    }
}
