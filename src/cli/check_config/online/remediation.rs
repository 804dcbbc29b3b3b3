//! Bringing jobs back: the token that acts, and its rights in some projects. Nothing is changed.

use std::sync::Arc;

use super::finding::{Findings, Level, Note};
use super::progress::Progress;
use super::projects::{Seen, role_name};
use super::server_clock::ServerClock;
use super::token::{self, Purpose};
use crate::config::{Config, Mode};
use crate::daemon::{acting_gitlab, client_for_checks};
use crate::gitlab::{Client, GitRef};

/// Most projects that are looked at, with two requests each.
const MOST_PROJECTS: usize = 10;

/// The role that retries jobs on refs that are not protected.
const DEVELOPER: u64 = 30;

/// Looks at the token that acts, in the mode `act`.
pub(super) async fn check(
    config: &Config,
    seen: &[Seen],
    progress: &Progress,
    findings: &Findings,
) {
    match config.remediation.mode {
        Mode::Off => return,
        Mode::Report => {
            return findings.ok("only reports, which needs no right to write");
        }
        Mode::Act => {}
    }
    progress.says("the token that acts");
    let acting = acting_gitlab(&config.gitlab, &config.remediation);
    let Some(secret) = &acting.token else {
        return findings
            .error("`remediation.token_file` cannot be read here, so its rights are not known");
    };
    if let Some(what) = token::no_api_token(secret) {
        return findings.error(format!(
            "this is {what}; wanted an access token of scope `api`"
        ));
    }
    let clock = Arc::new(ServerClock::default());
    let client = match client_for_checks(&acting, clock.clone()) {
        Ok(client) => client,
        Err(error) => return findings.error(error.to_string()),
    };
    let told = token::ask(&client).await;
    token::judge(&told, Purpose::Act, clock.now(), findings);
    if told.user.is_err() {
        return;
    }
    let mut notes = Vec::new();
    let looked_at = seen.len().min(MOST_PROJECTS);
    for seen in seen.iter().take(MOST_PROJECTS) {
        let path = seen.access.project.path.to_string();
        let rights = rights(&client, seen).await;
        notes.extend(rights.map(|(level, message)| Note {
            level,
            subject: path,
            message,
        }));
    }
    if notes.is_empty() && looked_at > 0 {
        findings.ok(format!(
            "it may retry jobs on the default branch of {looked_at} projects"
        ));
    }
    findings.add_grouped(notes);
}

/// What keeps the token from acting in a project.
async fn rights(client: &Client, seen: &Seen) -> Option<(Level, String)> {
    let project = &seen.access.project;
    let access = match client.project_access(&project.id.to_string()).await {
        Ok(access) => access,
        Err(error) if error.is_not_found() => {
            let message = "its user does not see the project: add it with the role Developer";
            return Some((Level::Error, message.to_owned()));
        }
        Err(error) => return Some((Level::Error, error.to_string())),
    };
    if let Some(role) = access.role.filter(|role| *role < DEVELOPER) {
        let message = format!(
            "its user has the role {}; retrying jobs needs Developer",
            role_name(role)
        );
        return Some((Level::Error, message));
    }
    let branch = project.default_branch.as_deref()?;
    let branch = client.branch(project.id, branch).await.ok()??;
    is_closed(&branch).then(|| {
        let message = format!(
            "the branch `{}` is protected, and its user may neither push nor merge there: jobs of it cannot be retried. Give \
             it the role Maintainer, or allow it to merge (Settings, Repository, Protected branches)",
            branch.name
        );
        (Level::Warning, message)
    })
}

fn is_closed(branch: &GitRef) -> bool {
    branch.is_protected && !branch.can_push && !branch.developers_can_merge
}
