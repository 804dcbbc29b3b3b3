//! Every key of the configuration, written down once: the reader, the messages and the docs use it.

use super::kind::Kind;

/// One key that takes a value (sections are what the paths share).
#[derive(Debug)]
pub struct Key {
    /// Where it stands; `[]` is any item of a list.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds where it is not given.
    pub absence: Absence,
    /// What it means, in Markdown.
    pub doc: &'static str,
}

/// What holds where a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// This value, in YAML.
    Default(&'static str),
    /// What the preset says; this value in the preset `default`.
    Preset(&'static str),
    /// Nothing.
    Optional,
    /// A problem.
    Required,
}

/// Every key, in the order of the docs.
pub const KEYS: &[Key] = &[
    Key {
        path: "gitlab.url",
        kind: Kind::URL,
        absence: Absence::Default("https://gitlab.com"),
        doc: "The GitLab to watch, without `/api/v4`. Flag: `--gitlab.url`.",
    },
    Key {
        path: "gitlab.token_file",
        kind: Kind::TOKEN_FILE,
        absence: Absence::Optional,
        doc: "File with an access token of scope `read_api`. Without it the environment's `GITLAB_TOKEN` is taken; where both are given, the file. Without any token only public projects can be watched.",
    },
    Key {
        path: "gitlab.ca_file",
        kind: Kind::CA_FILE,
        absence: Absence::Optional,
        doc: "PEM file with certificate authorities to trust besides the usual ones.",
    },
    Key {
        path: "gitlab.timeout",
        kind: Kind::Duration { least: "100ms" },
        absence: Absence::Default("10s"),
        doc: "Longest time one request may take.",
    },
    Key {
        path: "gitlab.requests_per_second",
        kind: Kind::Rate { most: 1000.0 },
        absence: Absence::Default("10"),
        doc: "Most requests a second, over all projects.",
    },
    Key {
        path: "watch.interval",
        kind: Kind::Duration { least: "100ms" },
        absence: Absence::Default("30s"),
        doc: "Time between two polls of a project in which something is going on.",
    },
    Key {
        path: "watch.idle_interval",
        kind: Kind::Duration { least: "100ms" },
        absence: Absence::Default("5m"),
        doc: "Time between two polls of a quiet project; not below `watch.interval`.",
    },
    Key {
        path: "watch.projects",
        kind: Kind::List(&Kind::PROJECT),
        absence: Absence::Default("[]"),
        doc: "Projects to watch. Flag: `--project`, which can be repeated.",
    },
    Key {
        path: "watch.groups[].path",
        kind: Kind::GROUP,
        absence: Absence::Required,
        doc: "A group whose projects are watched, archived ones left out. Flag: `--group`, which can be repeated.",
    },
    Key {
        path: "watch.groups[].include_subgroups",
        kind: Kind::Bool,
        absence: Absence::Default("true"),
        doc: "Whether the projects of its subgroups are watched too.",
    },
    Key {
        path: "watch.groups[].exclude",
        kind: Kind::List(&Kind::PATH_GLOB),
        absence: Absence::Default("[]"),
        doc: "Projects of the group to leave out, by their whole path. `*` stays within one part of the path, `**` does not.",
    },
    Key {
        path: "watch.refs",
        kind: Kind::List(&Kind::REF),
        absence: Absence::Default("[default]"),
        doc: "Branches and tags to watch: `default` is each project's default branch, anything else a regular expression that must match the whole name.",
    },
    Key {
        path: "watch.sources",
        kind: Kind::List(&Kind::SOURCE),
        absence: Absence::Default("[push, web, api, schedule, trigger, chat, webide]"),
        doc: "What must have started a pipeline for it to count. Merge requests (`merge_request_event`) and downstream pipelines (`pipeline`) are out unless listed.",
    },
    Key {
        path: "watch.jobs.include",
        kind: Kind::List(&Kind::REGEX),
        absence: Absence::Default("['.*']"),
        doc: "Jobs to keep: one of these must match the whole name.",
    },
    Key {
        path: "watch.jobs.exclude",
        kind: Kind::List(&Kind::REGEX),
        absence: Absence::Default("[]"),
        doc: "Jobs to leave out, also where `include` matches; matched against the whole name.",
    },
    Key {
        path: "watch.child_pipelines",
        kind: Kind::Choice(&["follow", "ignore"]),
        absence: Absence::Preset("follow"),
        doc: "Whether trigger jobs count, and the jobs of the child pipelines they start, which are named `trigger job / job` under the parent's ref. Following costs one more request for each new pipeline, and for each child of one that is read.",
    },
    Key {
        path: "watch.schedules",
        kind: Kind::Bool,
        absence: Absence::Default("true"),
        doc: "Whether pipeline schedules of the watched refs are read, for the `schedule_*` series: a request every second `watch.idle_interval`, every twelfth where a project has none, and up to two for each run.",
    },
    Key {
        path: "watch.backfill.pipelines",
        kind: Kind::Count {
            least: 0,
            most: 1000,
        },
        absence: Absence::Default("50"),
        doc: "How many past pipelines of each ref are read when it is seen for the first time. With `days` given and this not, as many as moved in these days, up to 1000.",
    },
    Key {
        path: "watch.backfill.days",
        kind: Kind::Count {
            least: 1,
            most: 365,
        },
        absence: Absence::Optional,
        doc: "Past pipelines of a new ref that did not move for this many days are not read. Given with `pipelines`, whichever ends first.",
    },
    Key {
        path: "watch.shard",
        kind: Kind::SHARD,
        absence: Absence::Default("1/1"),
        doc: "Which part of the projects is this process' own: `2/8` is the second of eight. See [Shards](#shards). Flag: `--shard`.",
    },
    Key {
        path: "counting.preset",
        kind: Kind::Choice(&["default", "datadog-agent"]),
        absence: Absence::Default("default"),
        doc: "What holds for the keys of `counting` that are not given: the defaults of this table, or what datadog-agent's notify task did (`late_pipelines: skip`, `absent_jobs: pass`, `job_names: datadog-agent`, `never_failed_jobs: ignore`). The latter also makes `watch.child_pipelines: ignore` the default.",
    },
    Key {
        path: "counting.window",
        kind: Kind::Count {
            least: 1,
            most: 1000,
        },
        absence: Absence::Preset("10"),
        doc: "How many of a job's last executions its ratio looks at.",
    },
    Key {
        path: "counting.late_pipelines",
        kind: Kind::Choice(&["insert", "skip"]),
        absence: Absence::Preset("insert"),
        doc: "A pipeline that arrives after a newer one has finished: its executions go to their place, or are left out.",
    },
    Key {
        path: "counting.absent_jobs",
        kind: Kind::Choice(&["ignore", "pass"]),
        absence: Absence::Preset("ignore"),
        doc: "A known job that did not run in a finished pipeline: nothing, or a pass.",
    },
    Key {
        path: "counting.infrastructure_failures",
        kind: Kind::Choice(&["count", "ignore"]),
        absence: Absence::Preset("count"),
        doc: "Failures that a runner or GitLab caused: failures as any other, or no outcome.",
    },
    Key {
        path: "counting.job_names",
        kind: Kind::Choice(&["full", "grouped", "datadog-agent"]),
        absence: Absence::Preset("full"),
        doc: "What makes two jobs one: the whole name, the name without its matrix or parallel suffix, or the name cut at the first `:` and at 48 characters.",
    },
    Key {
        path: "counting.never_failed_jobs",
        kind: Kind::Choice(&["track", "ignore"]),
        absence: Absence::Preset("track"),
        doc: "Jobs that have never failed: they have a history (and a last success), or none until they fail.",
    },
    Key {
        path: "classification.read_logs",
        kind: Kind::Bool,
        absence: Absence::Default("true"),
        doc: "Whether the end of a failing job's log is read, to tell its `failure_class` and to show its last lines on the job's page, secrets masked. One request for each job that newly fails.",
    },
    Key {
        path: "classification.log_reads_per_minute",
        kind: Kind::Count {
            least: 1,
            most: 600,
        },
        absence: Absence::Default("30"),
        doc: "Most logs read a minute, over all projects; the others wait.",
    },
    Key {
        path: "classification.rules[].match",
        kind: Kind::REGEX,
        absence: Absence::Required,
        doc: "What is looked for in the last 64 KiB of a log, colours and section markers taken out; anywhere in it. The first rule that is found counts, and these come before the built-in ones. Only where GitLab's own reason is `script_failure`, unknown or missing.",
    },
    Key {
        path: "classification.rules[].class",
        kind: Kind::FAILURE_CLASS,
        absence: Absence::Required,
        doc: "The `failure_class` of such a failure.",
    },
    Key {
        path: "owners.file",
        kind: Kind::OWNERS_FILE,
        absence: Absence::Optional,
        doc: "File that says whose a job is, in the syntax of CODEOWNERS with job names in place of paths: `deploy-* @sre`. A relative path starts at the configuration's directory.",
    },
    Key {
        path: "owners.repository_file",
        kind: Kind::REPOSITORY_FILE,
        absence: Absence::Optional,
        doc: "Path of such a file in each project's repository, for example `.gitlab/JOBOWNERS`. It is read from the default branch about every 10 minutes, may be missing, and goes over `owners.file`.",
    },
    Key {
        path: "owners.rules[].jobs",
        kind: Kind::GLOB,
        absence: Absence::Required,
        doc: "Job names that belong to a team. As in CODEOWNERS, the last rule that matches wins. Rules go over both files.",
    },
    Key {
        path: "owners.rules[].projects",
        kind: Kind::PATH_GLOB,
        absence: Absence::Optional,
        doc: "Project paths for which the rule holds; without it, all. `*` stays within one part of the path, `**` does not.",
    },
    Key {
        path: "owners.rules[].team",
        kind: Kind::TEAM,
        absence: Absence::Required,
        doc: "The team: the label `team` of `job_info`.",
    },
    Key {
        path: "store.directory",
        kind: Kind::DIRECTORY,
        absence: Absence::Default("./state"),
        doc: "Where the state is kept; made if missing. A relative path starts at the working directory. Flag: `--store.directory`, which also goes over `store.s3`.",
    },
    Key {
        path: "store.s3.bucket",
        kind: Kind::BUCKET,
        absence: Absence::Required,
        doc: "Bucket that keeps the state, in place of a directory. It must be there. Several replicas may share it.",
    },
    Key {
        path: "store.s3.prefix",
        kind: Kind::PREFIX,
        absence: Absence::Default("''"),
        doc: "What the names of all objects begin with; a `/` is put after it.",
    },
    Key {
        path: "store.s3.region",
        kind: Kind::REGION,
        absence: Absence::Optional,
        doc: "Region of the bucket. Without it that of the environment (`AWS_REGION`), the profile or the instance; with `endpoint_url` and none of these, `us-east-1`.",
    },
    Key {
        path: "store.s3.endpoint_url",
        kind: Kind::ENDPOINT,
        absence: Absence::Optional,
        doc: "Address of a store that is not AWS'.",
    },
    Key {
        path: "store.s3.force_path_style",
        kind: Kind::Bool,
        absence: Absence::Default("false"),
        doc: "Whether the bucket goes into the path of the address, as many stores want it, and not into the name of the host.",
    },
    Key {
        path: "store.s3.server_side_encryption",
        kind: Kind::ENCRYPTION,
        absence: Absence::Optional,
        doc: "How the store encrypts the documents; without it, as the bucket says.",
    },
    Key {
        path: "store.s3.kms_key_id",
        kind: Kind::KMS_KEY,
        absence: Absence::Optional,
        doc: "KMS key to encrypt with; without it, the account's own for S3. Only with `aws:kms` or `aws:kms:dsse`.",
    },
    Key {
        path: "store.s3.timeout",
        kind: Kind::Duration { least: "100ms" },
        absence: Absence::Default("5s"),
        doc: "Longest time one attempt of a request may take. There are up to three, within twice this time.",
    },
    Key {
        path: "store.save_interval",
        kind: Kind::Duration { least: "100ms" },
        absence: Absence::Default("10s"),
        doc: "Longest time a change waits before it is saved.",
    },
    Key {
        path: "webhooks.gitlab.token_file",
        kind: Kind::HOOK_TOKEN_FILE,
        absence: Absence::Optional,
        doc: "File with the secret token of GitLab's webhooks, which opens `POST /hooks/gitlab`. One of this and `signing_key_file` is needed; where both are given, a webhook needs both.",
    },
    Key {
        path: "webhooks.gitlab.signing_key_file",
        kind: Kind::SIGNING_KEY_FILE,
        absence: Absence::Optional,
        doc: "File with the signing token of GitLab's webhooks (GitLab 19.0 and newer).",
    },
    Key {
        path: "prometheus.url",
        kind: Kind::PROMETHEUS_URL,
        absence: Absence::Optional,
        doc: "Address of the Prometheus that evaluates the alert rules, for commands that ask which alerts are pending or firing. Not needed to run the exporter.",
    },
    Key {
        path: "alertmanager.url",
        kind: Kind::ALERTMANAGER_URL,
        absence: Absence::Optional,
        doc: "Address of the Alertmanager, for commands that ask about silences, inhibition and receivers. Not needed to run the exporter.",
    },
    Key {
        path: "retention",
        kind: Kind::Duration { least: "1s" },
        absence: Absence::Default("30d"),
        doc: "What was not heard of for this long is forgotten, with its series and its document: a job, a branch, a project that is watched no more. Time is GitLab's.",
    },
    Key {
        path: "web.listen_address",
        kind: Kind::ADDRESS,
        absence: Absence::Default(":10141"),
        doc: "Where `/metrics` is served; without a host, on all interfaces. Flag: `--web.listen-address`.",
    },
];

/// The key at `path`, if there is one.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Names that may stand in the section `path` (empty for the top), in the order of the docs.
pub fn children(path: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in KEYS {
        let inside = match path {
            "" => Some(key.path),
            _ => key
                .path
                .strip_prefix(path)
                .and_then(|rest| rest.strip_prefix('.')),
        };
        let name = inside.and_then(|rest| rest.split(['.', '[']).next());
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}
