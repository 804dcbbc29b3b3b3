//! The addresses in links of the shipped files, and what replaces them.

use url::Url;

/// What links to runbooks begin with in the shipped files.
pub(super) const RUNBOOKS: &str =
    "https://github.com/example/job-failure-exporter/blob/main/alert-rules/runbooks/";
/// What links to dashboards begin with in the shipped files.
pub(super) const GRAFANA: &str = "https://grafana.example.com/";
/// What links to silences begin with in the shipped files.
pub(super) const ALERTMANAGER: &str = "https://alertmanager.example.com/";
/// The exporter's address in the shipped dashboards: the value of a variable, with its quotes.
const EXPORTER: &str = r#""http://127.0.0.1:10141""#;
/// GitLab's address in the shipped dashboards, likewise.
const GITLAB: &str = r#""https://gitlab.com""#;

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

/// The address of a server, without a final slash, checked like a [`Prefix`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site(String);

impl Site {
    /// Takes an address with or without a final slash.
    ///
    /// # Errors
    ///
    /// What is wrong with the address, in words.
    pub fn new(address: &str) -> Result<Self, String> {
        let Prefix(prefix) = Prefix::new(address)?;
        if let Some(found) = address.chars().find(|c| matches!(c, '#' | '?')) {
            return Err(format!(
                "it has the character {found:?}; wanted an address to which a path can be added"
            ));
        }
        Ok(Self(prefix.trim_end_matches('/').to_owned()))
    }
}

/// The addresses that were given.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// What links to runbooks begin with.
    pub runbooks: Option<Prefix>,
    /// What links to dashboards begin with.
    pub grafana: Option<Prefix>,
    /// What links to silences begin with.
    pub alertmanager: Option<Prefix>,
    /// The exporter, in links of dashboards.
    pub exporter: Option<Site>,
    /// GitLab, in links of dashboards.
    pub gitlab: Option<Site>,
}

/// A shipped address and what was given in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The option that sets it.
    pub option: &'static str,
    shipped: &'static str,
    given: Option<String>,
}

impl Address {
    /// The shipped address.
    pub fn shipped(&self) -> &'static str {
        self.shipped.trim_matches('"')
    }

    /// Whether another one was given.
    pub fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// Whether a shipped text has it.
    pub(super) fn occurs_in(&self, text: &str) -> bool {
        text.contains(self.shipped)
    }
}

impl Addresses {
    /// The text with the given addresses in place of the shipped ones.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for address in self.all() {
            if let Some(given) = address.given {
                text = text.replace(address.shipped, &given);
            }
        }
        text
    }

    /// Each shipped address.
    pub(super) fn all(&self) -> [Address; 5] {
        let prefix = |option, shipped, given: &Option<Prefix>| {
            let given = given.as_ref().map(|Prefix(given)| given.clone());
            Address {
                option,
                shipped,
                given,
            }
        };
        let site = |option, shipped, given: &Option<Site>| {
            let given = given.as_ref().map(|Site(given)| format!("\"{given}\""));
            Address {
                option,
                shipped,
                given,
            }
        };
        [
            prefix("--runbooks", RUNBOOKS, &self.runbooks),
            prefix("--grafana", GRAFANA, &self.grafana),
            prefix("--alertmanager", ALERTMANAGER, &self.alertmanager),
            site("--exporter", EXPORTER, &self.exporter),
            site("--gitlab", GITLAB, &self.gitlab),
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
            exporter: Some(Site::new("https://ci.example/failures/").unwrap()),
            gitlab: None,
        };
        let text = format!(
            "{RUNBOOKS}CIJobStuck.md {GRAFANA}d/jfe-job?var-ref={{{{ $labels.ref }}}} {ALERTMANAGER}#/silences {EXPORTER} http://127.0.0.1:10141/metrics"
        );
        assert_eq!(
            addresses.apply(&text),
            "https://wiki.example/ci?page=CIJobStuck.md http://grafana:3000/sub/d/jfe-job?var-ref={{ $labels.ref }} https://alertmanager.example.com/#/silences \"https://ci.example/failures\" http://127.0.0.1:10141/metrics"
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
            let said = Site::new(address).unwrap_err();
            assert!(said.contains(problem), "{address}: {said}");
        }
        let said = Site::new("https://gitlab.example/?project=").unwrap_err();
        assert!(said.contains("the character '?'"), "{said}");
    }
}
