//! Names, namespace and labels of the objects.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::super::yaml_text::quoted;

/// What names of objects begin with, unless another name is given.
pub const DEFAULT_NAME: &str = "job-failure-exporter";
/// Grafana's folder for the dashboards.
pub const DEFAULT_FOLDER: &str = "CI job failures";

/// The label that services, monitors and pods are selected by.
const NAME_LABEL: &str = "app.kubernetes.io/name";
/// Names of objects have this length at most, so that a suffix fits.
const MAX_NAME: usize = 40;
const MAX_LABEL: usize = 63;

/// How all objects are named and labelled.
#[derive(Debug, Clone)]
pub struct Objects {
    name: String,
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
    folder: String,
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            namespace: None,
            labels: BTreeMap::new(),
            folder: DEFAULT_FOLDER.to_owned(),
        }
    }
}

impl Objects {
    /// Objects of this name and namespace, with further labels, and Grafana's folder.
    pub fn new(
        name: String,
        namespace: Option<String>,
        labels: BTreeMap<String, String>,
        folder: String,
    ) -> Self {
        Self {
            name,
            namespace,
            labels,
            folder,
        }
    }

    /// Checks the name of an object or of a namespace.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn check_name(name: &str) -> Result<(), String> {
        let is_edge =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
        if begins
            && is_edge(name.chars().last())
            && name.chars().all(is_inner)
            && name.len() <= MAX_NAME
        {
            return Ok(());
        }
        Err(format!(
            "wanted at most {MAX_NAME} lower-case letters, digits and `-`, from a letter to a letter or digit"
        ))
    }

    /// Checks a label for all objects.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn check_label(key: &str, value: &str) -> Result<(), String> {
        static NAME: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new("^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$").ok());
        static HOST: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$").ok());
        let is =
            |regex: &Option<Regex>, text: &str| regex.as_ref().is_some_and(|it| it.is_match(text));
        let (host, name) = match key.split_once('/') {
            Some((host, name)) => (Some(host), name),
            None => (None, key),
        };
        let is_key = name.len() <= MAX_LABEL
            && is(&NAME, name)
            && host.is_none_or(|host| host.len() <= 253 && is(&HOST, host));
        if !is_key {
            return Err(format!(
                "`{key}` is no key of a label; wanted one such as release or company.example/release"
            ));
        }
        if key == NAME_LABEL {
            return Err(format!(
                "the Service and its monitor are selected by `{key}`; set it by --name"
            ));
        }
        if value.len() > MAX_LABEL || !(value.is_empty() || is(&NAME, value)) {
            return Err(format!(
                "`{value}` is no value of a label; wanted at most {MAX_LABEL} letters, digits, `-`, `_` and `.`"
            ));
        }
        Ok(())
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// The label that selects the exporter's pods, service and monitor.
    pub(super) fn selector(&self) -> String {
        format!("{NAME_LABEL}: {}", self.name)
    }

    /// The beginning of an object, up to its labels. `more` are labels of its kind, which given ones override.
    pub(super) fn head(
        &self,
        api: &str,
        kind: &str,
        suffix: &str,
        more: &[(&str, &str)],
    ) -> String {
        let mut head = format!(
            "apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {}{suffix}\n",
            self.name
        );
        if let Some(namespace) = &self.namespace {
            // Writing into a String cannot fail.
            let _ = writeln!(head, "  namespace: {namespace}");
        }
        let _ = writeln!(head, "  labels:\n    {}", self.selector());
        let mut labels: BTreeMap<&str, &str> = more.iter().copied().collect();
        labels.extend(
            self.labels
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
        for (key, value) in labels {
            let _ = writeln!(head, "    {key}: {}", quoted(value));
        }
        head
    }
}

/// What follows the name for the object of a file. Names of objects have no `_`.
pub(super) fn suffix(stem: &str) -> String {
    format!("-{}", stem.replace('_', "-"))
}

/// A text below a key, each line indented. Empty lines stay empty.
pub(super) fn indented(text: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let lines = text.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("{indent}{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_those_that_kubernetes_takes() {
        for name in ["a", "job-failure-exporter", "gl2"] {
            Objects::check_name(name).unwrap();
        }
        for name in ["", "-a", "a-", "2a", "A", "a.b", "a_b", &"a".repeat(41)] {
            assert!(Objects::check_name(name).is_err(), "{name}");
        }
        for (key, value) in [
            ("release", "kube-prometheus"),
            ("a.example/b_c", ""),
            ("A", "1"),
        ] {
            Objects::check_label(key, value).unwrap();
        }
        for (key, value, problem) in [
            ("", "x", "no key"),
            ("a b", "x", "no key"),
            ("a/b/c", "x", "no key"),
            ("Host/x", "x", "no key"),
            ("release", "a b", "no value"),
            ("release", "-a", "no value"),
            ("app.kubernetes.io/name", "x", "set it by --name"),
        ] {
            let said = Objects::check_label(key, value).unwrap_err();
            assert!(said.contains(problem), "{key}={value}: {said}");
        }
    }
}
