//! Types whose objects are known whole: users, stages, commits, pages.

use super::super::schema::{Field, Resolve, Returns, plain};

const fn entry(name: &'static str, scalar: &'static str) -> Field {
    plain(name, Returns::Scalar(scalar), Resolve::Entry)
}

pub(super) const PAGE_INFO: &[Field] = &[
    entry("hasNextPage", "Boolean"),
    entry("hasPreviousPage", "Boolean"),
    entry("startCursor", "String"),
    entry("endCursor", "String"),
];

pub(super) const QUERY_COMPLEXITY: &[Field] = &[entry("score", "Int"), entry("limit", "Int")];

pub(super) const METADATA: &[Field] = &[
    entry("version", "String"),
    entry("revision", "String"),
    entry("enterprise", "Boolean"),
];

pub(super) const USER: &[Field] = &[
    entry("id", "UserID"),
    entry("username", "String"),
    entry("name", "String"),
    entry("state", "UserState"),
    entry("bot", "Boolean"),
    entry("webUrl", "String"),
];

pub(super) const STAGE: &[Field] = &[entry("id", "CiStageID"), entry("name", "String")];

pub(super) const COMMIT: &[Field] = &[
    entry("id", "ID"),
    entry("sha", "String"),
    entry("shortId", "String"),
    entry("title", "String"),
    entry("message", "String"),
    entry("authorName", "String"),
    entry("authoredDate", "Time"),
    entry("webUrl", "String"),
];

pub(super) const TRACE: &[Field] = &[entry("htmlSummary", "String").asking_gitaly()];

pub(super) const PROJECT_PERMISSIONS: &[Field] = &[
    entry("readProject", "Boolean"),
    entry("readCommitStatus", "Boolean"),
];
