//! The addresses of runbooks, Grafana and Alertmanager in the shipped files, and what replaces them.

use url::Url;

/// What links to runbooks begin with in the shipped files.
pub(super) const RUNBOOKS: &str =
    "https://github.com/example/job-failure-exporter/blob/main/alert-rules/runbooks/";
/// What links to dashboards begin with in the shipped files.
pub(super) const GRAFANA: &str = "https://grafana.example.com/";
/// What links to silences begin with in the shipped files.
pub(super) const ALERTMANAGER: &str = "https://alertmanager.example.com/";

/// Characters that end a YAML or JSON text, or start a template of Prometheus.
const UNSAFE: [char; 9] = ['"', '\'', '\\', '`', '{', '}', '<', '>', '|'];

/// The beginning of links, checked: it is copied into YAML, JSON and templates as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Adds the final slash if it is missing. An address that ends in `=`, `#` or `?` stays as it is: a name can
    /// follow it.
    ///
    /// # Errors
    ///
    /// What is wrong with the address, in words.
    pub fn new(address: &str) -> Result<Self, String> {
        let wanted = "wanted an address such as https://grafana.company.example/";
        let url = Url::parse(address).map_err(|error| format!("{error}; {wanted}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(format!("neither http:// nor https://; {wanted}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "it has a user or a password, which every message would show; leave them out"
                    .to_owned(),
            );
        }
        let is_unsafe = |c: &char| UNSAFE.contains(c) || c.is_whitespace() || c.is_control();
        if let Some(found) = address.chars().find(is_unsafe) {
            return Err(format!(
                "it has the character {found:?}; write it percent-encoded"
            ));
        }
        let is_open = address.ends_with(['/', '=', '#', '?']);
        let end = if is_open { "" } else { "/" };
        Ok(Self(format!("{address}{end}")))
    }
}

/// The addresses that were given.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// In place of [`RUNBOOKS`].
    pub runbooks: Option<Prefix>,
    /// In place of [`GRAFANA`].
    pub grafana: Option<Prefix>,
    /// In place of [`ALERTMANAGER`].
    pub alertmanager: Option<Prefix>,
}

impl Addresses {
    /// The text with the given addresses in place of the shipped ones.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (shipped, given) in self.pairs() {
            if let Some(Prefix(given)) = given {
                text = text.replace(shipped, given);
            }
        }
        text
    }

    /// Each shipped beginning with what replaces it.
    pub(super) fn pairs(&self) -> [(&'static str, Option<&Prefix>); 3] {
        [
            (RUNBOOKS, self.runbooks.as_ref()),
            (GRAFANA, self.grafana.as_ref()),
            (ALERTMANAGER, self.alertmanager.as_ref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_prefixes_are_replaced() {
        let addresses = Addresses {
            alertmanager: None,
            runbooks: Some(Prefix::new("https://wiki.example/ci?page=").unwrap()),
            grafana: Some(Prefix::new("http://grafana:3000/sub").unwrap()),
        };
        let text = format!(
            "{RUNBOOKS}CIJobStuck.md {GRAFANA}d/jfe-job?var-ref={{{{ $labels.ref }}}} {ALERTMANAGER}#/silences"
        );
        assert_eq!(
            addresses.apply(&text),
            "https://wiki.example/ci?page=CIJobStuck.md http://grafana:3000/sub/d/jfe-job?var-ref={{ $labels.ref }} https://alertmanager.example.com/#/silences"
        );
        assert_eq!(Addresses::default().apply(&text), text);
    }

    #[test]
    fn an_address_that_would_break_a_rule_or_tell_a_password_is_refused() {
        for (address, problem) in [
            ("grafana.company.example", "relative URL without a base"),
            (
                "ftp://grafana.company.example",
                "neither http:// nor https://",
            ),
            ("https://", "empty host"),
            (
                "https://user:secret@grafana.example",
                "a user or a password",
            ),
            (
                "https://grafana.example/{{ $externalURL }}",
                "the character '{'",
            ),
            ("https://grafana.example/it's", "the character '\\''"),
            ("https://grafana.example/a b", "the character ' '"),
        ] {
            let said = Prefix::new(address).unwrap_err();
            assert!(said.contains(problem), "{address}: {said}");
        }
    }
}
