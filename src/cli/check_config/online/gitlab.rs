//! GitLab: whether it answers, its version and its APIs, then everything that is asked of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ci_history::Timestamp;

use super::finding::{Findings, Level, Part};
use super::progress::Progress;
use super::projects::{self, MOST_PROJECTS};
use super::server_clock::ServerClock;
use super::token::{self, Purpose};
use super::{groups, rate, refs, remediation};
use crate::config::{Api, Config};
use crate::daemon::client_for_checks;
use crate::gitlab::{Besides, Client, ErrorKind, NotTold, Project};
use crate::ingest::FEWEST_PROJECTS;

/// The lowest release that tests cover: docs/gitlab-versions.md.
const LOWEST: (u32, u32) = (15, 0);

/// Projects of the question that tries GraphQL.
const TRIED: usize = 5;

/// Asks GitLab everything that watching needs. `unreadable` says why there is no token, if one is configured.
pub(super) async fn check(
    config: &Config,
    unreadable: Option<&str>,
    progress: &Progress,
    findings: &Findings,
) {
    let clock = Arc::new(ServerClock::default());
    let client = match client_for_checks(&config.gitlab, clock.clone()) {
        Ok(client) => client,
        Err(error) => return findings.error(error.to_string()),
    };
    let of_token = findings.also_about(Part::Token);
    if let Some(why) = unreadable {
        return of_token.error(format!("GitLab is not asked without the token: {why}"));
    }
    progress.says("GitLab's version");
    if !reach(config, &client, findings).await {
        return;
    }
    let mut kind = None;
    if let Some(secret) = &config.gitlab.token {
        if let Some(what) = token::no_api_token(secret) {
            return of_token.error(format!(
                "this is {what}; wanted a group, project or personal access token of scope `read_api`"
            ));
        }
        progress.says("the token");
        let told = token::ask(&client).await;
        kind = token::judge(&told, Purpose::Watch, clock.now(), &of_token);
        if told.user.is_err_and(|error| error.is_of_the_token()) && told.facts.is_err() {
            return;
        }
    } else {
        of_token.warn("there is none: only public projects can be watched");
    }
    progress.says("groups");
    let of_groups = findings.also_about(Part::Group);
    let listed = groups::list(&client, config, kind.as_ref(), &of_groups).await;
    let of_projects = findings.also_about(Part::Project);
    let (names, watched) = chosen(config, &listed, &of_projects);
    let seen = projects::look(&client, &config.watch, &names, progress, &of_projects).await;
    let of_refs = findings.also_about(Part::Ref);
    refs::check(&client, &config.watch, &seen, progress, &of_refs).await;
    let ids: Vec<u64> = seen.iter().map(|seen| seen.access.project.id).collect();
    let of_graphql = findings.also_about(Part::Graphql);
    graphql(&client, config, (&ids, watched), clock.now(), &of_graphql).await;
    rate::judge(config, watched, &findings.also_about(Part::Rate));
    let of_remediation = findings.also_about(Part::Remediation);
    remediation::check(config, &seen, progress, &of_remediation).await;
}

/// Whether GitLab answers, so that more can be asked.
async fn reach(config: &Config, client: &Client, findings: &Findings) -> bool {
    let url = config.gitlab.url.as_str().trim_end_matches('/');
    let error = match client.version().await {
        Ok(version) => {
            judge_version(&version, url, findings);
            return true;
        }
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::Unauthorized(_) if config.gitlab.token.is_none() => {
            findings.ok(format!(
                "{url} answers. It tells its version only to those who have a token"
            ));
            true
        }
        ErrorKind::Unauthorized(_) => {
            let of_token = findings.also_about(Part::Token);
            of_token.error(error.to_string());
            false
        }
        ErrorKind::Forbidden(_) => {
            findings.warn(format!(
                "{url} answers, and does not tell its version: {error}"
            ));
            true
        }
        ErrorKind::NotFound(_) => {
            findings.error(format!(
                "{url} has no GitLab API: {error}. Give `gitlab.url` the address of GitLab with its path, without /api/v4"
            ));
            false
        }
        _ => {
            findings.error(format!("{url}: {error}"));
            false
        }
    }
}

fn judge_version(version: &str, url: &str, findings: &Findings) {
    let mut numbers = version
        .split(['.', '-'])
        .map_while(|part| part.parse().ok());
    let (lowest, minor) = LOWEST;
    match (numbers.next(), numbers.next()) {
        (Some(found), Some(least)) if (found, least) < LOWEST => findings.warn(format!(
            "GitLab {version} at {url} is older than {lowest}.{minor}, the lowest release that is tested"
        )),
        (Some(_), Some(_)) => findings.ok(format!("GitLab {version} at {url} answers")),
        _ => findings.warn(format!(
            "{url} answers as version `{version}`, which is none of GitLab's; tested are {lowest}.{minor} and newer"
        )),
    }
}

/// The projects to look at: those that are named, then some of the groups', spread over all. And how many are watched.
fn chosen(
    config: &Config,
    listed: &BTreeMap<u64, Project>,
    findings: &Findings,
) -> (Vec<String>, usize) {
    let mut names = config.watch.projects.clone();
    let named = names.len();
    names.truncate(MOST_PROJECTS);
    let is_named = |project: &Project| {
        let mut named = config.watch.projects.iter();
        named.any(|name| **name == *project.path || *name == project.id.to_string())
    };
    let others: Vec<_> = listed.values().filter(|it| !is_named(it)).collect();
    let room = MOST_PROJECTS - names.len();
    let step = others.len().div_ceil(room.max(1)).max(1);
    let spread = others.iter().step_by(step).take(room);
    names.extend(spread.map(|project| project.id.to_string()));
    let all = named + others.len();
    if names.len() < all {
        findings.ok(format!(
            "{all} projects are watched, and {} of them are looked at here",
            names.len()
        ));
    }
    (names, all)
}

/// Whether GraphQL tells what moved in these projects, and what follows for `gitlab.api`.
async fn graphql(
    client: &Client,
    config: &Config,
    (ids, watched): (&[u64], usize),
    now: i64,
    findings: &Findings,
) {
    let (true, Some(now)) = (!ids.is_empty(), Timestamp::from_unix(now)) else {
        return;
    };
    let api = config.gitlab.api;
    if api == Api::Rest {
        return findings.ok("not asked: `gitlab.api` is `rest`, one request for each project");
    }
    let ids = &ids[..ids.len().min(TRIED)];
    let matters = api == Api::Graphql || watched >= FEWEST_PROJECTS;
    let error = match client.moved_pipelines(ids, now, Besides::default()).await {
        Ok(moved) if moved.of_projects.is_empty() => {
            "it tells nothing of the projects that REST shows".to_owned()
        }
        Ok(_) if matters => {
            return findings.ok("it tells which pipelines of many projects moved, in one request");
        }
        Ok(_) => {
            return findings.ok(format!(
                "it answers. `gitlab.api: auto` uses it from {FEWEST_PROJECTS} projects on"
            ));
        }
        Err(NotTold::TooMuch(error) | NotTold::Unsupported(error) | NotTold::Failed(error)) => {
            error.to_string()
        }
    };
    let level = if matters { Level::Warning } else { Level::Ok };
    let message =
        format!("it cannot be used, so polling takes a request for each project: {error}");
    findings.add(level, Vec::new(), message);
}
