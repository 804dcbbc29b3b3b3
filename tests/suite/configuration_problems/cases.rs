//! Each bad file of `tests/data/config`, and its problems as `line: path: message`.

pub(super) const CASES: &[(&str, &[&str])] = &[
    (
        "backfill-too-large",
        &[
            "1: watch.backfill.pipelines: found the number 5000, wanted a whole number from 0 to 1000",
        ],
    ),
    (
        "ca-file-is-no-certificate",
        &[
            "2: gitlab.ca_file: found `token.empty` (the file holds no PEM certificate), wanted the path of a PEM file with certificates",
        ],
    ),
    (
        "document-is-a-list",
        &[
            "1: found a list, wanted a mapping with gitlab, watch, counting, classification, owners, store, webhooks, remediation, limits, prometheus, alertmanager, metrics, retention, clock_jump_hold, web",
        ],
    ),
    (
        "duration-too-short",
        &[
            "1: watch.interval: found `10ms`, wanted a duration of at least 100ms, such as `30s`, `5m` or `1h30m`",
        ],
    ),
    (
        "duration-with-unknown-unit",
        &[
            "1: watch.interval: found `5min` (`min` is no unit: y, w, d, h, m, s or ms), wanted a duration of at least 100ms, such as `30s`, `5m` or `1h30m`",
        ],
    ),
    (
        "duration-without-unit",
        &[
            "1: watch.interval: found the number 30 (a unit is missing), wanted a duration of at least 100ms, such as `30s`, `5m` or `1h30m`",
        ],
    ),
    (
        "five-mistakes",
        &[
            "2: gitlab.url: found `gitlab.example.com` (`https://` is missing), wanted the address of a GitLab, such as `https://gitlab.com`",
            "4: watch.interval: found the number 30 (a unit is missing), wanted a duration of at least 100ms, such as `30s`, `5m` or `1h30m`",
            "9: watch.groups[1].exclude[0]: found `web/[attic` (unclosed character class; missing ']'), wanted a glob such as `platform/attic/**`",
            "10: watch.refs[1]: found `release/(` (unclosed group), wanted `default` or a regular expression such as `release/.*`",
            "12: counting.windows: unknown key; did you mean `window`? valid here: preset, window, late_pipelines, absent_jobs, infrastructure_failures, outdated_deployments, job_names, never_failed_jobs, absent_after",
        ],
    ),
    (
        "classification-rule-is-wrong",
        &[
            "4: classification.log_reads_per_minute: found the number 0, wanted a whole number from 1 to 600",
            "6: classification.rules[0].match: found `(no space` (unclosed group), wanted a regular expression such as `build-.*`",
            "6: classification.rules[0].class: found `infra` (did you mean `infrastructure`?), wanted one of `script`, `infrastructure`, `timeout`, `dependency`, `configuration`, `policy`, `unknown`",
        ],
    ),
    (
        "flag-is-text",
        &["4: watch.groups[0].include_subgroups: found `yes please`, wanted `true` or `false`"],
    ),
    (
        "group-exclude-is-no-glob",
        &[
            "6: watch.groups[1].exclude[0]: found `web/[attic` (unclosed character class; missing ']'), wanted a glob such as `platform/attic/**`",
        ],
    ),
    (
        "group-without-path",
        &[
            "3: watch.groups[0].path: missing; wanted a group's path such as `platform/backend`, or its numeric id",
        ],
    ),
    (
        "groups-is-not-a-list-of-mappings",
        &[
            "1: watch.groups[0]: found `platform`, wanted a mapping with path, include_subgroups, exclude",
        ],
    ),
    (
        "idle-interval-below-interval",
        &["4: watch.idle_interval: found `30s`, wanted at least watch.interval, which is `1m`"],
    ),
    (
        "job-is-no-pattern",
        &[
            "1: watch.jobs.include[0]: found `*` (repetition operator missing expression), wanted a regular expression such as `build-.*`",
            "1: watch.jobs.exclude[0]: found `docs-[` (unclosed character class), wanted a regular expression such as `build-.*`",
        ],
    ),
    (
        "key-given-twice",
        &["4: watch.interval: given twice, first on line 3; keep one"],
    ),
    (
        "key-of-a-later-version",
        &[
            "3: watch.merge_trains: unknown key; did you mean `merge_requests`? valid here: interval, idle_interval, hooked_interval, projects, groups, refs, sources, tracks, merge_requests, jobs, child_pipelines, schedules, backfill, shard",
            "5: store.gcs: unknown key; valid here: directory, s3, save_interval, compress",
            "7: owners.directory: unknown key; valid here: file, repository_file, rules",
        ],
    ),
    (
        "listen-address-ipv6-without-brackets",
        &[
            "2: web.listen_address: found `::1:10141` (an IPv6 address goes in brackets, as in `[::1]:10141`), wanted an address to listen on, such as `:10141` or `127.0.0.1:10141`",
        ],
    ),
    (
        "listen-address-without-port",
        &[
            "2: web.listen_address: found `localhost` (the port is missing), wanted an address to listen on, such as `:10141` or `127.0.0.1:10141`",
        ],
    ),
    (
        "not-yaml",
        &[
            "3:11: not valid YAML: illegal placement of ':' indicator (is the `[` on line 2 closed?)",
        ],
    ),
    (
        "nothing-watched",
        &[
            "2: watch: nothing is watched; give a project (`--project group/app`, or watch.projects) or a group (`--group platform`, or watch.groups)",
        ],
    ),
    (
        "owner-without-team",
        &[
            "5: owners.rules[1].jobs: found `deploy-[` (unclosed character class; missing ']'), wanted a glob such as `deploy-*`",
            "5: owners.rules[1].team: missing; wanted the name of a team",
        ],
    ),
    (
        "owners-file-with-a-bad-line",
        &[
            "3: owners.file: found `owners.bad` (line 3: `deploy-[` is not a pattern: unclosed character class; missing ']'), wanted the path of a file with lines such as `deploy-* @sre`",
        ],
    ),
    (
        "preset-not-known",
        &[
            "2: counting.preset: found `datadog` (did you mean `datadog-agent`?), wanted `default` or `datadog-agent`",
        ],
    ),
    (
        "route-prefix-without-slash",
        &[
            "2: web.route_prefix: found `exporter` (it does not begin with `/`), wanted a path such as `/job-failures`, or `/` for none",
        ],
    ),
    (
        "route-prefix-with-a-slash-at-its-end",
        &[
            "2: web.route_prefix: found `/exporter/` (leave out the `/` at its end), wanted a path such as `/job-failures`, or `/` for none",
        ],
    ),
    (
        "route-prefix-with-a-double-slash",
        &[
            "2: web.route_prefix: found `/ci//exporter` (it has two `/` in a row), wanted a path such as `/job-failures`, or `/` for none",
        ],
    ),
    (
        "route-prefix-with-dots",
        &[
            "2: web.route_prefix: found `/ci/../exporter` (`.` and `..` are not names), wanted a path such as `/job-failures`, or `/` for none",
        ],
    ),
    (
        "route-prefix-encoded",
        &[
            "2: web.route_prefix: found `/ci%2Fexporter` (its path has other characters than letters, digits, `-`, `.`, `_`, `~` and `/`), wanted a path such as `/job-failures`, or `/` for none",
        ],
    ),
    (
        "route-prefix-empty",
        &[
            "2: web.route_prefix: found an empty text (write `/` for no prefix), wanted a path such as `/job-failures`, or `/` for none",
        ],
    ),
    (
        "external-url-with-a-double-slash",
        &[
            "2: web.external_url: found `https://ci.example/a//b/` (it has two `/` in a row), wanted the address at which people reach the exporter's pages, such as `https://ci-health.example.com/`",
        ],
    ),
    (
        "external-url-with-an-encoded-path",
        &[
            "2: web.external_url: found `https://ci.example/a%20b/` (its path has other characters than letters, digits, `-`, `.`, `_`, `~` and `/`), wanted the address at which people reach the exporter's pages, such as `https://ci-health.example.com/`",
        ],
    ),
    (
        "external-url-with-a-query",
        &[
            "2: web.external_url: found `https://ci.example/?view=jobs` (leave out what follows `?` or `#`), wanted the address at which people reach the exporter's pages, such as `https://ci-health.example.com/`",
        ],
    ),
    (
        "external-url-with-a-user",
        &[
            "2: web.external_url: found an address with a user in it (leave out the user: everybody who reads alerts sees this address), wanted the address at which people reach the exporter's pages, such as `https://ci-health.example.com/`",
        ],
    ),
    (
        "external-url-without-scheme",
        &[
            "2: web.external_url: found `ci-health.example.com` (`https://` is missing), wanted the address at which people reach the exporter's pages, such as `https://ci-health.example.com/`",
        ],
    ),
    (
        "prometheus-url-with-a-user",
        &[
            "2: prometheus.url: found an address with a user in it (credentials are not taken from a URL; give them as user and password_file), wanted the address of a Prometheus, such as `http://127.0.0.1:9090`",
            "4: alertmanager.url: found `alertmanager:9093` (neither http nor https), wanted the address of an Alertmanager, such as `http://127.0.0.1:9093`",
        ],
    ),
    (
        "project-is-an-address",
        &[
            "1: watch.projects[0]: found `https://gitlab.com/group/app` (leave out the address of the GitLab), wanted a project's path such as `group/app`, or its numeric id",
        ],
    ),
    (
        "project-is-not-a-path",
        &[
            "1: watch.projects[0]: found `/group/app/`, wanted a project's path such as `group/app`, or its numeric id",
        ],
    ),
    (
        "projects-is-not-a-list",
        &["1: watch.projects: found `group/app`, wanted a list of paths or ids"],
    ),
    (
        "rate-is-zero",
        &[
            "2: gitlab.requests_per_second: found the number 0, wanted a number above 0, at most 1000",
        ],
    ),
    (
        "ref-is-a-number",
        &[
            "1: watch.refs[0]: found the number 1 (put it in quotes if that is meant), wanted `default` or a regular expression such as `release/.*`",
        ],
    ),
    (
        "ref-is-no-pattern",
        &[
            "1: watch.refs[1]: found `release/(` (unclosed group), wanted `default` or a regular expression such as `release/.*`",
        ],
    ),
    (
        "refs-is-empty",
        &["1: watch.refs: the list is empty, so nothing would match; leave the key out"],
    ),
    (
        "retention-too-long",
        &[
            "2: retention: found `300y` (longer than 292 years), wanted a duration of at least 1s, such as `30s`, `5m` or `1h30m`",
        ],
    ),
    (
        "section-is-not-a-mapping",
        &[
            "1: watch: found a list, wanted a mapping with interval, idle_interval, hooked_interval, projects, groups, refs, sources, tracks, merge_requests, jobs, child_pipelines, schedules, backfill, shard",
        ],
    ),
    (
        "shard-beyond-the-count",
        &[
            "3: watch.shard: found `9/8` (shards are numbered from 1 to 8), wanted a shard's number and how many there are, such as `2/8`",
        ],
    ),
    (
        "source-not-known",
        &[
            "1: watch.sources[1]: found `merge_request` (did you mean `merge_request_event`?), wanted one of `push`, `web`, `api`, `schedule`, `trigger`, `chat`, `webide`, `pipeline`, `merge_request_event`, `external`, `external_pull_request_event`, `ondemand_dast_scan`, `ondemand_dast_validation`, `security_orchestration_policy`, `container_registry_push`, `duo_workflow`, `pipeline_execution_policy_schedule`, `unknown`",
        ],
    ),
    (
        "store-bucket-is-an-address",
        &[
            "3: store.s3.bucket: found `s3://ci-state/jobs` (the name alone; what follows it goes into `prefix`), wanted the name of a bucket",
            "4: store.s3.endpoint_url: found `minio:9000` (neither http nor https), wanted the address of a store, such as `https://minio.example.com:9000`",
        ],
    ),
    (
        "store-in-two-places",
        &["3: store.s3: given together with store.directory; keep one of them"],
    ),
    (
        "store-kms-key-without-kms",
        &[
            "2: store.s3.kms_key_id: has no effect without server_side_encryption: `aws:kms` or `aws:kms:dsse`",
        ],
    ),
    (
        "store-s3-without-bucket",
        &["2: store.s3.bucket: missing; wanted the name of a bucket"],
    ),
    (
        "store-directory-empty",
        &["2: store.directory: found an empty text, wanted the path of a directory"],
    ),
    (
        "token-as-a-key",
        &[
            "2: gitlab.token: unknown key; did you mean `token_file`? valid here: url, token_file, ca_file, timeout, requests_per_second, api",
        ],
    ),
    (
        "token-as-a-section",
        &[
            "2: gitlab: found `<redacted>`, wanted a mapping with url, token_file, ca_file, timeout, requests_per_second, api",
        ],
    ),
    (
        "token-file-empty",
        &[
            "2: gitlab.token_file: found `token.empty` (the file is empty), wanted the path of a file that holds an access token and nothing else",
        ],
    ),
    (
        "token-file-missing",
        &[
            "2: gitlab.token_file: found `no-such-file` (No such file or directory (os error 2)), wanted the path of a file that holds an access token and nothing else",
        ],
    ),
    (
        "token-in-place-of-its-file",
        &[
            "2: gitlab.token_file: found what may be a token (not shown) (No such file or directory (os error 2)), wanted the path of a file that holds an access token and nothing else",
        ],
    ),
    (
        "unknown-key-in-list",
        &[
            "5: watch.groups[1].excludes: unknown key; did you mean `exclude`? valid here: path, include_subgroups, exclude",
        ],
    ),
    (
        "unknown-key-in-section",
        &[
            "3: watch.intervall: unknown key; did you mean `interval`? valid here: interval, idle_interval, hooked_interval, projects, groups, refs, sources, tracks, merge_requests, jobs, child_pipelines, schedules, backfill, shard",
        ],
    ),
    (
        "unknown-key-top",
        &[
            "2: stroe: unknown key; did you mean `store`? valid here: gitlab, watch, counting, classification, owners, store, webhooks, remediation, limits, prometheus, alertmanager, metrics, retention, clock_jump_hold, web",
        ],
    ),
    (
        "url-of-another-scheme",
        &[
            "2: gitlab.url: found `ssh://gitlab.example.com` (neither http nor https), wanted the address of a GitLab, such as `https://gitlab.com`",
        ],
    ),
    (
        "url-of-the-api",
        &[
            "2: gitlab.url: found `https://gitlab.example.com/api/v4` (leave out `/api/v4`), wanted the address of a GitLab, such as `https://gitlab.com`",
        ],
    ),
    (
        "url-with-a-password",
        &[
            "2: gitlab.url: found an address with a user in it (give the token in a file or in the environment), wanted the address of a GitLab, such as `https://gitlab.com`",
        ],
    ),
    (
        "url-without-scheme",
        &[
            "2: gitlab.url: found `gitlab.example.com` (`https://` is missing), wanted the address of a GitLab, such as `https://gitlab.com`",
        ],
    ),
    (
        "value-is-empty",
        &[
            "3: watch.interval: found nothing (leave the key out for its default), wanted a duration of at least 100ms, such as `30s`, `5m` or `1h30m`",
        ],
    ),
    (
        "window-is-text",
        &["2: counting.window: found `ten`, wanted a whole number from 1 to 1000"],
    ),
    (
        "window-out-of-bounds",
        &["2: counting.window: found the number 0, wanted a whole number from 1 to 1000"],
    ),
    (
        "ca-file-is-broken",
        &[
            "2: gitlab.ca_file: found `broken.pem` (a certificate of the file cannot be used: builder error: invalid peer certificate: BadEncoding), wanted the path of a PEM file with certificates",
        ],
    ),
    (
        "merge-of-a-number",
        &["2:3: `<<` merges the number 1, wanted a mapping or a list of mappings"],
    ),
    (
        "signing-key-is-not-base64",
        &[
            "3: webhooks.gitlab.signing_key_file: found `broken.pem` (the file holds no base64 after `whsec_`), wanted the path of a file that holds a signing token, `whsec_` and base64, and nothing else",
        ],
    ),
    (
        "two-documents",
        &[
            "2:1: a second YAML document begins here (`---`), wanted one; join them, or give each exporter a file of its own",
        ],
    ),
    (
        "variable-in-a-list",
        &[
            "2:15: not valid YAML: while parsing a flow sequence, expected ',' or ']' (is the `[` on line 2 closed?) (environment variables are not expanded: write the value itself, name a file as `gitlab.token_file` does, or run the file through `envsubst` before)",
        ],
    ),
    (
        "variable-in-a-value",
        &[
            "2: gitlab.url: found `https://${GITLAB_HOST}/` (environment variables are not expanded: write the value itself, name a file as `gitlab.token_file` does, or run the file through `envsubst` before), wanted the address of a GitLab, such as `https://gitlab.com`",
            "3: gitlab.token_file: found `${TOKEN_FILE}` (environment variables are not expanded: write the value itself, name a file as `gitlab.token_file` does, or run the file through `envsubst` before), wanted the path of a file that holds an access token and nothing else",
            "4: gitlab.timeout: found `${TIMEOUT}` (environment variables are not expanded: write the value itself, name a file as `gitlab.token_file` does, or run the file through `envsubst` before), wanted a duration of at least 100ms, such as `30s`, `5m` or `1h30m`",
            "6: watch.projects[0]: found `${PROJECT}` (environment variables are not expanded: write the value itself, name a file as `gitlab.token_file` does, or run the file through `envsubst` before), wanted a project's path such as `group/app`, or its numeric id",
            "7: store: found `${STORE}` (environment variables are not expanded: write the value itself, name a file as `gitlab.token_file` does, or run the file through `envsubst` before), wanted a mapping with directory, s3, save_interval, compress",
        ],
    ),
    (
        "webhook-secret-of-nothing",
        &[
            "4: webhooks.gitlab.secrets[0]: wanted either a project or a group",
            "5: webhooks.gitlab.secrets[1]: without a secret; give token_file or signing_key_file",
        ],
    ),
    (
        "webhook-secret-too-short",
        &[
            "3: webhooks.gitlab.token_file: found `token.short` (the file holds a secret of length 1, which is easy to guess; it needs at least 16 characters, such as those of `openssl rand -hex 32`), wanted the path of a file that holds a secret token and nothing else",
        ],
    ),
    (
        "webhooks-without-a-secret",
        &[
            "1: webhooks.gitlab: nobody could send webhooks; give token_file, signing_key_file or secrets",
        ],
    ),
    (
        "word-not-known",
        &[
            "2: counting.late_pipelines: found `inserted` (did you mean `insert`?), wanted `insert` or `skip`",
        ],
    ),
    (
        "yaml-tag",
        &["2:13: YAML tags (`!..`) have no meaning here"],
    ),
];
