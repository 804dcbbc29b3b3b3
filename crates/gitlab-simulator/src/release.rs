//! Releases of GitLab, and what their APIs lack of the newest one.
//!
//! Each difference is documented by GitLab: `docs/gitlab-versions.md` lists the sources. A release before 15.0 is not known.

use std::fmt;

use serde_json::Value;

/// A release of GitLab, such as 16.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// 16 of 16.8.
    pub major: u16,
    /// 8 of 16.8.
    pub minor: u16,
}

/// A field of a record of REST.
struct RestField {
    since: Release,
    /// The end of the endpoints that have it.
    of: &'static [&'static str],
    name: &'static str,
}

/// Records of jobs. Trigger jobs have the same fields as far as they are listed here.
const JOBS: &[&str] = &["/jobs", "/jobs/:jid", "/bridges"];
const PIPELINES: &[&str] = &["/pipelines", "/pipelines/:pid"];

const REST_FIELDS: [RestField; 4] = [
    field(15, 6, &["/metadata", "/version"], "enterprise"),
    field(15, 11, JOBS, "erased_at"),
    field(16, 3, PIPELINES, "name"),
    field(16, 8, JOBS, "archived"),
];

/// Fields of GraphQL.
const GRAPHQL: [(Release, &str); 1] = [(Release::new(16, 0), "CiJob.failureMessage")];

/// Routes of REST, by the name of their endpoint.
const ROUTES: [(Release, &str); 2] = [
    (Release::new(15, 2), "GET /metadata"),
    (Release::new(15, 1), "GET /personal_access_tokens/self"),
];

/// Until then GitLab takes `self` for the id of a token, which nobody has.
const TELLS_OWN_TOKEN: Release = Release::new(15, 5);

const fn field(
    major: u16,
    minor: u16,
    of: &'static [&'static str],
    name: &'static str,
) -> RestField {
    RestField {
        since: Release::new(major, minor),
        of,
        name,
    }
}

impl Release {
    /// A release by its two numbers.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether the release has a route of REST.
    pub(super) fn has_route(self, endpoint: &str) -> bool {
        let mut routes = ROUTES.iter();
        routes.all(|(since, route)| self >= *since || *route != endpoint)
    }

    /// Takes out of an answer of REST what the release does not know.
    pub(super) fn prune(self, endpoint: &str, answer: &mut Value) {
        let unknown = REST_FIELDS.iter().filter(|field| {
            self < field.since && field.of.iter().any(|end| endpoint.ends_with(end))
        });
        for field in unknown {
            match &mut *answer {
                Value::Array(records) => records.iter_mut().for_each(|it| remove(it, field.name)),
                record => remove(record, field.name),
            }
        }
    }

    /// Whether a token can ask about itself.
    pub(super) fn tells_own_token(self) -> bool {
        self >= TELLS_OWN_TOKEN
    }

    /// The fields and arguments of GraphQL that the release does not know.
    pub fn unknown_to_graphql(self) -> impl Iterator<Item = &'static str> {
        let later = GRAPHQL.into_iter().filter(move |(since, _)| self < *since);
        later.map(|(_, name)| name)
    }

    /// Whether `source: "parent_pipeline"` finds child pipelines in lists of GraphQL.
    pub fn lists_children(self) -> bool {
        self >= Self::new(17, 0)
    }
}

impl Default for Release {
    fn default() -> Self {
        Self::new(18, 4)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.0", self.major, self.minor)
    }
}

fn remove(record: &mut Value, name: &str) {
    if let Value::Object(fields) = record {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_release_lacks_what_came_later() {
        let endpoint = "GET /projects/:id/pipelines/:pid/jobs";
        let jobs = || json!([{"id": 1, "archived": false, "erased_at": null}]);
        for (release, wanted) in [
            (Release::new(15, 0), json!([{"id": 1}])),
            (Release::new(16, 0), json!([{"id": 1, "erased_at": null}])),
            (Release::new(19, 0), jobs()),
        ] {
            let mut answer = jobs();
            release.prune(endpoint, &mut answer);
            assert_eq!(answer, wanted, "{release}");
        }
        assert!(!Release::new(15, 1).has_route("GET /metadata"));
        assert!(Release::new(15, 2).has_route("GET /metadata"));
        let unknown = |release: Release| release.unknown_to_graphql().count();
        assert_eq!(unknown(Release::new(15, 11)), 1);
        assert_eq!(unknown(Release::new(16, 0)), 0);
    }
}
