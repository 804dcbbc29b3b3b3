//! Branches and tags in the JSON format of GitLab's API.

use serde_json::{Value, json};

use super::accounts::Role;
use super::entity::{GitRef, Project};
use super::world::World;

impl World {
    /// The branches of a project, or its tags, by name. A default branch without a pipeline is one, too.
    pub(super) fn ref_names(&self, project: &Project, tags: bool) -> Vec<String> {
        let known = self.refs.range((project.id, String::new())..);
        let known = known.take_while(|((id, _), _)| *id == project.id);
        // The refs of merge requests are no branches.
        let is_listed =
            |name: &str, git_ref: &GitRef| git_ref.tag == tags && !name.starts_with("refs/");
        let mut names: Vec<_> = known
            .filter(|((_, name), git_ref)| is_listed(name, git_ref))
            .map(|((_, name), _)| name.clone())
            .collect();
        let default = &project.default_branch;
        if !tags && !default.is_empty() && !names.contains(default) {
            names.push(default.clone());
            names.sort_unstable();
        }
        names
    }

    /// A branch as this user sees it.
    pub(super) fn branch_payload(&self, user: u64, project: &Project, name: &str) -> Value {
        let mut protecting = project.protected_refs.iter();
        let protected = protecting.find(|protected| protected.covers(name));
        let can_push = self.may_run(user, project) && self.may_write_ref(user, project, name);
        let developers = protected.is_none_or(|protected| protected.role <= Role::Developer);
        json!({
            "name": name,
            "merged": false,
            "protected": protected.is_some(),
            "default": name == project.default_branch,
            "developers_can_push": developers,
            "developers_can_merge": developers,
            "can_push": can_push,
            "web_url": format!("{}/-/tree/{name}", self.project_url(project.id)),
            "commit": { "id": self.head(project, name) },
        })
    }

    /// A tag.
    pub(super) fn tag_payload(&self, project: &Project, name: &str) -> Value {
        let head = self.head(project, name);
        json!({
            "name": name,
            "message": "",
            "target": head,
            "commit": { "id": head },
            "release": null,
            "protected": false,
        })
    }

    fn head(&self, project: &Project, name: &str) -> Option<&str> {
        let git_ref = self.refs.get(&(project.id, name.to_owned()));
        git_ref.map(|git_ref| git_ref.head.as_str())
    }

    /// The roles of a user in a project and in its groups.
    pub(super) fn permissions(&self, user: u64, project: u64) -> Value {
        let access = |role: Option<Role>| {
            role.map(|role| json!({ "access_level": role.access_level(), "notification_level": 3 }))
        };
        if let Some(role) = self.accounts.roles.get(&(user, project)) {
            return json!({ "project_access": access(*role), "group_access": null });
        }
        let role = self.accounts.role(user, project);
        json!({ "project_access": null, "group_access": access(role) })
    }
}
