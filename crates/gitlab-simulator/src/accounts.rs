//! Users, their roles and their tokens.

use std::collections::BTreeMap;

use strum::IntoStaticStr;

use super::moment::Moment;

/// A user's rights in a project, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "GitLab's own words, documented there")]
pub enum Role {
    Guest,
    Reporter,
    Developer,
    Maintainer,
    Owner,
}

impl Role {
    /// GitLab's number of the role.
    pub(super) fn access_level(self) -> u64 {
        match self {
            Self::Guest => 10,
            Self::Reporter => 20,
            Self::Developer => 30,
            Self::Maintainer => 40,
            Self::Owner => 50,
        }
    }
}

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// Everything that its user may do.
    Api,
    /// Only `GET`.
    ReadApi,
    /// Only its user and itself.
    ReadUser,
}

/// A person, or the bot of a project access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Numeric id.
    pub id: u64,
    /// Login.
    pub username: String,
    /// Whether it belongs to an access token.
    pub bot: bool,
    /// Role in projects without an own one; `None` hides them.
    pub role: Option<Role>,
}

/// An access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Id of its user.
    pub user: u64,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it ends. Without it GitLab tells an end after 90 days and refuses nothing.
    pub expires_at: Option<Moment>,
}

/// Users, tokens and roles of an instance.
#[derive(Debug, Clone)]
pub(super) struct Accounts {
    pub(super) users: BTreeMap<u64, User>,
    pub(super) tokens: BTreeMap<String, Token>,
    /// Roles by user and project.
    pub(super) roles: BTreeMap<(u64, u64), Option<Role>>,
}

impl Accounts {
    /// The user who starts everything that nobody else starts.
    pub(super) const OWNER: u64 = 1;

    pub(super) fn new() -> Self {
        let owner = User {
            id: Self::OWNER,
            username: "example-user".to_owned(),
            bot: false,
            role: Some(Role::Owner),
        };
        Self {
            users: BTreeMap::from([(owner.id, owner)]),
            tokens: BTreeMap::new(),
            roles: BTreeMap::new(),
        }
    }

    pub(super) fn add_user(&mut self, username: &str, bot: bool, role: Option<Role>) -> u64 {
        let id = self.users.last_key_value().map_or(1, |(id, _)| id + 1);
        let username = username.to_owned();
        let user = User {
            id,
            username,
            bot,
            role,
        };
        self.users.insert(id, user);
        id
    }

    pub(super) fn role(&self, user: u64, project: u64) -> Option<Role> {
        let everywhere = || self.users.get(&user).and_then(|user| user.role);
        let own = self.roles.get(&(user, project)).copied();
        own.unwrap_or_else(everywhere)
    }
}
