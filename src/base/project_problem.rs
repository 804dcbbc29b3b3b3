//! Why a project is not watched as the configuration says.

use strum::{IntoStaticStr, VariantArray};

/// Why a project is not watched as the configuration says; the label `problem` of `project_problem_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ProjectProblem {
    /// GitLab does not show the default branch to this token.
    NoDefaultBranch,
    /// It is archived.
    Archived,
    /// It left its group's list, and GitLab no longer knows it.
    Gone,
    /// It left its group's list, and the token may not read it.
    Forbidden,
}

impl ProjectProblem {
    /// What was found, and what to do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoDefaultBranch => {
                "GitLab shows no default branch of this project to the token, so `default` in `watch.refs` matches nothing: \
                 the token may not read the code, which needs at least the Reporter role; give it that role, or name the \
                 branch in `watch.refs`"
            }
            Self::Archived => "this project is archived: it has no new pipelines",
            Self::Gone => {
                "this project left the list of its group, and GitLab no longer knows it or hides it from the token: \
                 it is not watched any more. If it was moved, watch its new group; if not, check the token's role there"
            }
            Self::Forbidden => {
                "this project left the list of its group, and the token may not read it: it is not watched any more. \
                 Give the token at least the Reporter role there"
            }
        }
    }

    /// Whether somebody has to act.
    pub fn is_trouble(self) -> bool {
        self != Self::Archived
    }
}
