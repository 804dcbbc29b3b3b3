//! Flags that override keys.

use super::node::{Node, NodeKind};

/// Values of the command line; each overrides the file.
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
    /// `--store.directory`; overrides `store.s3` too.
    pub store_directory: Option<String>,
    /// `--web.listen-address`.
    pub listen_address: Option<String>,
    /// `--web.config.file`, absolute: a relative path would start at the directory of the configuration.
    pub web_config_file: Option<String>,
    /// `--web.route-prefix`.
    pub route_prefix: Option<String>,
    /// `--web.enable-lifecycle`.
    pub enable_lifecycle: bool,
}

impl Overrides {
    /// Puts the values into the document, so that they are checked like those of the file.
    pub(super) fn apply(&self, document: &mut Node) {
        if !self.projects.is_empty() || !self.groups.is_empty() {
            let list = |flag, items| Node::of_flag(flag, NodeKind::List(items));
            let projects = self.projects.iter().map(|path| text("--project", path));
            put(
                document,
                "watch",
                "projects",
                list("--project", projects.collect()),
            );
            let groups = self.groups.iter().map(|path| {
                let path = ("path".to_owned(), text("--group", path));
                Node::of_flag("--group", NodeKind::Map(vec![path]))
            });
            put(
                document,
                "watch",
                "groups",
                list("--group", groups.collect()),
            );
        }
        if self.store_directory.is_some()
            && let Some(store) = document.entry_mut("store")
            && let NodeKind::Map(entries) = &mut store.kind
        {
            entries.retain(|(key, _)| key != "s3");
        }
        if self.enable_lifecycle {
            let on = Node::of_flag("--web.enable-lifecycle", NodeKind::Bool(true));
            put(document, "web", "enable_lifecycle", on);
        }
        for (section, name, flag, value) in [
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
            (
                "web",
                "config_file",
                "--web.config.file",
                &self.web_config_file,
            ),
            (
                "web",
                "route_prefix",
                "--web.route-prefix",
                &self.route_prefix,
            ),
        ] {
            if let Some(value) = value {
                put(document, section, name, text(flag, value));
            }
        }
    }
}

fn text(flag: &'static str, value: &str) -> Node {
    Node::of_flag(flag, NodeKind::Text(value.to_owned()))
}

/// Leaves what is not a mapping as it is; reading refuses it.
fn put(document: &mut Node, section: &str, name: &str, value: Node) {
    let section = document.entry_mut(section);
    if let Some(entry) = section.and_then(|section| section.entry_mut(name)) {
        *entry = value;
    }
}
