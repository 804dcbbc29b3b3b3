//! Patterns of `watch.refs` that match no branch, no tag and no pipeline.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::patterns::doubt_of_regex;
use super::finding::{Findings, Level};
use super::progress::Progress;
use super::projects::{NEWEST, Seen};
use crate::config::{Pattern, Watch};
use crate::gitlab::Client;

/// Most projects whose branches and tags are listed: two requests each.
const MOST_LISTED: usize = 10;

/// Branches and tags of a project that are looked at: one page of each.
const MOST_NAMES: usize = 100;

/// Holds each pattern against the refs that exist.
pub(super) async fn check(
    client: &Client,
    watch: &Watch,
    seen: &[Seen],
    progress: &Progress,
    findings: &Findings,
) {
    if seen.is_empty() {
        return;
    }
    let of_pipelines: BTreeSet<Arc<str>> = seen
        .iter()
        .flat_map(|seen| seen.pipelines.iter().map(|it| it.ref_name.clone()))
        .collect();
    let matches = |pattern: &Pattern, names: &BTreeSet<Arc<str>>| {
        names.iter().filter(|name| pattern.matches(name)).count()
    };
    let mut unmatched = Vec::new();
    for pattern in watch.refs.patterns() {
        match matches(pattern, &of_pipelines) {
            0 => unmatched.push(pattern),
            count => tell(
                findings,
                Level::Ok,
                pattern,
                format!("matches {count} of the refs with pipelines"),
            ),
        }
    }
    if unmatched.is_empty() {
        return;
    }
    progress.says("branches and tags");
    let listed = branches_and_tags(client, seen).await;
    for pattern in unmatched {
        let count = matches(pattern, &listed);
        if count > 0 {
            let message = format!(
                "matches {count} branches and tags, none of which has one of the newest {NEWEST} pipelines of its project"
            );
            tell(findings, Level::Ok, pattern, message);
            continue;
        }
        let doubt = doubt_of_regex(pattern.text());
        let doubt = doubt.map_or_else(
            || {
                "It has to match the whole name of a branch or tag, as a regular expression"
                    .to_owned()
            },
            |doubt| format!("It says: {doubt}"),
        );
        let (projects, named) = (seen.len(), seen.len().min(MOST_LISTED));
        let message = format!(
            "matches nothing: neither a ref of the newest {NEWEST} pipelines of {projects} projects, nor one of the first \
             {MOST_NAMES} branches and tags of {named}. {doubt}"
        );
        tell(findings, Level::Warning, pattern, message);
    }
}

fn tell(findings: &Findings, level: Level, pattern: &Pattern, message: String) {
    findings.add(level, vec![pattern.text().to_owned()], message);
}

/// What cannot be listed is left out: that the token may read the repository is judged by the default branch.
async fn branches_and_tags(client: &Client, seen: &[Seen]) -> BTreeSet<Arc<str>> {
    let mut names = BTreeSet::new();
    for seen in seen.iter().take(MOST_LISTED) {
        let id = seen.access.project.id;
        for listing in [
            client.branches(id, MOST_NAMES).await,
            client.tags(id, MOST_NAMES).await,
        ]
        .into_iter()
        .flatten()
        {
            names.extend(listing.items.into_iter().map(|git_ref| git_ref.name));
        }
    }
    names
}
