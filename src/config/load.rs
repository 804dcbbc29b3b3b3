//! Loads a configuration: the file, the flags over it, the environment.

use std::fs;
use std::path::Path;

use super::address::base_url;
use super::gitlab::GitLab;
use super::node::{self, Node, Shape};
use super::owners::Owners;
use super::problem::{Problem, Problems};
use super::reader::{Report, Section};
use super::watch::Watch;
use super::webhooks::Webhooks;
use super::{Classification, Config, Store, counting};

/// What the command line gives; each goes over what the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--project`; any project or group here replaces both `watch.projects` and `watch.groups`.
    pub projects: Vec<String>,
    /// `--group`, with subgroups.
    pub groups: Vec<String>,
    /// `--gitlab.url`.
    pub gitlab_url: Option<String>,
    /// `--shard`.
    pub shard: Option<String>,
    /// `--store.directory`.
    pub store_directory: Option<String>,
    /// `--web.listen-address`.
    pub listen_address: Option<String>,
}

impl Config {
    /// Loads and checks a configuration; without a file, from flags and defaults alone.
    ///
    /// Reads the files that the configuration names (relative ones from the configuration's own
    /// directory) and nothing else, so that it can be called again for a reload.
    ///
    /// # Errors
    ///
    /// Every problem that was found.
    pub fn load(
        file: Option<&Path>,
        overrides: &Overrides,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problems> {
        let (text, mut document) = match file {
            None => (String::new(), Node::NOWHERE),
            Some(file) => open(file).map_err(|problem| Problems::new(Some(file), vec![problem]))?,
        };
        overrides.lay_over(&mut document);
        let report = Report::default();
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let config = read(&Section::root(&report, &document), &report, folder, env);
        let mut problems = report.into_problems(&text);
        match config {
            Some(config) if problems.is_empty() => return Ok(config),
            None if problems.is_empty() => problems.push(Problem {
                path: String::new(),
                message: "cannot be used, for a reason that was not noted; please report this"
                    .to_owned(),
                line: None,
                column: None,
            }),
            _ => {}
        }
        Err(Problems::new(file, problems))
    }
}

/// The file's text and what it says.
fn open(file: &Path) -> Result<(String, Node), Problem> {
    let text = fs::read_to_string(file).map_err(|error| Problem {
        path: file.display().to_string(),
        message: format!("cannot read the configuration: {error}"),
        line: None,
        column: None,
    })?;
    match node::parse(&text) {
        Ok(document) => Ok((text, document)),
        Err(error) => {
            let location = error.location();
            Err(Problem {
                path: String::new(),
                message: format!("not valid YAML: {error}"),
                line: location.as_ref().map(serde_yaml::Location::line),
                column: location.as_ref().map(serde_yaml::Location::column),
            })
        }
    }
}

fn read(
    root: &Section<'_>,
    report: &Report,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Config> {
    // All sections are read before any of them is missed, so that every problem is noted.
    let gitlab = GitLab::read(&root.section("gitlab"), report, folder, env);
    let (counting, child_pipelines) = counting::read(&root.section("counting"));
    let watch = Watch::read(&root.section("watch"), child_pipelines);
    let classification = Classification::read(&root.section("classification"));
    let owners = Owners::read(&root.section("owners"), folder);
    let store = Store::read(&root.section("store"));
    let webhooks = Webhooks::read(&root.section("webhooks"), folder);
    let prometheus_url = root.section("prometheus").text("url", base_url);
    let alertmanager_url = root.section("alertmanager").text("url", base_url);
    let retention = root.duration("retention");
    let listen_address = root.section("web").text("listen_address", listen_address);
    Some(Config {
        gitlab: gitlab?,
        watch: watch?,
        counting,
        classification: classification?,
        owners: owners?,
        store: store?,
        webhooks: webhooks?,
        prometheus_url,
        alertmanager_url,
        retention: retention?,
        listen_address: listen_address?,
    })
}

/// Checks the form only; whether the name resolves shows when it is bound.
fn listen_address(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
    port.parse::<u16>()
        .map_err(|_| "the port is no number up to 65535".to_owned())?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.contains(':') && !bracketed {
        return Err("an IPv6 address goes in brackets, as in `[::1]:10141`".to_owned());
    }
    if host.contains('/') || host.contains(char::is_whitespace) {
        return Err(String::new());
    }
    Ok(text.to_owned())
}

impl Overrides {
    fn lay_over(&self, document: &mut Node) {
        if !self.projects.is_empty() || !self.groups.is_empty() {
            let projects = self
                .projects
                .iter()
                .map(|project| text("--project", project));
            let groups = self.groups.iter().map(|group| {
                let path = text("--group", group);
                Node::of_flag("--group", Shape::Map(vec![("path".to_owned(), path)]))
            });
            let projects = Node::of_flag("--project", Shape::List(projects.collect()));
            let groups = Node::of_flag("--group", Shape::List(groups.collect()));
            put(document, "watch", "projects", projects);
            put(document, "watch", "groups", groups);
        }
        let single = [
            ("gitlab", "url", "--gitlab.url", &self.gitlab_url),
            ("watch", "shard", "--shard", &self.shard),
            (
                "store",
                "directory",
                "--store.directory",
                &self.store_directory,
            ),
            (
                "web",
                "listen_address",
                "--web.listen-address",
                &self.listen_address,
            ),
        ];
        for (section, name, flag, value) in single {
            if let Some(value) = value {
                if flag == "--store.directory" {
                    remove(document, section, "s3");
                }
                put(document, section, name, text(flag, value));
            }
        }
    }
}

fn text(flag: &'static str, value: &str) -> Node {
    Node::of_flag(flag, Shape::Text(value.to_owned()))
}

fn put(document: &mut Node, section: &str, name: &str, value: Node) {
    let entry = document
        .entry_mut(section)
        .and_then(|inner| inner.entry_mut(name));
    if let Some(entry) = entry {
        *entry = value;
    }
}

fn remove(document: &mut Node, section: &str, name: &str) {
    if let Some(Shape::Map(entries)) = document.entry_mut(section).map(|inner| &mut inner.shape) {
        entries.retain(|(key, _)| key != name);
    }
}
