//! Who may do what: tokens, roles, protected refs, archived projects and jobs.

use super::accounts::{Role, Scope, Token, User};
use super::entity::{Job, Pipeline, Project, ProtectedRef};
use super::moment::Moment;
use super::world::World;

impl World {
    /// Adds a person with this role in all projects. Returns the id.
    pub fn add_user(&mut self, username: &str, role: Role) -> u64 {
        self.accounts.add_user(username, false, Some(role))
    }

    /// Adds the bot user of a project access token, which sees only this project. Returns the id.
    pub fn add_bot(&mut self, project: u64, role: Role) -> u64 {
        let secret = self.random.u128(..);
        let username = format!("project_{project}_bot_{secret:032x}");
        let id = self.accounts.add_user(&username, true, None);
        self.set_role(id, project, Some(role));
        id
    }

    /// A user by the id.
    pub fn user(&self, id: u64) -> Option<&User> {
        self.accounts.users.get(&id)
    }

    /// Sets the role of a user in one project; `None` hides the project.
    pub fn set_role(&mut self, user: u64, project: u64, role: Option<Role>) {
        self.accounts.roles.insert((user, project), role);
    }

    /// Adds a token of a user, or replaces the one with this secret.
    pub fn add_token(&mut self, secret: &str, user: u64, scopes: &[Scope]) {
        let scopes = scopes.to_vec();
        let token = Token {
            user,
            scopes,
            expires_at: None,
        };
        self.accounts.tokens.insert(secret.to_owned(), token);
    }

    /// Sets the end of a token: from then on requests with it get 401.
    pub fn set_token_expiry(&mut self, secret: &str, end: Moment) {
        if let Some(token) = self.accounts.tokens.get_mut(secret) {
            token.expires_at = Some(end);
        }
    }

    /// Revokes a token: requests with it get 401.
    pub fn revoke_token(&mut self, secret: &str) {
        self.accounts.tokens.remove(secret);
    }

    /// Lets only users from this role on write to the refs that match `pattern` (`main`, `release/*`).
    pub fn protect_ref(&mut self, project: u64, pattern: &str, role: Role) {
        if let Some(project) = self.project_mut(project) {
            project.protected_refs.push(ProtectedRef {
                pattern: pattern.to_owned(),
                role,
                users: Vec::new(),
            });
        }
    }

    /// Adds a user to those who may write to the refs that this pattern protects.
    pub fn allow_on_ref(&mut self, project: u64, pattern: &str, user: u64) {
        let Some(project) = self.project_mut(project) else {
            return;
        };
        let refs = project.protected_refs.iter_mut();
        for protected in refs.filter(|protected| protected.pattern == pattern) {
            protected.users.push(user);
        }
    }

    pub(super) fn token(&self, secret: &str) -> Option<&Token> {
        self.accounts.tokens.get(secret)
    }

    pub(super) fn may_see(&self, user: u64, project: u64) -> bool {
        self.accounts.role(user, project).is_some()
    }

    /// Whether a user may read the pipelines of a project, its jobs and its schedules.
    pub(super) fn may_read_pipelines(&self, user: u64, project: &Project) -> bool {
        let role = self.accounts.role(user, project.id);
        let lowest = if project.public_pipelines {
            Role::Guest
        } else {
            Role::Reporter
        };
        !project.ci_disabled && role >= Some(lowest)
    }

    /// Whether a user may see groups. The bot of a project is in none.
    pub(super) fn may_see_groups(&self, user: u64) -> bool {
        self.user(user).is_some_and(|user| user.role.is_some())
    }

    /// Whether a user may create pipelines, protected refs aside.
    pub(super) fn may_run(&self, user: u64, project: &Project) -> bool {
        let role = self.accounts.role(user, project.id);
        !project.archived && !project.refuses_writes && role >= Some(Role::Developer)
    }

    /// Whether the protected refs of a project let a user write to this ref.
    pub(super) fn may_write_ref(&self, user: u64, project: &Project, ref_name: &str) -> bool {
        let role = self.accounts.role(user, project.id);
        let mut protecting = project
            .protected_refs
            .iter()
            .filter(|protected| protected.covers(ref_name))
            .peekable();
        // Of several matching protections the most permissive one applies.
        protecting.peek().is_none()
            || protecting
                .any(|protected| role >= Some(protected.role) || protected.users.contains(&user))
    }

    /// Whether a user may retry or cancel a pipeline.
    pub(super) fn may_update_pipeline(&self, user: u64, pipeline: &Pipeline) -> bool {
        self.project(pipeline.project_id).is_some_and(|project| {
            self.may_run(user, project) && self.may_write_ref(user, project, &pipeline.ref_name)
        })
    }

    /// Whether a user may retry, play or cancel a job.
    pub(super) fn may_update_job(&self, user: u64, job: &Job) -> bool {
        self.pipeline(job.pipeline_id).is_some_and(|pipeline| {
            self.may_update_pipeline(user, pipeline)
                && !self.is_archived(job)
                && !self.refuses_outdated(job)
        })
    }

    /// Whether GitLab has archived the job: nobody can retry it any more.
    pub(super) fn is_archived(&self, job: &Job) -> bool {
        let too_old = |after| job.created_at + after <= self.now;
        job.archived || self.settings.archive_after.is_some_and(too_old)
    }
}
