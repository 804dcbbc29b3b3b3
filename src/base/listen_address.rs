//! The address that the exporter listens on.

use std::fmt;
use std::net::IpAddr;

/// Where the exporter listens: `[host]:port`, without a host on all interfaces.
///
/// Whether a name resolves shows when it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// Name or IP address, without brackets; `None`: all interfaces.
    pub host: Option<String>,
    /// `0` lets the system choose one.
    pub port: u16,
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

impl ListenAddress {
    /// Whether only this machine can connect. Of names only `localhost` is known to be so.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.as_deref().unwrap_or_default();
        let address = host.parse::<IpAddr>().ok();
        host.eq_ignore_ascii_case("localhost")
            || address.is_some_and(|address| address.to_canonical().is_loopback())
    }

    /// Reads `[host]:port`.
    ///
    /// # Errors
    ///
    /// Why the text does not fit, in a few words or none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
        let port = port
            .parse()
            .map_err(|_| "the port is not a number up to 65535")?;
        let in_brackets = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if host.contains(':') && in_brackets.is_none() {
            return Err("an IPv6 address goes in brackets, as in `[::1]:10141`".to_owned());
        }
        let host = in_brackets.unwrap_or(host);
        if host.contains(['/', '[', ']']) || host.contains(char::is_whitespace) {
            return Err(String::new());
        }
        let host = (!host.is_empty()).then(|| host.to_owned());
        Ok(Self { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listen_address_is_a_host_and_a_port() {
        for (text, host, port) in [
            (":10141", None, 10141),
            ("127.0.0.1:0", Some("127.0.0.1"), 0),
            ("[::1]:80", Some("::1"), 80),
            ("localhost:80", Some("localhost"), 80),
        ] {
            let address = ListenAddress::parse(text).unwrap();
            assert_eq!((address.host.as_deref(), address.port), (host, port));
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "10141",
            "localhost",
            ":port",
            ":65536",
            "::1:80",
            "http://x:80",
        ] {
            assert!(ListenAddress::parse(text).is_err(), "{text}");
        }
    }
}
