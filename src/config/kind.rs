//! What a key of the configuration takes, and the words for it.

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A duration of at least this.
    Duration {
        /// Shortest duration accepted.
        least: &'static str,
    },
    /// A whole number.
    Count {
        /// Smallest accepted.
        least: usize,
        /// Largest accepted.
        most: usize,
    },
    /// A number above 0.
    Rate {
        /// Largest accepted.
        most: f64,
    },
    /// True or false.
    Bool,
    /// A text of some form.
    Text(Form),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these.
    List(&'static Kind),
}

/// A form of text.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// What it is called.
    pub name: &'static str,
    /// What a message says is wanted.
    pub wanted: &'static str,
    /// Whether a bare number is read as its digits.
    pub numeric: bool,
    /// Whether a token may stand here by mistake, which no message may show.
    pub discreet: bool,
}

impl Kind {
    pub(super) const URL: Self = Self::text(
        "URL",
        "the address of a GitLab, such as `https://gitlab.com`",
    );
    pub(super) const TOKEN_FILE: Self =
        Self::file("the path of a file that holds an access token and nothing else");
    pub(super) const HOOK_TOKEN_FILE: Self =
        Self::file("the path of a file that holds a secret token and nothing else");
    pub(super) const SIGNING_KEY_FILE: Self = Self::file(
        "the path of a file that holds a signing token, `whsec_` and base64, and nothing else",
    );
    pub(super) const CA_FILE: Self = Self::file("the path of a PEM file with certificates");
    pub(super) const DIRECTORY: Self = Self::text("directory", "the path of a directory");
    pub(super) const BUCKET: Self = Self::text("text", "the name of a bucket");
    pub(super) const PREFIX: Self = Self::text("text", "the beginning of the objects' names");
    pub(super) const REGION: Self = Self::text("text", "a region such as `eu-central-1`");
    pub(super) const ENDPOINT: Self = Self::text(
        "URL",
        "the address of a store, such as `https://minio.example.com:9000`",
    );
    pub(super) const PROMETHEUS_URL: Self = Self::text(
        "URL",
        "the address of a Prometheus, such as `http://127.0.0.1:9090`",
    );
    pub(super) const ALERTMANAGER_URL: Self = Self::text(
        "URL",
        "the address of an Alertmanager, such as `http://127.0.0.1:9093`",
    );
    pub(super) const KMS_KEY: Self = Self::text("text", "the id or ARN of a KMS key");
    pub(super) const ENCRYPTION: Self = Self::Choice(super::store::ENCRYPTIONS);
    pub(super) const TEAM: Self = Self::text("text", "the name of a team");
    pub(super) const FAILURE_CLASS: Self = Self::Choice(&[
        "script",
        "infrastructure",
        "timeout",
        "dependency",
        "configuration",
        "policy",
        "unknown",
    ]);
    pub(super) const OWNERS_FILE: Self = Self::text(
        "file",
        "the path of a file with lines such as `deploy-* @sre`",
    );
    pub(super) const REPOSITORY_FILE: Self = Self::text(
        "path in a repository",
        "the path of a file in a repository, such as `.gitlab/JOBOWNERS`",
    );
    pub(super) const REGEX: Self = Self::text(
        "regular expression",
        "a regular expression such as `build-.*`",
    );
    pub(super) const GLOB: Self = Self::text("glob", "a glob such as `deploy-*`");
    pub(super) const PATH_GLOB: Self = Self::text("glob", "a glob such as `platform/attic/**`");
    pub(super) const REF: Self = Self::text(
        "`default` or regular expression",
        "`default` or a regular expression such as `release/.*`",
    );
    pub(super) const ADDRESS: Self = Self::text(
        "`[host]:port`",
        "an address to listen on, such as `:10141` or `127.0.0.1:10141`",
    );
    pub(super) const PROJECT: Self = Self::Text(Form {
        name: "path or id",
        wanted: "a project's path such as `group/app`, or its numeric id",
        numeric: true,
        discreet: false,
    });
    pub(super) const GROUP: Self = Self::Text(Form {
        name: "path or id",
        wanted: "a group's path such as `platform/backend`, or its numeric id",
        numeric: true,
        discreet: false,
    });
    pub(super) const SHARD: Self = Self::text(
        "`number/count`",
        "a shard's number and how many there are, such as `2/8`",
    );
    pub(super) const SOURCE: Self = Self::Choice(SOURCES);

    const fn file(wanted: &'static str) -> Self {
        Self::Text(Form {
            name: "file",
            wanted,
            numeric: false,
            discreet: true,
        })
    }

    const fn text(name: &'static str, wanted: &'static str) -> Self {
        Self::Text(Form {
            name,
            wanted,
            numeric: false,
            discreet: false,
        })
    }

    /// What a message says is wanted.
    pub fn wanted(&self) -> String {
        match self {
            Self::Duration { least } => {
                format!("a duration of at least {least}, such as `30s`, `5m` or `1h30m`")
            }
            Self::Count { least, most } => format!("a whole number from {least} to {most}"),
            Self::Rate { most } => format!("a number above 0, at most {most}"),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Text(form) => form.wanted.to_owned(),
            Self::Choice([first, second]) => format!("`{first}` or `{second}`"),
            Self::Choice(words) => format!("one of {}", quoted(words)),
            Self::List(_) => format!("a list of {}", self.name().trim_start_matches("list of ")),
        }
    }

    /// What the docs call it.
    pub fn name(&self) -> String {
        match self {
            Self::Duration { .. } => "duration".to_owned(),
            Self::Count { least, most } => format!("whole number, {least} to {most}"),
            Self::Rate { most } => format!("number, above 0 to {most}"),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Text(form) => form.name.to_owned(),
            Self::Choice(words) => quoted(words),
            Self::List(Self::Text(form)) => match form.name {
                "path or id" => "list of paths or ids".to_owned(),
                "`default` or regular expression" => {
                    "list of `default` or regular expressions".to_owned()
                }
                name => format!("list of {name}s"),
            },
            Self::List(item) => format!("list of {}", item.name()),
        }
    }
}

/// What can start a pipeline, as GitLab names it.
///
/// `parent_pipeline` is not among them: GitLab leaves child pipelines out of its lists.
const SOURCES: &[&str] = &[
    "push",
    "web",
    "api",
    "schedule",
    "trigger",
    "chat",
    "webide",
    "pipeline",
    "merge_request_event",
    "external",
    "external_pull_request_event",
    "ondemand_dast_scan",
    "ondemand_dast_validation",
    "security_orchestration_policy",
    "container_registry_push",
    "duo_workflow",
    "pipeline_execution_policy_schedule",
    "unknown",
];

fn quoted(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
