//! What a token may do: its user, its role in a project, and the branches and tags that it sees.

use std::sync::Arc;

use gitlab::api::projects::repository::branches::{Branch as GetBranch, Branches};
use gitlab::api::projects::repository::tags::Tags;
use gitlab::api::users::CurrentUser;

use super::client::Client;
use super::error::Error;
use super::listing::{Listing, RejectReason, Rejected};
use super::paging::Limit;
use super::record::{Reader, Record};
use super::validate::Project;
use super::wire::{self, Value};
use crate::base::api::Endpoint;

/// The user of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUser {
    /// GitLab's id.
    pub id: u64,
    /// Login. That of a project's or group's access token names it: `group_7_bot_..`.
    pub username: Arc<str>,
    /// Whether it belongs to an access token. GitLab says so only of some users.
    pub is_bot: bool,
}

/// A project, and what the token may do there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectAccess {
    /// The project.
    pub project: Project,
    /// The higher access level of the token's user in the project and in its groups; `None` for administrators, and for
    /// users who are no members.
    pub role: Option<u64>,
    /// Whether CI/CD is switched off.
    pub ci_is_disabled: bool,
}

/// A branch or a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRef {
    /// Without `refs/heads/` or `refs/tags/`.
    pub name: Arc<str>,
    /// Whether not everybody with the role Developer may change it.
    pub is_protected: bool,
    /// Whether the token's user may push to it; `false` for tags.
    pub can_push: bool,
    /// Whether users with the role Developer may merge into it; `false` for tags.
    pub developers_can_merge: bool,
}

impl Client {
    /// The user of our token.
    pub async fn token_user(&self) -> Result<TokenUser, Error> {
        let call = self.call(Endpoint::User, "the token's user".to_owned());
        let endpoint = call.built(CurrentUser::builder().build())?;
        call.one(&endpoint).await
    }

    /// A project, by its id or its full path, with the role of our token there.
    pub async fn project_access(&self, id_or_path: &str) -> Result<ProjectAccess, Error> {
        self.project_as(id_or_path).await
    }

    /// One branch; `None` where there is none, or it is hidden.
    pub async fn branch(&self, project: u64, name: &str) -> Result<Option<GitRef>, Error> {
        let call = self.call(
            Endpoint::Branches,
            format!("branch {name} of project {project}"),
        );
        let endpoint = call.built(GetBranch::builder().project(project).branch(name).build())?;
        match call.one(&endpoint).await {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The first branches of a project.
    pub async fn branches(&self, project: u64, most: usize) -> Result<Listing<GitRef>, Error> {
        let call = self.call(
            Endpoint::Branches,
            format!("the branches of project {project}"),
        );
        let endpoint = call.built(Branches::builder().project(project).build())?;
        call.list(&endpoint, first(most)).await
    }

    /// The first tags of a project.
    pub async fn tags(&self, project: u64, most: usize) -> Result<Listing<GitRef>, Error> {
        let call = self.call(Endpoint::Tags, format!("the tags of project {project}"));
        let endpoint = call.built(Tags::builder().project(project).build())?;
        call.list(&endpoint, first(most)).await
    }
}

fn first(items: usize) -> Limit {
    Limit { items, pages: 1 }
}

impl Record for TokenUser {
    const KIND: &'static str = "user";
    type Wire<'a> = wire::Account<'a>;

    fn read(read: &mut Reader, wire: wire::Account<'_>) -> Result<Self, Rejected> {
        Ok(Self {
            id: read.id(&wire.id)?,
            username: read
                .required("username", &wire.username, RejectReason::MissingName)?
                .into(),
            is_bot: matches!(wire.bot, Value::Flag(true)),
        })
    }
}

impl Record for ProjectAccess {
    const KIND: &'static str = "project";
    type Wire<'a> = wire::Project<'a>;

    fn read(read: &mut Reader, mut wire: wire::Project<'_>) -> Result<Self, Rejected> {
        let permissions = std::mem::take(&mut wire.permissions).object();
        let level = |access: Value<'_, wire::Access<'_>>| match access.object()?.access_level {
            Value::Whole(level) => Some(level),
            _ => None,
        };
        let role = permissions.and_then(|it| level(it.project_access).max(level(it.group_access)));
        let builds = read.text("builds_access_level", &wire.builds_access_level)?;
        let ci_is_disabled =
            builds == Some("disabled") || matches!(wire.jobs_enabled, Value::Flag(false));
        Ok(Self {
            role,
            ci_is_disabled,
            project: Project::read(read, wire)?,
        })
    }
}

impl Record for GitRef {
    const KIND: &'static str = "ref";
    type Wire<'a> = wire::GitRef<'a>;

    fn read(read: &mut Reader, wire: wire::GitRef<'_>) -> Result<Self, Rejected> {
        let name = read.required("name", &wire.name, RejectReason::MissingName)?;
        Ok(Self {
            name: name.into(),
            is_protected: matches!(wire.protected, Value::Flag(true)),
            can_push: matches!(wire.can_push, Value::Flag(true)),
            developers_can_merge: matches!(wire.developers_can_merge, Value::Flag(true)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::decode_one;
    use super::*;

    fn role(permissions: &str) -> Option<u64> {
        let json = format!(
            r#"{{"id":7,"path_with_namespace":"group/app","default_branch":"main","permissions":{permissions}}}"#
        );
        decode_one::<ProjectAccess>(&json).unwrap().1.role
    }

    #[test]
    fn the_role_is_the_higher_one_of_project_and_groups() {
        let both = r#"{"project_access":{"access_level":10},"group_access":{"access_level":20,"notification_level":3}}"#;
        assert_eq!(role(both), Some(20));
        let own = r#"{"project_access":{"access_level":30},"group_access":null}"#;
        assert_eq!(role(own), Some(30));
        for unknown in [
            "null",
            "{}",
            r#"{"project_access":null,"group_access":null}"#,
        ] {
            assert_eq!(role(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_bot_is_known_by_its_flag() {
        let json = r#"{"id":4,"username":"group_7_bot_0f","bot":true}"#;
        let (_, user): (_, TokenUser) = decode_one(json).unwrap();
        assert!(user.is_bot && &*user.username == "group_7_bot_0f");
        let (_, user): (_, TokenUser) = decode_one(r#"{"id":4,"username":"ann"}"#).unwrap();
        assert!(!user.is_bot);
    }
}
