//! The queries that scores are known of.

/// Projects by ids with their moved pipelines and children.
pub(super) const BY_IDS: &str = r#"
query Moved($ids: [ID!], $since: Time!, $n: Int) {
  queryComplexity { score limit }
  projects(ids: $ids, first: 100) { nodes { id fullPath
      moved: pipelines(updatedAfter: $since, first: $n) {
        nodes { id iid status ref sha source createdAt updatedAt path } pageInfo { hasNextPage endCursor } }
      kids: pipelines(source: "parent_pipeline", updatedAfter: $since, first: $n) {
        nodes { id iid status updatedAt upstream { id } } pageInfo { hasNextPage endCursor } } }
    pageInfo { hasNextPage endCursor } } }
"#;

/// The same for a group with subgroups.
pub(super) const OF_GROUP: &str = r#"
query Moved($g: ID!, $c: String, $since: Time!, $n: Int) {
  queryComplexity { score limit }
  group(fullPath: $g) { projects(includeSubgroups: true, first: 100, after: $c) { nodes { id fullPath
      moved: pipelines(updatedAfter: $since, first: $n) {
        nodes { id iid status ref sha source createdAt updatedAt path } pageInfo { hasNextPage endCursor } }
      kids: pipelines(source: "parent_pipeline", updatedAfter: $since, first: $n) {
        nodes { id iid status updatedAt upstream { id } } pageInfo { hasNextPage endCursor } } }
    pageInfo { hasNextPage endCursor } } } }
"#;

/// The least that says what moved.
pub(super) const MINIMAL: &str = r"
query Moved($ids: [ID!], $since: Time!, $n: Int) {
  projects(ids: $ids, first: 100) { nodes { id
      pipelines(updatedAfter: $since, first: $n) {
        nodes { id status updatedAt } pageInfo { hasNextPage } } }
    pageInfo { hasNextPage endCursor } } }
";

/// Busy projects with their moved pipelines and all their jobs.
pub(super) const BUSY: &str = r"
query Busy($ids: [ID!], $since: Time!, $p: Int, $n: Int, $j: Int) {
  projects(ids: $ids, first: $p) { nodes { id pipelines(updatedAfter: $since, first: $n) {
        nodes { ...P } pageInfo { hasNextPage endCursor } } } pageInfo { hasNextPage endCursor } } }
fragment P on Pipeline { id iid status duration updatedAt
  jobs(first: $j) { nodes { ...J } pageInfo { hasNextPage endCursor } } }
";

/// The schedules of a project.
pub(super) const SCHEDULES: &str = r"
query Schedules($path: ID!) { project(fullPath: $path) { id pipelineSchedules(first: 100) {
  nodes { id description refForDisplay active nextRunAt realNextRun cron cronTimezone
    lastPipeline { id iid status createdAt } }
  pageInfo { hasNextPage endCursor } } } }
";

/// The fields of a job.
pub(super) const JOB: &str = r"
fragment J on CiJob { id name kind status allowFailure retried failureMessage createdAt startedAt finishedAt
  duration queuedDuration webPath stage { name }
  downstreamPipeline { id iid status source updatedAt path project { id } } }
";

/// The jobs of pipelines of a project, which are named by `iid`, one alias each.
pub(super) fn jobs_of(iids: &[u64]) -> String {
    let alias = |iid: &u64| format!("p{iid}: pipeline(iid: \"{iid}\") {{ ...P }}");
    let aliases = iids.iter().map(alias).collect::<Vec<_>>().join(" ");
    let pipeline = "fragment P on Pipeline { id iid status duration updatedAt
        jobs(first: 100) { nodes { ...J } pageInfo { hasNextPage endCursor } } }";
    format!(
        "query Jobs($path: ID!) {{ project(fullPath: $path) {{ id {aliases} }} }} {pipeline} {JOB}"
    )
}
